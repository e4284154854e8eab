"""Who may ask for tokens: machines and people, with their secrets, scopes and second factors.

A secret is shown once and kept as an Argon2id hash. Codes of a second factor are used once, and
after five that were wrong no more are taken for a quarter of an hour; this is counted in the
database, so that it holds for all processes together.
"""

import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from riskengine.errors import InputError, LimitError, TokenError
from riskengine.security.database import Connections
from riskengine.security.field_encryption import FieldCipher
from riskengine.security.reencryption import SealedColumn
from riskengine.security.scopes import Caller, Scope
from riskengine.security.second_factor import SECRET_BYTES, matching_step, provisioning_uri
from riskengine.security.tables import CLIENTS

TOTP_COLUMN = SealedColumn(CLIENTS, "totp_secret", "client_id", "security_clients.totp_secret")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}")
_ATTEMPTS = 5
_LOCKED_SECONDS = 900
_WRONG = "the client id or its secret is wrong, or the client was revoked"
_WRONG_CODE = "the one-time code is wrong or was used: wait for the next one"


@dataclass(frozen=True)
class Client:
    """A client as `riskengine clients list` tells it."""

    client_id: str
    person: bool
    scopes: tuple[str, ...]
    created_at: str
    revoked_at: str | None
    second_factor: bool


@dataclass(frozen=True)
class Shown:
    """What is shown once: the secret, and for a person the address for an authenticator app."""

    secret: str
    otpauth: str | None


@dataclass(frozen=True)
class Credentials:
    """What a client shows when it asks for a token."""

    client_id: str
    secret: str
    code: str | None = None


