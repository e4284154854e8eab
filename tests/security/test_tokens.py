"""Tokens: good ones tell the caller, and nothing else passes."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OKPKey

from riskengine.errors import TokenError
from riskengine.security.key_ring import KeyRing, KeyUse, new_ring
from riskengine.security.scopes import Caller, Scope
from riskengine.security.tokens import TokenTerms, issue_token, public_keys, read_token
from tests.security.conftest import NOW

RING, TERMS = new_ring(NOW), TokenTerms()
CALLER = Caller("front-end", frozenset({Scope.QUOTES, Scope.PROFILES}))
TOKEN = issue_token(RING, CALLER, NOW, TERMS)
MINUTE = timedelta(minutes=1)


def coded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def decoded(token: str, part: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[part] + "=="))
    return found


def signed(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token by the right key, whatever it says."""
    key = RING.current(KeyUse.SIGNING)
    public = public_keys(RING, NOW)["keys"][0]
    secret = base64.urlsafe_b64encode(key.secret).decode().rstrip("=")
    own = OKPKey.import_key({**public, "d": secret})
    return jwt.encode(header, claims, own, algorithms=["Ed25519"])


@given(
    st.sets(st.sampled_from(Scope), min_size=1), st.booleans(), st.booleans(),
    st.integers(0, 14 * 60),
)  # fmt: skip
def test_a_token_tells_the_caller_until_it_expires(
    scopes: set[Scope], person: bool, second_factor: bool, seconds: int
) -> None:
    caller = Caller("somebody", frozenset(scopes), person, second_factor)
    token = issue_token(RING, caller, NOW, TERMS)
    assert read_token(RING, token, NOW + timedelta(seconds=seconds), TERMS) == caller
    with pytest.raises(TokenError, match="ask for a new one at /oauth/token"):
        read_token(RING, token, NOW + 16 * MINUTE, TERMS)


def test_what_a_token_holds() -> None:
    header, claims = decoded(TOKEN, 0), decoded(TOKEN, 1)
    kid = RING.current(KeyUse.SIGNING).kid
    assert header == {"typ": "at+jwt", "alg": "Ed25519", "kid": kid}
    assert claims["scope"] == "profiles quotes"
    assert (claims["sub"], claims["amr"], claims["person"]) == ("front-end", ["pwd"], False)
    assert claims["exp"] - claims["iat"] == 900
    assert len({decoded(issue_token(RING, CALLER, NOW, TERMS), 1)["jti"] for _ in range(9)}) == 9
    factor = Caller("a", frozenset({Scope.PROFILES}), person=True, second_factor=True)
    assert "otp" in decoded(issue_token(RING, factor, NOW, TERMS), 1)["amr"]


@given(st.data())
def test_no_character_of_a_token_can_be_changed(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(TOKEN) - 1))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=~"
    put = data.draw(st.sampled_from(alphabet.replace(TOKEN[at], "")))
    changed = TOKEN[:at] + put + TOKEN[at + 1 :]
    if at == len(TOKEN) - 1 and put in alphabet[:64]:
        return  # The last character of the signature has bits that stand for nothing.
    with pytest.raises(TokenError):
        read_token(RING, changed, NOW, TERMS)


@given(st.text(max_size=60))
def test_no_text_is_a_token(text: str) -> None:
    for token in (text, f"{TOKEN}{text or '.'}", f"{text or '.'}{TOKEN}"):
        with pytest.raises(TokenError):
            read_token(RING, token, NOW, TERMS)


