"""A quote of a household belongs to each of its members."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as pq
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
from riskengine.store.schema import QUOTE_MEMBERS, QUOTES
from tests.golden.market_releases import market_release
from tests.service.running import NOW


def test_any_member_of_a_household_finds_and_erases_its_quotes(tmp_path: Path) -> None:
    ring = new_ring(datetime(2026, 1, 1, tzinfo=UTC))
    cipher = FieldCipher(lambda: ring)
    database = Database(f"sqlite:///{tmp_path}/store.db")
    names = ("mother", "father", "child")
    rows = [
        {"member_id": name, "as_of": date(2026, 1, 1), "age": age, "sex": sex}
        for name, age, sex in zip(names, (40, 42, 8), ("female", "male", "male"), strict=True)
    ]
    pq.write_table(arrow.Table.from_pylist(rows), tmp_path / "profiles.parquet")
    ProfileStore(database, cipher).publish(tmp_path / "profiles.parquet")
    outside = Outside(FixedReleases.of(market_release("cn")), database, cipher, lambda: NOW)
    with TestClient(create_app(outside, Settings(poll_seconds=3600))) as client:
        both = {
            "members": [{"member_id": name} for name in names],
            "plans": ["city_supplement_basic"],
        }
        alone = {"member_id": "father", "plans": ["city_supplement_basic"]}
        quote, other = (client.post("/v1/quotes", json=one).json() for one in (both, alone))
    holdings = holdings_of(cipher)
    for name in names:
        told = export_member(database, holdings, name)
        assert quote["quote_id"] in [one["quote_id"] for one in told["quotes"]]
    with database.reading() as connection:
        kept = connection.execute(sa.select(QUOTE_MEMBERS)).all()
    assert len(kept) == 2
    assert not {row.member for row in kept} & set(names)
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
    database.close()
