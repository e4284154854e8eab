"""What the service keeps, row by row, and how it is written and read back.

Rows are only ever added: a quote is not changed by its acceptance. Functions take a connection and
the sealer, so that they know neither threads nor keys.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

import sqlalchemy as sa

from riskengine.store.inserts import add_rows
from riskengine.store.schema import (
    ACCEPTANCES,
    DECISION_MEMBERS,
    DECISIONS,
    FEEDBACK,
    QUOTE_MEMBERS,
    QUOTES,
    SHADOW_PRICES,
)
from riskengine.store.sealing import Sealer


@dataclass(frozen=True)
class StoredQuote:
    """A quote: `inputs` are what it was priced on and `body` what was answered, both JSON.

    `others` are the members of the household beside `member_id`; they are not read back.
    """

    quote_id: str
    client: str
    market: str
    release: str
    created_at: datetime
    valid_until: datetime
    inputs: bytes
    body: bytes
    member_id: str | None = None
    idempotency_key: str | None = None
    request_digest: str | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredDecision:
    """A recommendation: `inputs` are what was asked and `body` what was answered, both JSON.

    `record` is the line of the log that it is judged by, where there is one; `others` are as in
    `StoredQuote`.
    """

    decision_id: str
    client: str
    market: str
    release: str
    created_at: datetime
    inputs: bytes
    body: bytes
    member_id: str | None = None
    others: tuple[str, ...] = ()
    record: bytes | None = None


@dataclass(frozen=True)
class Acceptance:
    """A plan of a quote that was accepted; there is one at most for each quote."""

    quote_id: str
    client: str
    plan: str
    accepted_at: datetime


@dataclass(frozen=True)
class Feedback:
    """What came of a quote or a decision; `detail` is JSON."""

    feedback_id: str
    client: str
    kind: str
    quote_id: str | None
    decision_id: str | None
    occurred_at: datetime
    received_at: datetime
    detail: bytes
    idempotency_key: str | None = None
    request_digest: str | None = None


@dataclass(frozen=True)
class ShadowPrice:
    """What champion and challenger ask for one plan of a quote, in cents; None: no price."""

    quote_id: str
    challenger: str
    plan: str
    champion: str
    priced_at: datetime
    champion_cents: int | None
    challenger_cents: int | None
    problem: str | None = None


ERASED = b"{}"
"""What is left of a document when its member is erased."""
Record: TypeAlias = StoredQuote | StoredDecision | Acceptance | Feedback | ShadowPrice


def write_records(connection: sa.Connection, records: Sequence[Record], sealer: Sealer) -> None:
    """Add rows in one statement a table; quotes first, as acceptances refer to them."""
    for kind, table, row in _TABLES:
        rows = [row(record, sealer) for record in records if isinstance(record, kind)]
        if rows:
            add_rows(connection, table, rows)
    for kind, key, table in _HOUSEHOLDS:
        others = [
            {key: getattr(one, key), "member": sealer.pseudonym(member)}
            for one in records
            if isinstance(one, kind)
            for member in one.others
        ]
        if others:
            add_rows(connection, table, others)


def read_quote(connection: sa.Connection, quote_id: str, sealer: Sealer) -> StoredQuote | None:
    """A quote by its id; None where there is none."""
    query = sa.select(QUOTES).where(QUOTES.c.quote_id == quote_id)
    return _quote(connection.execute(query).one_or_none(), sealer)


def read_decision(
    connection: sa.Connection, decision_id: str, sealer: Sealer
) -> StoredDecision | None:
    """A decision by its id; None where there is none, or where a member of it was erased."""
    query = sa.select(DECISIONS).where(DECISIONS.c.decision_id == decision_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    about = f"decisions/{decision_id}"
    inputs, body = (sealer.unseal(sealed, about) for sealed in (row.inputs, row.body))
    if body == ERASED:
        return None
    at = row.created_at.replace(tzinfo=UTC)
    record = None if row.record is None else sealer.unseal(row.record, about)
    return StoredDecision(
        decision_id, row.client, row.market, row.release, at, inputs, body, row.member,
        record=record,
    )  # fmt: skip


def read_by_key(
    connection: sa.Connection, client: str, key: str, sealer: Sealer
) -> StoredQuote | None:
    """The quote that a client asked for under an idempotency key; None where there is none."""
    query = sa.select(QUOTES).where(QUOTES.c.client == client, QUOTES.c.idempotency_key == key)
    return _quote(connection.execute(query).one_or_none(), sealer)


def read_acceptance(connection: sa.Connection, quote_id: str) -> Acceptance | None:
    """The acceptance of a quote; None where it was not accepted."""
    query = sa.select(ACCEPTANCES).where(ACCEPTANCES.c.quote_id == quote_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Acceptance(row.quote_id, row.client, row.plan, row.accepted_at.replace(tzinfo=UTC))


def read_feedback_by_key(
    connection: sa.Connection, client: str, key: str
) -> tuple[str, str | None] | None:
    """Id and digest of the request of what a client told under an idempotency key."""
    query = sa.select(FEEDBACK.c.feedback_id, FEEDBACK.c.request_digest).where(
        FEEDBACK.c.client == client, FEEDBACK.c.idempotency_key == key
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.feedback_id, row.request_digest)


def read_feedback_subject(
    connection: sa.Connection, feedback_id: str, client: str
) -> tuple[str | None, str | None] | None:
    """Quote and decision (one is None) that a client told something of; None where it did not."""
    query = sa.select(FEEDBACK.c.quote_id, FEEDBACK.c.decision_id).where(
        FEEDBACK.c.feedback_id == feedback_id, FEEDBACK.c.client == client
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.quote_id, row.decision_id)


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)


def _quote(row: sa.Row[tuple[object, ...]] | None, sealer: Sealer) -> StoredQuote | None:
    if row is None:
        return None
    about = f"quotes/{row.quote_id}"
    return StoredQuote(
        row.quote_id,
        row.client,
        row.market,
        row.release,
        row.created_at.replace(tzinfo=UTC),
        row.valid_until.replace(tzinfo=UTC),
        sealer.unseal(row.inputs, about),
        sealer.unseal(row.body, about),
        row.member,
        row.idempotency_key,
        row.request_digest,
    )


def _quote_row(quote: StoredQuote, sealer: Sealer) -> dict[str, object]:
    return {
        "quote_id": quote.quote_id,
        "idempotency_key": quote.idempotency_key,
        "request_digest": quote.request_digest,
        "valid_until": _naive(quote.valid_until),
        **_answered(quote, f"quotes/{quote.quote_id}", sealer),
    }


def _decision_row(one: StoredDecision, sealer: Sealer) -> dict[str, object]:
    about = f"decisions/{one.decision_id}"
    record = None if one.record is None else sealer.seal(one.record, about)
    return {"decision_id": one.decision_id, "record": record, **_answered(one, about, sealer)}


def _answered(one: StoredQuote | StoredDecision, about: str, sealer: Sealer) -> dict[str, object]:
    """The columns of everything that was asked and answered."""
    return {
        "client": one.client,
        "market": one.market,
        "release": one.release,
        "member": None if one.member_id is None else sealer.pseudonym(one.member_id),
        "created_at": _naive(one.created_at),
        "inputs": sealer.seal(one.inputs, about),
        "body": sealer.seal(one.body, about),
    }


def _acceptance_row(one: Acceptance, _: Sealer) -> dict[str, object]:
    return {
        "quote_id": one.quote_id,
        "client": one.client,
        "plan": one.plan,
        "accepted_at": _naive(one.accepted_at),
    }


def _feedback_row(one: Feedback, sealer: Sealer) -> dict[str, object]:
    return {
        "feedback_id": one.feedback_id,
        "client": one.client,
        "idempotency_key": one.idempotency_key,
        "request_digest": one.request_digest,
        "kind": one.kind,
        "quote_id": one.quote_id,
        "decision_id": one.decision_id,
        "occurred_at": _naive(one.occurred_at),
        "received_at": _naive(one.received_at),
        "detail": sealer.seal(one.detail, f"feedback/{one.feedback_id}"),
    }


def _shadow_row(one: ShadowPrice, _: Sealer) -> dict[str, object]:
    return {**vars(one), "priced_at": _naive(one.priced_at)}


_TABLES: tuple[tuple[type, sa.Table, Callable[..., dict[str, object]]], ...] = (
    (StoredQuote, QUOTES, _quote_row),
    (StoredDecision, DECISIONS, _decision_row),
    (Acceptance, ACCEPTANCES, _acceptance_row),
    (Feedback, FEEDBACK, _feedback_row),
    (ShadowPrice, SHADOW_PRICES, _shadow_row),
)
_HOUSEHOLDS: tuple[tuple[type[StoredQuote | StoredDecision], str, sa.Table], ...] = (
    (StoredQuote, "quote_id", QUOTE_MEMBERS),
    (StoredDecision, "decision_id", DECISION_MEMBERS),
)
