"""Prices in the shadow are summed up by plan, as counted by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from riskengine.store import Database, Plain, ShadowPrice, write_records
from riskengine.store.shadow_summary import shadow_summary

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD, NEW, NEWER = "a" * 64, "b" * 64, "c" * 64


def priced(quote: str, plan: str, champion: int | None, challenger: int | None) -> ShadowPrice:
    return ShadowPrice(quote, NEW, plan, OLD, NOON, champion, challenger)


def test_plans_are_compared_where_both_priced_them(url: str) -> None:
    database = Database(url)
    later = ShadowPrice("q9", NEWER, "gold", OLD, NOON + timedelta(days=1), 100, None, "no age")
    rows = [
        priced("q1", "gold", 10_000, 11_000), priced("q2", "gold", 10_000, 10_000),
        priced("q3", "gold", 10_000, 8_000), priced("q4", "gold", 5_000, None),
        priced("q1", "silver", None, 7_000), later,
    ]  # fmt: skip
    with database.writing() as connection:
        assert shadow_summary(connection) == []
        write_records(connection, rows, Plain())
        last, gold, silver = shadow_summary(connection)
    database.close()
    assert (last.challenger, last.compared, last.only_champion, last.change) == (NEWER, 0, 1, None)
    assert (gold.plan, gold.quotes, gold.compared) == ("gold", 4, 3)
    assert (gold.equal, gold.dearer, gold.only_champion, gold.only_challenger) == (1, 1, 1, 0)
    assert gold.change == pytest.approx(29_000 / 30_000 - 1)
    assert (silver.only_challenger, silver.change) == (1, None)
