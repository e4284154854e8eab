import json
from datetime import date
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from riskengine.batch import reprice as batch
from riskengine.errors import TableError
from riskengine.release import Release
from riskengine.service.app import create_app
from riskengine.tables import Tables
from riskengine.training import renewal_portfolio

AS_OF = date(2026, 1, 1)


@pytest.fixture(scope="module")
def portfolio(
    tables: Tables,
    experience: arrow.Table,
    release: Release,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    path = tmp_path_factory.mktemp("book") / "portfolio.parquet"
    pq.write_table(renewal_portfolio(tables, experience, release, AS_OF), path)
    return path


def test_batch_equals_live_to_the_cent(
    release: Release, portfolio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "CHUNK_ROWS", 173)
    batch.reprice_file(release, portfolio, tmp_path, AS_OF)
    rows = pq.read_table(portfolio).slice(0, 520).to_pylist()
    repriced = pq.read_table(tmp_path / "repriced.parquet").slice(0, 520).to_pylist()
    names = [question.name for question in release.questions]
    with TestClient(create_app(lambda: release)) as client:
        for row, done in zip(rows, repriced, strict=True):
            answers = {name: row[name] for name in names if row[name] is not None}
            body = {"answers": answers, "as_of": "2026-01-01", "plans": [row["plan"]]}
            (offer,) = client.post("/v1/quotes", json=body).json()["offers"]
            assert row["policy_id"] == done["policy_id"]
            assert offer["offered_premium"] == str(done["offered_premium"])
            assert offer["steps"][0]["value"] == done["pure_premium"]


def test_every_policy_is_accounted_for(release: Release, portfolio: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    summary = batch.reprice_file(
        release, portfolio, tmp_path, AS_OF, lambda done, total: seen.append((done, total))
    )
    out = pq.read_table(tmp_path / "repriced.parquet")
    assert out.schema == batch.REPRICED
    assert summary.policies_in == summary.policies_out == out.num_rows == 1712
    assert sum(summary.policies_by_change.values()) == summary.compared_policies == 1712
    assert summary.offered_premium == pytest.approx(float(sum(out["offered_premium"].to_pylist())))
    assert seen == [(1712, 1712)]
    assert json.loads((tmp_path / "dislocation.json").read_text())["release"] == release.hash
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dislocation.json", "repriced.parquet"]


def test_rows_that_cannot_be_priced_are_quarantined(
    release: Release, portfolio: Path, tmp_path: Path
) -> None:
    rows = pq.read_table(portfolio).slice(0, 6).to_pylist()
    rows[1]["age"] = None
    rows[2]["age"] = 80.0
    rows[3]["plan"] = "gold"
    rows[4]["sex"], rows[4]["household_size"] = "x", 99.0
    rows[5]["member_id"], rows[5]["expiring_premium"] = None, None
    source = tmp_path / "book.parquet"
    pq.write_table(arrow.Table.from_pylist(rows, pq.read_schema(portfolio)), source)
    summary = batch.reprice_file(release, source, tmp_path / "out", AS_OF)
    assert (summary.policies_out, summary.quarantined) == (1, 5)
    bad = pq.read_table(tmp_path / "out" / "quarantine.parquet").to_pylist()
    assert [row["policy_id"] for row in bad] == [row["policy_id"] for row in rows[1:]]
    reasons = [row["reason"] for row in bad]
    assert reasons[0] == "age=missing: required: give a number from 0 to 66 years"
    assert reasons[1] == "age=80: give a number from 0 to 66 years"
    assert reasons[2].startswith("plan=gold: known are free_care")
    assert "sex='x': give one of female, male" in reasons[3]
    assert "household_size=99: give a number from 1 to 14 people" in reasons[3]
    assert reasons[4] == "member_id is missing"


def test_odd_but_honest_columns_are_read(release: Release, portfolio: Path, tmp_path: Path) -> None:
    """Dictionary and view texts, decimals, all-null numbers, and columns that are none of ours."""
    book = pq.read_table(portfolio).slice(0, 20)
    batch.reprice_file(release, portfolio, tmp_path / "plain", AS_OF)
    odd = book.set_column(2, "plan", book["plan"].dictionary_encode())
    odd = odd.set_column(1, "member_id", book["member_id"].cast(arrow.string_view()))
    money = book["expiring_premium"].cast(arrow.decimal128(12, 2))
    odd = odd.set_column(3, "expiring_premium", money)
    odd = odd.append_column("tags", arrow.array([["a", "b"]] * 20))
    place = odd.schema.names.index("household_income")
    odd = odd.set_column(place, "household_income", arrow.nulls(20))
    pq.write_table(odd, tmp_path / "odd.parquet")
    summary = batch.reprice_file(release, tmp_path / "odd.parquet", tmp_path / "odd", AS_OF)
    assert (summary.policies_out, summary.quarantined) == (20, 0)
    plain = pq.read_table(tmp_path / "plain" / "repriced.parquet").slice(0, 20)
    changed = pq.read_table(tmp_path / "odd" / "repriced.parquet")
    assert changed["expiring_premium"].to_pylist() == plain["expiring_premium"].to_pylist()


def test_an_expiring_premium_that_is_no_amount_is_quarantined(
    release: Release, portfolio: Path, tmp_path: Path
) -> None:
    rows = pq.read_table(portfolio).slice(0, 3).to_pylist()
    rows[0]["expiring_premium"], rows[1]["expiring_premium"] = float("inf"), -1.0
    source = tmp_path / "book.parquet"
    pq.write_table(arrow.Table.from_pylist(rows, pq.read_schema(portfolio)), source)
    assert batch.reprice_file(release, source, tmp_path / "out", AS_OF).quarantined == 2
    bad = pq.read_table(tmp_path / "out" / "quarantine.parquet")["reason"].to_pylist()
    assert bad[0] == "expiring_premium=inf: give 0 or more, or leave it empty"
    doubled = pq.read_table(portfolio)
    doubled = doubled.append_column("age", doubled["age"])
    pq.write_table(doubled, source)
    with pytest.raises(TableError, match="age is there twice"):
        batch.reprice_file(release, source, tmp_path / "out", AS_OF)


def test_an_unknown_expiring_premium_is_not_compared(
    release: Release, portfolio: Path, tmp_path: Path
) -> None:
    book = pq.read_table(portfolio).drop_columns(["expiring_premium"])
    pq.write_table(book, tmp_path / "book.parquet")
    summary = batch.reprice_file(release, tmp_path / "book.parquet", tmp_path, AS_OF)
    out = pq.read_table(tmp_path / "repriced.parquet")
    assert (summary.policies_out, summary.compared_policies) == (1712, 0)
    assert out["change"].null_count == out["expiring_premium"].null_count == 1712


def test_a_file_that_does_not_fit_stops_before_the_first_row(
    release: Release, portfolio: Path, tmp_path: Path
) -> None:
    with pytest.raises(TableError, match=r"cannot read the portfolio .*nothing\.parquet"):
        batch.reprice_file(release, tmp_path / "nothing.parquet", tmp_path / "out", AS_OF)
    (tmp_path / "text.parquet").write_text("not parquet")
    with pytest.raises(TableError, match="cannot read the portfolio"):
        batch.reprice_file(release, tmp_path / "text.parquet", tmp_path / "out", AS_OF)
    book = pq.read_table(portfolio).drop_columns(["plan", "age"])
    book = book.set_column(0, "policy_id", arrow.array(range(book.num_rows)))
    pq.write_table(book, tmp_path / "book.parquet")
    with pytest.raises(TableError) as caught:
        batch.reprice_file(release, tmp_path / "book.parquet", tmp_path / "out", AS_OF)
    for part in ("policy_id is int64, not text", "plan is missing", "age is missing"):
        assert part in str(caught.value)
    assert not (tmp_path / "out").exists()