def test_no_algorithm_and_another_algorithm_are_refused() -> None:
    claims, kid = decoded(TOKEN, 1), RING.current(KeyUse.SIGNING).kid
    public = public_keys(RING, NOW)["keys"][0]
    for none in ("none", "None", "NONE", ""):
        header = {"typ": "at+jwt", "alg": none, "kid": kid}
        for signature in ("", TOKEN.split(".")[2]):
            with pytest.raises(TokenError):
                read_token(RING, f"{coded(header)}.{coded(claims)}.{signature}", NOW, TERMS)
    # The public key, known to all, used as the secret of an HMAC, in every form it may have.
    header = {"typ": "at+jwt", "alg": "HS256", "kid": kid}
    start = f"{coded(header)}.{coded(claims)}"
    raw = base64.urlsafe_b64decode(public["x"] + "==")
    for secret in (raw, public["x"].encode(), json.dumps(public).encode(), b""):
        mac = hmac.new(secret, start.encode(), hashlib.sha256).digest()
        forged = f"{start}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
        with pytest.raises(TokenError):
            read_token(RING, forged, NOW, TERMS)


def test_a_key_that_is_not_ours_or_is_sent_along_is_refused() -> None:
    claims = decoded(TOKEN, 1)
    theirs = OKPKey.generate_key("Ed25519")
    kid = RING.current(KeyUse.SIGNING).kid
    for header in (
        {"kid": "another"}, {"kid": kid}, {}, {"kid": kid, "jwk": theirs.as_dict(private=False)},
        {"kid": RING.current(KeyUse.AUDIT).kid},
    ):  # fmt: skip
        token = jwt.encode(
            {"alg": "Ed25519", "typ": "at+jwt", **header}, claims, theirs, algorithms=["Ed25519"]
        )
        with pytest.raises(TokenError, match="is not valid"):
            read_token(RING, token, NOW, TERMS)
    with pytest.raises(TokenError):
        read_token(new_ring(NOW), TOKEN, NOW, TERMS)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "somebody"}, {"aud": "another"}, {"exp": None}, {"exp": "soon"}, {"sub": None},
        {"iss": None}, {"aud": None}, {"scope": "quotes everything"}, {"scope": None},
        {"scope": 5}, {"iat": 4_000_000_000}, {"nbf": 4_000_000_000}, {"amr": None},
        {"person": None},
    ],
)  # fmt: skip
def test_claims_that_do_not_fit_are_refused_though_signed(change: dict[str, Any]) -> None:
    header, claims = decoded(TOKEN, 0), {**decoded(TOKEN, 1), **change}
    token = signed(header, {name: value for name, value in claims.items() if value is not None})
    with pytest.raises(TokenError):
        read_token(RING, token, NOW, TERMS)
    assert read_token(RING, signed(header, decoded(TOKEN, 1)), NOW, TERMS) == CALLER


def test_a_token_of_another_type_and_a_long_one_are_refused() -> None:
    header = {**decoded(TOKEN, 0), "typ": "JWT"}
    with pytest.raises(TokenError, match="is no access token"):
        read_token(RING, signed(header, decoded(TOKEN, 1)), NOW, TERMS)
    with pytest.raises(TokenError, match="longer than any of ours"):
        read_token(RING, TOKEN + "A" * 5_000, NOW, TERMS)


def test_after_rotation_old_tokens_are_good_until_they_expire() -> None:
    rotated = RING.rotated(KeyUse.SIGNING, NOW, TERMS.lifetime)
    new = issue_token(rotated, CALLER, NOW, TERMS)
    assert decoded(new, 0)["kid"] == rotated.current(KeyUse.SIGNING).kid
    for token in (TOKEN, new):
        assert read_token(rotated, token, NOW + 14 * MINUTE, TERMS) == CALLER
    told = public_keys(rotated, NOW)["keys"]
    assert [key["kid"] for key in told] == [key.kid for key in rotated.of(KeyUse.SIGNING)]
    assert len(public_keys(rotated, NOW + 15 * MINUTE)["keys"]) == 1
    at_once = RING.rotated(KeyUse.SIGNING, NOW, timedelta(0))
    with pytest.raises(TokenError):
        read_token(at_once, TOKEN, NOW, TERMS)


def test_the_public_keys_hold_no_secret(ring: KeyRing) -> None:
    told = json.dumps(public_keys(ring, NOW))
    assert '"d"' not in told
    for key in ring.keys:
        assert base64.urlsafe_b64encode(key.secret).decode().rstrip("=") not in told
