"""Where the store holds what is sealed and what belongs to a member: for rotation and erasure.

Erasure deletes profiles. Of quotes it takes the answers, of feedback what was told; premiums,
steps, dates and hashes stay, since insurers account for them, but lead to nobody. A quote of a
household belongs to each of its members, and loses the answers of all with the first who leaves.
"""

import json
from functools import partial
from typing import Any

import sqlalchemy as sa

from riskengine.security.clients import TOTP_COLUMN
from riskengine.security.field_encryption import FieldCipher
from riskengine.security.member_rows import MemberRows, Row, deleted, without
from riskengine.security.reencryption import SealedColumn
from riskengine.security.tables import CONSENTS
from riskengine.store.schema import FEEDBACK, PROFILES, QUOTE_MEMBERS, QUOTES

SEALED_COLUMNS = (
    TOTP_COLUMN,
    SealedColumn(PROFILES, "features", "member_id", "profiles"),
    SealedColumn(QUOTES, "inputs", "quote_id", "quotes"),
    SealedColumn(QUOTES, "body", "quote_id", "quotes"),
    SealedColumn(FEEDBACK, "detail", "feedback_id", "feedback"),
)
_ANSWERS = frozenset({"answers", "member_id", "relativities"})


def holdings_of(cipher: FieldCipher) -> tuple[MemberRows, ...]:
    """The rows of members in every table of the store, with the cipher that opens them."""

    def mine(member_id: str) -> sa.ColumnElement[bool]:
        names = cipher.pseudonyms(member_id)
        together = sa.select(QUOTE_MEMBERS.c.quote_id).where(QUOTE_MEMBERS.c.member.in_(names))
        return QUOTES.c.member.in_(names) | QUOTES.c.quote_id.in_(together)

    return (
        MemberRows(
            "profiles",
            PROFILES,
            lambda member_id: PROFILES.c.member_id.in_(cipher.pseudonyms(member_id)),
            deleted,
            partial(_profile_told, cipher),
        ),
        MemberRows("quotes", QUOTES, mine, partial(_quote_erased, cipher), partial(_told, cipher)),
        MemberRows(
            "households",
            QUOTE_MEMBERS,
            lambda member_id: QUOTE_MEMBERS.c.member.in_(cipher.pseudonyms(member_id)),
            deleted,
            lambda row: {"quote_id": row["quote_id"]},
        ),
        MemberRows(
            "feedback",
            FEEDBACK,
            lambda member_id: FEEDBACK.c.quote_id.in_(
                sa.select(QUOTES.c.quote_id).where(mine(member_id))
            ),
            lambda row: {"detail": cipher.seal(b"{}", f"feedback/{row['feedback_id']}")},
            partial(_told, cipher),
        ),
        MemberRows(
            "consents",
            CONSENTS,
            lambda member_id: CONSENTS.c.member_index.in_(cipher.pseudonyms(member_id)),
            # Kept, as proof of what was agreed to.
            lambda row: {"wording": row["wording"]},
            lambda row: {n: row[n] for n in row if n not in {"sequence", "member_index"}},
        ),
    )


def _profile_told(cipher: FieldCipher, row: Row) -> dict[str, Any]:
    opened = cipher.unseal(row["features"].encode(), f"profiles/{row['member_id']}")
    return {"as_of": row["as_of"], "features": json.loads(opened)}


def _told(cipher: FieldCipher, row: Row) -> dict[str, Any]:
    about = f"quotes/{row['quote_id']}" if "body" in row else f"feedback/{row['feedback_id']}"
    hidden = {"member", "idempotency_key", "request_digest"}
    return {
        name: json.loads(cipher.unseal(value, about)) if isinstance(value, bytes) else value
        for name, value in row.items()
        if name not in hidden
    }


def _quote_erased(cipher: FieldCipher, row: Row) -> dict[str, Any]:
    about = f"quotes/{row['quote_id']}"
    emptied = {
        name: json.dumps(without(json.loads(cipher.unseal(row[name], about)), _ANSWERS))
        for name in ("inputs", "body")
    }
    sealed = {name: cipher.seal(text.encode(), about) for name, text in emptied.items()}
    return {"member": None, "request_digest": None, "idempotency_key": None, **sealed}
