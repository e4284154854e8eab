"""Where the store holds what is sealed and what belongs to a member: for rotation and erasure.

Erasure deletes profiles. Of quotes it takes the answers, of feedback what was told; premiums,
steps, dates and hashes stay, since insurers account for them, but lead to nobody. A recommendation
goes but for its date. What a household was told belongs to each of its members, who are shown their
own part of it; all parts go with the first who leaves.
"""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from riskengine.security.clients import TOTP_COLUMN
from riskengine.security.field_encryption import FieldCipher
from riskengine.security.member_rows import MemberRows, Row, deleted, without
from riskengine.security.reencryption import SealedColumn
from riskengine.security.tables import CONSENTS
from riskengine.store.records import ERASED
from riskengine.store.schema import (
    DECISION_MEMBERS,
    DECISIONS,
    FEEDBACK,
    PROFILES,
    QUOTE_MEMBERS,
    QUOTES,
)

SEALED_COLUMNS = (
    TOTP_COLUMN,
    SealedColumn(PROFILES, "features", "member_id", "profiles"),
    SealedColumn(QUOTES, "inputs", "quote_id", "quotes"),
    SealedColumn(QUOTES, "body", "quote_id", "quotes"),
    SealedColumn(DECISIONS, "inputs", "decision_id", "decisions"),
    SealedColumn(DECISIONS, "body", "decision_id", "decisions"),
    SealedColumn(DECISIONS, "record", "decision_id", "decisions"),
    SealedColumn(FEEDBACK, "detail", "feedback_id", "feedback"),
)
_ANSWERS = frozenset({"answers", "member_id", "relativities", "decisions", "refused"})
"""What tells of a member in a quote: answers and what underwriting made of them."""
_BY_MEMBER = frozenset({"members", "decisions"})
"""Lists with an entry for each member of a household, in order."""


def holdings_of(cipher: FieldCipher) -> tuple[MemberRows, ...]:
    """The rows of members in every table of the store, with the cipher that opens them."""
    quoted = partial(_theirs, cipher, QUOTES, QUOTE_MEMBERS, "quote_id")
    advised = partial(_theirs, cipher, DECISIONS, DECISION_MEMBERS, "decision_id")
    return (
        MemberRows(
            "profiles", PROFILES, partial(_named, cipher, PROFILES.c.member_id), deleted,
            partial(_profile_told, cipher),
        ),
        MemberRows(
            "quotes", QUOTES, quoted, partial(_quote_erased, cipher),
            partial(_told, cipher, QUOTES),
        ),
        MemberRows(
            "decisions", DECISIONS, advised, partial(_decision_erased, cipher),
            partial(_told, cipher, DECISIONS),
        ),
        _households(cipher, QUOTE_MEMBERS, "quote_id", "households"),
        _households(cipher, DECISION_MEMBERS, "decision_id", "decision_households"),
        MemberRows(
            "feedback",
            FEEDBACK,
            lambda member_id: FEEDBACK.c.quote_id.in_(
                sa.select(QUOTES.c.quote_id).where(quoted(member_id))
            )
            | FEEDBACK.c.decision_id.in_(
                sa.select(DECISIONS.c.decision_id).where(advised(member_id))
            ),
            lambda row: {"detail": cipher.seal(ERASED, _about(FEEDBACK, row))},
            partial(_told, cipher, FEEDBACK),
        ),
        MemberRows(
            "consents",
            CONSENTS,
            partial(_named, cipher, CONSENTS.c.member_index),
            # Kept, as proof of what was agreed to.
            lambda row: {"wording": row["wording"]},
            lambda row, _: {n: row[n] for n in row if n not in {"sequence", "member_index"}},
        ),
    )  # fmt: skip


def _named(
    cipher: FieldCipher, column: sa.ColumnElement[str], member_id: str
) -> sa.ColumnElement[bool]:
    return column.in_(cipher.pseudonyms(member_id))


def _theirs(
    cipher: FieldCipher, table: sa.Table, others: sa.Table, key: str, member_id: str
) -> sa.ColumnElement[bool]:
    """Rows of a member alone, or of a household that the member is of."""
    together = sa.select(others.c[key]).where(_named(cipher, others.c.member, member_id))
    return _named(cipher, table.c.member, member_id) | table.c[key].in_(together)


def _households(cipher: FieldCipher, table: sa.Table, key: str, name: str) -> MemberRows:
    return MemberRows(
        name,
        table,
        partial(_named, cipher, table.c.member),
        deleted,
        lambda row, _: {key: row[key]},
    )


def _profile_told(cipher: FieldCipher, row: Row, _: str) -> dict[str, Any]:
    opened = cipher.unseal(row["features"].encode(), f"profiles/{row['member_id']}")
    return {"as_of": row["as_of"], "features": json.loads(opened)}


def _about(table: sa.Table, row: Row) -> str:
    """What a sealed column of a row is bound to: the table and the key."""
    (key,) = table.primary_key
    return f"{table.name}/{row[key.name]}"


def _told(cipher: FieldCipher, table: sa.Table, row: Row, member_id: str) -> dict[str, Any]:
    about = _about(table, row)
    found = {
        name: json.loads(cipher.unseal(value, about)) if isinstance(value, bytes) else value
        for name, value in row.items()
        if name not in {"member", "idempotency_key", "request_digest"}
    }
    members = found.get("inputs", {}).get("members", [])
    if len(members) > 1:
        mine = [one["member_id"] == member_id for one in members]
        found |= {name: own_parts(found[name], mine) for name in ("inputs", "body")}
    return found


def own_parts(document: Any, mine: Sequence[bool]) -> Any:
    """A document of a household with what it tells of single members left out but for `mine`.

    >>> own_parts({"members": [{"age": 40}, {"age": 8}], "premium": "80.00"}, [False, True])
    {'members': [None, {'age': 8}], 'premium': '80.00'}
    """
    if isinstance(document, list):
        return [own_parts(one, mine) for one in document]
    if not isinstance(document, dict):
        return document
    found = {name: own_parts(value, mine) for name, value in document.items()}
    for name in _BY_MEMBER & found.keys():
        found[name] = [one if own else None for one, own in zip(found[name], mine, strict=True)]
    if "refused" in found:
        found["refused"] = [one for one in found["refused"] if mine[one["member"]]]
    return found


def _quote_erased(cipher: FieldCipher, row: Row) -> dict[str, Any]:
    about = _about(QUOTES, row)
    emptied = {
        name: json.dumps(without(json.loads(cipher.unseal(row[name], about)), _ANSWERS))
        for name in ("inputs", "body")
    }
    sealed = {name: cipher.seal(text.encode(), about) for name, text in emptied.items()}
    return {"member": None, "request_digest": None, "idempotency_key": None, **sealed}


def _decision_erased(cipher: FieldCipher, row: Row) -> dict[str, Any]:
    """Advice is all about the member: that there was some, and when, is what stays."""
    about = _about(DECISIONS, row)
    emptied = {name: cipher.seal(ERASED, about) for name in ("inputs", "body")}
    return {"member": None, "record": None, **emptied}
