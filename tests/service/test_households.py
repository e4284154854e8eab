"""What a household was told belongs to each of its members."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from riskengine.security.field_encryption import FieldCipher
from riskengine.security.key_ring import new_ring
from riskengine.security.member_rows import erase_member, export_member
from riskengine.service.app import Outside, create_app
from riskengine.service.holding import FixedReleases
from riskengine.service.security.holdings import holdings_of
from riskengine.settings import Settings
from riskengine.store import Database, ProfileStore
from riskengine.store.schema import DECISIONS, FEEDBACK, QUOTE_MEMBERS, QUOTES
from tests.golden.market_releases import market_release
from tests.service.running import NOW

NAMES = ("mother", "father", "child")
INSURED = {"social_insurance": "yes"}


@pytest.fixture
def cipher() -> FieldCipher:
    ring = new_ring(datetime(2026, 1, 1, tzinfo=UTC))
    return FieldCipher(lambda: ring)


@pytest.fixture
def database(tmp_path: Path, cipher: FieldCipher) -> Iterator[Database]:
    """A store with the profiles of a family."""
    database = Database(f"sqlite:///{tmp_path}/store.db")
    rows = [
        {"member_id": name, "as_of": date(2026, 1, 1), "age": age, "sex": sex}
        for name, age, sex in zip(NAMES, (40, 42, 8), ("female", "male", "male"), strict=True)
    ]
    pq.write_table(arrow.Table.from_pylist(rows), tmp_path / "profiles.parquet")
    ProfileStore(database, cipher).publish(tmp_path / "profiles.parquet")
    yield database
    database.close()


@pytest.fixture
def client(database: Database, cipher: FieldCipher) -> Iterator[TestClient]:
    outside = Outside(FixedReleases.of(market_release("cn")), database, cipher, lambda: NOW)
    with TestClient(create_app(outside, Settings(poll_seconds=3600))) as client:
        yield client


def test_a_member_is_told_of_a_household_what_is_of_that_member(
    client: TestClient, database: Database, cipher: FieldCipher
) -> None:
    members = [{"member_id": name, "answers": INSURED} for name in NAMES]
    both = {"members": members, "plans": ["city_supplement_basic"]}
    quote = client.post("/v1/quotes", json=both).json()
    told = export_member(database, holdings_of(cipher), "child")
    (own,) = told["quotes"]
    assert own["inputs"]["members"][:2] == [None, None]
    assert own["inputs"]["members"][2]["answers"]["age"] == 8
    assert own["body"]["members"] == [None, None, quote["members"][2]]
    assert own["body"]["decisions"] == [None, None, quote["decisions"][2]]
    (offer,) = own["body"]["offers"]
    assert offer["members"] == [None, None, quote["offers"][0]["members"][2]]
    assert offer["household_premium"] == quote["offers"][0]["household_premium"]
    assert not any(name in str(told) for name in NAMES[:2])


def test_advice_and_what_was_said_of_it_go_with_the_member(
    client: TestClient, database: Database, cipher: FieldCipher
) -> None:
    members = [{"member_id": name} for name in NAMES]
    advice = client.post("/v1/recommendations", json={"members": members}).json()
    decision_id, plan = advice["decision_id"], advice["not_offered"][0]["plan"]
    said = {
        "kind": "complaint", "status": "open", "plan": plan,
        "occurred_at": "2026-02-01T08:00:00Z", "detail": {"text": "dear"},
    }  # fmt: skip
    answer = client.post("/v1/feedback", json={**said, "decision_id": decision_id})
    assert answer.status_code == 201
    holdings = holdings_of(cipher)
    for name in NAMES:
        told = export_member(database, holdings, name)
        assert [one["decision_id"] for one in told["decisions"]] == [decision_id]
        assert [one["detail"]["detail"] for one in told["feedback"]] == [{"text": "dear"}]
        assert [one is None for one in told["decisions"][0]["inputs"]["members"]] == [
            name != other for other in NAMES
        ]
    erased = erase_member(database, holdings, "father")
    assert (erased["decisions"], erased["decision_households"], erased["feedback"]) == (1, 1, 1)
    assert client.get(f"/v1/recommendations/{decision_id}").status_code == 404
    with database.reading() as connection:
        (row,) = connection.execute(sa.select(DECISIONS))
        assert row.record is None
        opened = [
            cipher.unseal(part, f"decisions/{decision_id}") for part in (row.inputs, row.body)
        ]
        detail = connection.scalar(sa.select(FEEDBACK.c.detail))
        feedback_id = connection.scalar(sa.select(FEEDBACK.c.feedback_id))
    assert opened == [b"{}", b"{}"]
    assert cipher.unseal(detail, f"feedback/{feedback_id}") == b"{}"
    assert export_member(database, holdings, "father")["decisions"] == []
    # What is left of it leads to nobody's answers.
    for one in export_member(database, holdings, "child")["decisions"]:
        assert (one["inputs"], one["body"]) == ({}, {})


def test_any_member_of_a_household_finds_and_erases_its_quotes(
    client: TestClient, database: Database, cipher: FieldCipher
) -> None:
    both = {
        "members": [{"member_id": name, "answers": INSURED} for name in NAMES],
        "plans": ["city_supplement_basic"],
    }
    alone = {"member_id": "father", "answers": INSURED, "plans": ["city_supplement_basic"]}
    quote, other = (client.post("/v1/quotes", json=one).json() for one in (both, alone))
    holdings = holdings_of(cipher)
    for name in NAMES:
        told = export_member(database, holdings, name)
        assert quote["quote_id"] in [one["quote_id"] for one in told["quotes"]]
    with database.reading() as connection:
        kept = connection.execute(sa.select(QUOTE_MEMBERS)).all()
    assert len(kept) == 2
    assert not {row.member for row in kept} & set(NAMES)
    erased = erase_member(database, holdings, "child")
    assert (erased["quotes"], erased["households"]) == (1, 1)
    assert export_member(database, holdings, "child")["quotes"] == []
    with database.reading() as connection:
        found = connection.execute(sa.select(QUOTES.c.quote_id, QUOTES.c.inputs, QUOTES.c.body))
        opened = {
            row.quote_id: [cipher.unseal(part, f"quotes/{row.quote_id}") for part in row[1:]]
            for row in found
        }
    assert not any(b"child" in part or b"mother" in part for part in opened[quote["quote_id"]])
    assert b"father" in opened[other["quote_id"]][0]
    premium = json.loads(opened[quote["quote_id"]][1])["offers"][0]["household_premium"]
    assert premium == quote["offers"][0]["household_premium"]
