"""Consent: the last word on each purpose counts, and no purpose stands for another."""

import pytest
import sqlalchemy as sa

from riskengine.errors import ConsentError
from riskengine.security.consents import Consent, ConsentPurpose, ConsentStore
from riskengine.security.field_encryption import FieldCipher
from riskengine.security.key_ring import KeyRing, KeyUse
from riskengine.security.tables import CONSENTS
from riskengine.store import Database
from tests.security.conftest import NOW

PRICING, RECOMMENDATION = ConsentPurpose.PRICING, ConsentPurpose.RECOMMENDATION


def consent(purpose: ConsentPurpose, *, given: bool, at: str = "2026-03-01T12:00:00") -> Consent:
    return Consent(purpose, given, "2026-01", "front-end", at)


def test_the_last_record_of_a_purpose_counts(database: Database, cipher: FieldCipher) -> None:
    consents = ConsentStore(database, cipher)
    with pytest.raises(ConsentError, match="has not agreed: the stored profile is not used for pr"):
        consents.require("m1", PRICING)
    given = consent(PRICING, given=True)
    consents.record("m1", given)
    consents.require("m1", PRICING)
    consents.require("m1", RECOMMENDATION, PRICING)
    for member, purpose in (("m1", RECOMMENDATION), ("m2", PRICING)):
        with pytest.raises(ConsentError, match="has not agreed"):
            consents.require(member, purpose)
    withdrawn = consent(PRICING, given=False, at="2026-03-02T09:00:00")
    consents.record("m1", withdrawn)
    with pytest.raises(ConsentError, match="withdrew consent on 2026-03-02T09:00:00"):
        consents.require("m1", PRICING)
    assert consents.history("m1") == (given, withdrawn)
    assert consents.standing("m1") == {PRICING: withdrawn}
    consents.record("m1", given)
    consents.require("m1", PRICING)


def test_records_are_found_after_the_index_key_was_rotated_and_tell_no_member(
    database: Database, ring: KeyRing
) -> None:
    ConsentStore(database, FieldCipher(lambda: ring)).record(
        "李四-007", consent(PRICING, given=True)
    )
    rotated = ring.rotated(KeyUse.INDEX, NOW)
    after = ConsentStore(database, FieldCipher(lambda: rotated))
    after.require("李四-007", PRICING)
    after.record("李四-007", consent(PRICING, given=False))
    with pytest.raises(ConsentError, match="withdrew"):
        after.require("李四-007", PRICING)
    with database.reading() as connection:
        rows = connection.execute(sa.select(CONSENTS)).all()
    assert len({row.member_index for row in rows}) == 2
    assert "李四-007" not in str(rows)
