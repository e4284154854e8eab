"""Access tokens: JWTs signed with Ed25519, as RFC 9068 describes them.

Only the one algorithm is taken and the key is found by its `kid` in our own ring, whatever a
token's header says, so that neither `none` nor a public key used as a shared secret can pass.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from riskengine.errors import ProtectionError, TokenError
from riskengine.security.key_ring import Key, KeyRing, KeyUse
from riskengine.security.scopes import Caller, Scope

ALGORITHM = "Ed25519"
_TYPE = "at+jwt"
_LONGEST = 4_096


@dataclass(frozen=True)
class TokenTerms:
    """Who issues tokens, for whom, and for how long they are good."""

    issuer: str = "riskengine"
    audience: str = "riskengine"
    lifetime: timedelta = timedelta(minutes=15)


def issue_token(ring: KeyRing, caller: Caller, now: datetime, terms: TokenTerms) -> str:
    """A token for a caller, signed with the newest key."""
    key = ring.current(KeyUse.SIGNING)
    claims: dict[str, Any] = {
        "iss": terms.issuer,
        "aud": terms.audience,
        "sub": caller.client,
        "client_id": caller.client,
        "scope": " ".join(sorted(caller.scopes)),
        "iat": int(now.timestamp()),
        "exp": int((now + terms.lifetime).timestamp()),
        "jti": secrets.token_urlsafe(16),
        "amr": ["pwd", "otp", "mfa"] if caller.second_factor else ["pwd"],
        "person": caller.person,
    }
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": _TYPE}
    return jwt.encode(header, claims, _private(key), algorithms=[ALGORITHM])


def read_token(ring: KeyRing, token: str, now: datetime, terms: TokenTerms) -> Caller:
    """The caller that a token is for; raises `TokenError` for one that is not valid now."""
    if len(token) > _LONGEST:
        message = "the token is longer than any of ours"
        raise TokenError(message)
    accepted = {
        key.kid: key for key in ring.of(KeyUse.SIGNING) if key.until is None or key.until > now
    }
    try:
        decoded = jwt.decode(token, lambda told: _found(accepted, told), algorithms=[ALGORITHM])
        _claims(terms, now).validate(decoded.claims)
        if decoded.header.get("typ") != _TYPE:
            message = "the token is no access token"
            raise TokenError(message)
        return _caller(decoded.claims)
    except (JoseError, ProtectionError, ValueError, TypeError, AttributeError, KeyError) as error:
        message = f"the token is not valid ({_fault(error)}): ask for a new one at /oauth/token"
        raise TokenError(message) from error


def public_keys(ring: KeyRing, now: datetime) -> dict[str, Any]:
    """The JSON Web Key Set with which others may verify tokens; it holds no secret."""
    held = [_private(k) for k in ring.of(KeyUse.SIGNING) if k.until is None or k.until > now]
    return {"keys": [key.as_dict(private=False) for key in held]}


def _claims(terms: TokenTerms, now: datetime) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        now=lambda: int(now.timestamp()),
        leeway=0,
        iss={"essential": True, "value": terms.issuer},
        aud={"essential": True, "value": terms.audience},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
    )


def _caller(claims: dict[str, Any]) -> Caller:
    """What the claims say; a scope that this version does not know is a fault, never a right."""
    return Caller(
        str(claims["sub"]),
        frozenset(Scope(scope) for scope in claims["scope"].split()),
        person=claims["person"] is True,
        second_factor="otp" in claims["amr"],
    )


def _found(accepted: dict[str, Key], told: Any) -> OKPKey:
    kid = told.headers().get("kid")
    if not isinstance(kid, str) or kid not in accepted:
        message = "its key is not in the ring"
        raise ProtectionError(message)
    return _private(accepted[kid])


@lru_cache(maxsize=64)
def _private(key: Key) -> OKPKey:
    pem = Ed25519PrivateKey.from_private_bytes(key.secret).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return OKPKey.import_key(pem, {"kid": key.kid, "use": "sig", "alg": ALGORITHM})


def _fault(error: Exception) -> str:
    return error.description if isinstance(error, JoseError) else type(error).__name__