class ClientStore:
    """The clients in a database; raises `StoreError` when it cannot be used."""

    def __init__(
        self, database: Connections, cipher: FieldCipher, issuer: str = "riskengine"
    ) -> None:
        self._database, self._cipher, self._issuer = database, cipher, issuer

    def add(self, client_id: str, scopes: Iterable[Scope], now: datetime, *, person: bool) -> Shown:
        """Register a client; raises `InputError` for a name that cannot be or is taken."""
        given = sorted(set(scopes))
        if not _NAME.fullmatch(client_id):
            message = f"{client_id!r}: a client id is 2 to 63 of a-z, 0-9, dot, dash and underscore"
            raise InputError(message)
        if not given:
            message = f"{client_id}: give at least one scope of {', '.join(Scope)}"
            raise InputError(message)
        if Scope.RELEASES_PROMOTE in given and not person:
            message = (
                f"{client_id}: {Scope.RELEASES_PROMOTE} is for people, who show a second factor"
            )
            raise InputError(message)
        secret = secrets.token_urlsafe(32)
        totp = os.urandom(SECRET_BYTES) if person else None
        row = {
            "client_id": client_id,
            "person": person,
            "secret_hash": _hash(secret),
            "scopes": " ".join(given),
            "created_at": now.isoformat(timespec="seconds"),
            "totp_secret": None if totp is None else self._sealed(totp, client_id),
        }
        with self._database.writing() as connection:
            there = connection.execute(_of(client_id)).one_or_none()
            if there is not None:
                message = f"client {client_id!r} is there already: revoked ids are not used again"
                raise InputError(message)
            connection.execute(sa.insert(CLIENTS).values(row))
        uri = None if totp is None else provisioning_uri(totp, client_id, self._issuer)
        return Shown(secret, uri)

    def enrol(self, client_id: str) -> str:
        """A new second factor for a person, in place of the old one: its otpauth address."""
        totp = os.urandom(SECRET_BYTES)
        values = {"totp_secret": self._sealed(totp, client_id), "totp_step": 0}
        self._update(client_id, CLIENTS.c.person, values)
        return provisioning_uri(totp, client_id, self._issuer)

    def revoke(self, client_id: str, now: datetime) -> None:
        """Give no more tokens to a client, and take those that it has no longer."""
        self._update(client_id, sa.true(), {"revoked_at": now.isoformat(timespec="seconds")})

    def clients(self) -> tuple[Client, ...]:
        """Every client, by its id."""
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(CLIENTS).order_by(CLIENTS.c.client_id)).all()
        return tuple(
            Client(
                row.client_id,
                row.person,
                tuple(row.scopes.split()),
                row.created_at,
                row.revoked_at,
                row.totp_secret is not None,
            )
            for row in rows
        )

    def revoked(self) -> frozenset[str]:
        """The ids of clients that were revoked."""
        query = sa.select(CLIENTS.c.client_id).where(CLIENTS.c.revoked_at.is_not(None))
        with self._database.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    def authenticate(self, shown: Credentials, now: datetime) -> Caller:
        """The caller of these credentials, with all its scopes.

        Raises `TokenError` when they are wrong, and `LimitError` after too many wrong codes. An
        unknown client takes as long as one that is known. Blocks for about 50 ms.
        """
        with self._database.reading() as connection:
            row = connection.execute(_of(shown.client_id)).one_or_none()
        right = _is_of(shown.secret, row.secret_hash if row is not None else _NOBODY)
        if row is None or not right or row.revoked_at is not None:
            raise TokenError(_WRONG)
        if shown.code is not None:
            self._use_code(row.client_id, row.totp_secret, shown.code, now)
        return Caller(
            row.client_id,
            frozenset(Scope(scope) for scope in row.scopes.split()),
            row.person,
            shown.code is not None,
        )

    def _use_code(self, client_id: str, sealed: str | None, code: str, now: datetime) -> None:
        """Count the attempt before the code is looked at, so that attempts at once count too."""
        if sealed is None:
            message = f"client {client_id!r} has no second factor: leave the code out"
            raise TokenError(message)
        seconds, mine, c = int(now.timestamp()), CLIENTS.c.client_id == client_id, CLIENTS.c
        with self._database.writing() as connection:
            waited = sa.update(CLIENTS).where(mine, c.locked_until <= seconds)
            connection.execute(waited.values(totp_attempts=0))
            attempt = sa.update(CLIENTS).where(mine, c.totp_attempts < _ATTEMPTS)
            counted = {
                "totp_attempts": c.totp_attempts + 1,
                "locked_until": seconds + _LOCKED_SECONDS,
            }
            if connection.execute(attempt.values(counted)).rowcount == 0:
                message = "too many wrong one-time codes: wait a quarter of an hour"
                raise LimitError(message)
        secret = self._cipher.unseal(sealed.encode(), TOTP_COLUMN.about(client_id))
        step = matching_step(secret, code, now)
        if step is None:
            raise TokenError(_WRONG_CODE)
        used = sa.update(CLIENTS).where(mine, c.totp_step < step, c.totp_secret == sealed)
        with self._database.writing() as connection:
            values = {"totp_step": step, "totp_attempts": 0, "locked_until": 0}
            if connection.execute(used.values(values)).rowcount == 0:
                raise TokenError(_WRONG_CODE)

    def _sealed(self, totp: bytes, client_id: str) -> str:
        return self._cipher.seal(totp, TOTP_COLUMN.about(client_id)).decode()

    def _update(
        self, client_id: str, condition: sa.ColumnElement[bool], values: dict[str, object]
    ) -> None:
        open_ones = sa.update(CLIENTS).where(
            CLIENTS.c.client_id == client_id, CLIENTS.c.revoked_at.is_(None), condition
        )
        with self._database.writing() as connection:
            if connection.execute(open_ones.values(values)).rowcount == 0:
                message = f"there is no such client {client_id!r}: see `riskengine clients list`"
                raise InputError(message)


def _of(client_id: str) -> sa.Select[Any]:
    return sa.select(CLIENTS).where(CLIENTS.c.client_id == client_id)


def _hash(secret: str) -> str:
    """Argon2id with the memory and passes that OWASP gives as the least."""
    kdf = Argon2id(salt=os.urandom(16), length=32, iterations=2, lanes=1, memory_cost=19_456)
    return kdf.derive_phc_encoded(secret.encode())


def _is_of(secret: str, phc: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(secret.encode("utf-8", "surrogatepass"), phc)
    except InvalidKey:
        return False
    return True


_NOBODY = _hash(secrets.token_urlsafe(32))
