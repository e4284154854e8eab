"""Clients: secrets, revocation, codes used once and tried five times."""

import base64
from datetime import timedelta
from urllib.parse import parse_qs, urlparse

import pytest
import sqlalchemy as sa

from riskengine.errors import InputError, LimitError, StoreError, TokenError
from riskengine.security.clients import ClientStore, Credentials, Shown
from riskengine.security.field_encryption import FieldCipher
from riskengine.security.scopes import Caller, Scope
from riskengine.security.second_factor import code_at
from riskengine.security.tables import CLIENTS
from riskengine.store import Database
from tests.security.conftest import NOW

MINUTE = timedelta(minutes=1)


@pytest.fixture
def clients(database: Database, cipher: FieldCipher) -> ClientStore:
    return ClientStore(database, cipher)


def totp_of(otpauth: str | None) -> bytes:
    (coded,) = parse_qs(urlparse(str(otpauth)).query)["secret"]
    return base64.b32decode(coded)


def person(clients: ClientStore) -> Shown:
    return clients.add("li.wei", [Scope.PROFILES, Scope.RELEASES_PROMOTE], NOW, person=True)


def test_a_machine_is_known_by_its_secret_until_it_is_revoked(
    clients: ClientStore, database: Database
) -> None:
    shown = clients.add("front-end", [Scope.QUOTES, Scope.FEEDBACK], NOW, person=False)
    assert (len(shown.secret), shown.otpauth) == (43, None)
    caller = clients.authenticate(Credentials("front-end", shown.secret), NOW)
    assert caller == Caller("front-end", frozenset({Scope.QUOTES, Scope.FEEDBACK}))
    wrong = "client id or its secret is wrong"
    for name, secret in (
        ("front-end", shown.secret + "x"), ("front-end", ""), ("nobody", shown.secret),
        ("front-end", "\ud800"),
    ):  # fmt: skip
        with pytest.raises(TokenError, match=wrong):
            clients.authenticate(Credentials(name, secret), NOW)
    with database.reading() as connection:
        row = connection.execute(sa.select(CLIENTS)).one()
    assert row.secret_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert shown.secret not in str(row)
    clients.revoke("front-end", NOW)
    with pytest.raises(TokenError, match=wrong):
        clients.authenticate(Credentials("front-end", shown.secret), NOW)
    assert clients.revoked() == {"front-end"}
    for again in (
        lambda: clients.add("front-end", [Scope.QUOTES], NOW, person=False),
        lambda: clients.revoke("front-end", NOW),
        lambda: clients.revoke("nobody", NOW),
        lambda: clients.enrol("front-end"),
    ):
        with pytest.raises(InputError):
            again()


def test_who_cannot_be_a_client(clients: ClientStore) -> None:
    for name in ("", "a", "Ä", "a b", "-a", "a" * 64, "A1", "a\n"):
        with pytest.raises(InputError, match="a client id is 2 to 63"):
            clients.add(name, [Scope.QUOTES], NOW, person=False)
    with pytest.raises(InputError, match="give at least one scope of quotes, recomm"):
        clients.add("front-end", [], NOW, person=False)
    with pytest.raises(InputError, match="is for people, who show a second factor"):
        clients.add("robot", [Scope.RELEASES_PROMOTE], NOW, person=False)


def test_a_code_shows_the_second_factor_and_is_used_once(clients: ClientStore) -> None:
    shown = person(clients)
    code = code_at(totp_of(shown.otpauth), NOW)
    assert not clients.authenticate(Credentials("li.wei", shown.secret), NOW).second_factor
    credentials = Credentials("li.wei", shown.secret, code)
    assert clients.authenticate(credentials, NOW).second_factor
    with pytest.raises(TokenError, match="is wrong or was used"):
        clients.authenticate(credentials, NOW)
    before = code_at(totp_of(shown.otpauth), NOW - MINUTE / 2)
    with pytest.raises(TokenError, match="is wrong or was used"):
        clients.authenticate(Credentials("li.wei", shown.secret, before), NOW)
    later = NOW + MINUTE
    following = Credentials("li.wei", shown.secret, code_at(totp_of(shown.otpauth), later))
    assert clients.authenticate(following, later).second_factor


def test_after_five_wrong_codes_even_the_right_one_waits(clients: ClientStore) -> None:
    shown = person(clients)
    secret = totp_of(shown.otpauth)
    right = code_at(secret, NOW)
    wrong = Credentials("li.wei", shown.secret, f"{(int(right) + 1) % 10**6:06d}")
    for _ in range(5):
        with pytest.raises(TokenError, match="is wrong or was used"):
            clients.authenticate(wrong, NOW)
    with pytest.raises(LimitError, match="wait a quarter of an hour"):
        clients.authenticate(Credentials("li.wei", shown.secret, right), NOW)
    later = NOW + 14 * MINUTE
    with pytest.raises(LimitError):
        clients.authenticate(Credentials("li.wei", shown.secret, code_at(secret, later)), later)
    later = NOW + 15 * MINUTE
    good = Credentials("li.wei", shown.secret, code_at(secret, later))
    assert clients.authenticate(good, later).second_factor


def test_a_wrong_secret_tries_no_code(clients: ClientStore) -> None:
    shown = person(clients)
    for _ in range(6):
        with pytest.raises(TokenError):
            clients.authenticate(Credentials("li.wei", "wrong", "000000"), NOW)
    code = code_at(totp_of(shown.otpauth), NOW)
    assert clients.authenticate(Credentials("li.wei", shown.secret, code), NOW).second_factor


def test_a_new_enrolment_ends_the_old_app(clients: ClientStore) -> None:
    shown = person(clients)
    new = clients.enrol("li.wei")
    old_code, new_code = (code_at(totp_of(uri), NOW) for uri in (shown.otpauth, new))
    with pytest.raises(TokenError):
        clients.authenticate(Credentials("li.wei", shown.secret, old_code), NOW)
    assert clients.authenticate(Credentials("li.wei", shown.secret, new_code), NOW).second_factor


def test_a_machine_has_no_code_and_a_moved_seed_does_not_open(
    clients: ClientStore, database: Database
) -> None:
    machine = clients.add("front-end", [Scope.QUOTES], NOW, person=False)
    with pytest.raises(TokenError, match="has no second factor: leave the code out"):
        clients.authenticate(Credentials("front-end", machine.secret, "000000"), NOW)
    shown = person(clients)
    other = clients.add("wang.fang", [Scope.PROFILES], NOW, person=True)
    with database.writing() as connection:
        seed = sa.select(CLIENTS.c.totp_secret).where(CLIENTS.c.client_id == "wang.fang")
        stolen = connection.execute(seed).scalar_one()
        change = sa.update(CLIENTS).where(CLIENTS.c.client_id == "li.wei")
        connection.execute(change.values(totp_secret=stolen))
    code = code_at(totp_of(other.otpauth), NOW)
    with pytest.raises(StoreError, match="was changed or moved"):
        clients.authenticate(Credentials("li.wei", shown.secret, code), NOW)


def test_clients_are_listed_without_secrets(clients: ClientStore) -> None:
    person(clients)
    clients.add("front-end", [Scope.QUOTES], NOW, person=False)
    first, second = clients.clients()
    assert (first.client_id, first.person, first.second_factor) == ("front-end", False, False)
    assert (second.client_id, second.person, second.second_factor) == ("li.wei", True, True)
    assert second.scopes == ("profiles", "releases:promote")
