"""What members have agreed to, purpose by purpose: every giving and withdrawal is kept.

The last record of a purpose counts. A purpose without a record is not agreed to.
"""

from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from riskengine.errors import ConsentError
from riskengine.security.database import Connections
from riskengine.security.field_encryption import FieldCipher
from riskengine.security.tables import CONSENTS


class ConsentPurpose(StrEnum):
    """What stored data of a member may be used for."""

    PRICING = "pricing"
    RECOMMENDATION = "recommendation"
    MARKETING = "marketing"


@dataclass(frozen=True)
class Consent:
    """One giving (or withdrawal) of consent: to which version of the wording, by whom recorded."""

    purpose: ConsentPurpose
    given: bool
    wording: str
    recorded_by: str
    recorded_at: str


class ConsentStore:
    """Records of consent in a database; raises `StoreError` when it cannot be used."""

    def __init__(self, database: Connections, cipher: FieldCipher) -> None:
        self._database, self._cipher = database, cipher

    def record(self, member_id: str, consent: Consent) -> None:
        """Keep one record; earlier ones stay."""
        row = {
            "member_index": self._cipher.pseudonym(member_id),
            "purpose": consent.purpose.value,
            "given": consent.given,
            "wording": consent.wording,
            "recorded_by": consent.recorded_by,
            "recorded_at": consent.recorded_at,
        }
        with self._database.writing() as connection:
            connection.execute(sa.insert(CONSENTS).values(row))

    def history(self, member_id: str) -> tuple[Consent, ...]:
        """Every record of a member, the oldest first."""
        indexes = self._cipher.pseudonyms(member_id)
        query = sa.select(CONSENTS).where(CONSENTS.c.member_index.in_(indexes))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(CONSENTS.c.sequence)).all()
        return tuple(
            Consent(
                ConsentPurpose(row.purpose), row.given, row.wording, row.recorded_by,
                row.recorded_at,
            )
            for row in rows
        )  # fmt: skip

    def standing(self, member_id: str) -> dict[ConsentPurpose, Consent]:
        """The last record of each purpose that has one."""
        return {consent.purpose: consent for consent in self.history(member_id)}

    def require(self, member_id: str, *purposes: ConsentPurpose) -> None:
        """Pass if the member agrees to one of the purposes; raises `ConsentError` if to none."""
        standing = self.standing(member_id)
        last = [standing[purpose] for purpose in purposes if purpose in standing]
        if not any(consent.given for consent in last):
            when = max((consent.recorded_at for consent in last), default=None)
            why = "has not agreed" if when is None else f"withdrew consent on {when}"
            message = (
                f"the member {why}: the stored profile is not used for {' or '.join(purposes)}."
                " Record consent at POST /v1/members/{member_id}/consents, or send answers without"
                " member_id"
            )
            raise ConsentError(message)
