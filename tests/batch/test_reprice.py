"""A book repriced on one machine: every row accounted for, prices as live, files of any shape."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from riskengine.batch.reprice import Repriced, RepriceJob, rehearse, reprice
from riskengine.batch.repriced import pricing_of
from riskengine.errors import InputError, TableError, UnknownNameError
from riskengine.market_release import save_market_release
from riskengine.pricing.impact import RateChange
from riskengine.release import Release
from riskengine.tables import Tables
from riskengine.training import renewal_portfolio
from tests.batch.books import book_of
from tests.golden.market_releases import kept_release, market_release
from tests.golden.rewrite import KEPT_RELEASE
from tests.service.running import application
from tests.test_market_release import rebuilt

AS_OF = date(2026, 1, 1)


def run(
    portfolio: Path, out: Path, release: Path = KEPT_RELEASE, chunk_rows: int = 700
) -> Repriced:
    job = RepriceJob(
        portfolio, out, pricing_of((release,), AS_OF), workers=1, chunk_rows=chunk_rows
    )
    return reprice(job)


def priced_rows(out: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(out / "repriced").to_pylist()
    return rows


def aside(out: Path) -> arrow.Table:
    return pq.read_table(out / "quarantine")


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


@pytest.fixture(scope="module")
def whole(portfolio: Path, tmp_path_factory: pytest.TempPathFactory) -> Repriced:
    """The study's book repriced, in chunks of 700."""
    return run(portfolio, tmp_path_factory.mktemp("whole") / "out")


def test_batch_equals_live_to_the_cent(release: Release, portfolio: Path, whole: Repriced) -> None:
    rows = pq.read_table(portfolio).slice(0, 200).to_pylist()
    repriced = priced_rows(whole.job.out)[:200]
    names = [question.name for question in release.questions]
    with TestClient(application(None, release)) as client:
        for row, done in zip(rows, repriced, strict=True):
            answers = {name: row[name] for name in names if row[name] is not None}
            body = {"answers": answers, "as_of": "2026-01-01", "plans": [row["plan"]]}
            (offer,) = client.post("/v1/prices", json=body).json()["offers"]
            assert row["policy_id"] == done["policy_id"]
            assert offer["offered_premium"] == str(done["offered_premium"])
            assert offer["steps"][0]["value"] == done["step_pure_premium"]


def test_every_policy_is_accounted_for(release: Release, whole: Repriced) -> None:
    out = pq.read_table(whole.job.out / "repriced")
    book = whole.totals.all
    assert book.policies == whole.totals.policies_in == book.compared == out.num_rows == 1712
    assert sum(whole.totals.changes.values()) == 1712
    assert book.offered == round(100 * float(sum(out["offered_premium"].to_pylist())))
    assert book.rising + book.falling == 1712
    assert set(out["release"].to_pylist()) == {release.hash}
    files = sorted(p.name for p in (whole.job.out / "repriced").iterdir())
    assert files == ["part-000000.parquet", "part-000001.parquet", "part-000002.parquet"]
    told = json.loads((whole.job.out / "summary.json").read_text())
    assert told["book"]["policies"] == 1712
    record = json.loads((whole.job.out / "run.json").read_text())
    assert (record["status"], record["rows"], record["release"]) == ("done", 1712, release.hash)
    assert record["arguments"]["chunk_rows"] == 700


def test_steps_lead_to_the_premium_and_reasons_to_the_change(whole: Repriced) -> None:
    out = pq.read_table(whole.job.out / "repriced")
    steps = [name for name in out.schema.names if name.startswith("step_")]
    product = np.prod([out[name].to_numpy() for name in steps], axis=0)
    np.testing.assert_allclose(product, out["offered_premium"].cast("double"), rtol=1e-12)
    for row in out.slice(0, 200).to_pylist():
        for place in (1, 2, 3):
            reason = row[f"reason_{place}"]
            if reason is not None:
                assert (row[f"step_{reason}"] > 1) == (row["change"] > 0), row


def test_the_page_has_both_languages(whole: Repriced) -> None:
    page = (whole.job.out / "dislocation.html").read_text(encoding="utf-8")
    for words in ("The book repriced", "保单组合重新定价", "Why premiums move", "隔离"):
        assert words in page


def test_rows_that_cannot_be_priced_are_quarantined(portfolio: Path, tmp_path: Path) -> None:
    rows = pq.read_table(portfolio).slice(0, 6).to_pylist()
    rows[1]["age"] = None
    rows[2]["age"] = 80.0
    rows[3]["plan"] = "gold"
    rows[4]["sex"], rows[4]["household_size"] = "x", 99.0
    rows[5]["member_id"], rows[5]["expiring_premium"] = None, None
    source = tmp_path / "book.parquet"
    pq.write_table(arrow.Table.from_pylist(rows, pq.read_schema(portfolio)), source)
    totals = run(source, tmp_path / "out", chunk_rows=4).totals
    assert (totals.all.policies, totals.quarantined) == (1, 5)
    assert totals.quarantine == {"age": 2, "member_id": 1, "plan": 1, "sex": 1}
    bad = aside(tmp_path / "out").to_pylist()
    assert [(row["file"], row["row"], row["rows"]) for row in bad] == [
        ("book.parquet", row, 1) for row in range(1, 6)
    ]
    assert [row["policy_id"] for row in bad] == [row["policy_id"] for row in rows[1:]]
    reasons = [row["reason"] for row in bad]
    assert reasons[0] == "age=missing: required: give a number from 0 to 66 years"
    assert reasons[1] == "age=80: give a number from 0 to 66 years"
    assert reasons[2].startswith("plan=gold: known are free_care")
    assert "sex='x': give one of female, male" in reasons[3]
    assert "household_size=99: give a number from 1 to 14 people" in reasons[3]
    assert reasons[4] == "member_id is missing"


def test_odd_but_honest_columns_are_read(portfolio: Path, whole: Repriced, tmp_path: Path) -> None:
    """Dictionary and view texts, decimals, all-null numbers, and columns that are none of ours."""
    book = pq.read_table(portfolio).slice(0, 20)
    odd = book.set_column(2, "plan", book["plan"].dictionary_encode())
    odd = odd.set_column(1, "member_id", book["member_id"].cast(arrow.string_view()))
    money = book["expiring_premium"].cast(arrow.decimal128(12, 2))
    odd = odd.set_column(3, "expiring_premium", money)
    odd = odd.append_column("tags", arrow.array([["a", "b"]] * 20))
    place = odd.schema.names.index("household_income")
    odd = odd.set_column(place, "household_income", arrow.nulls(20))
    pq.write_table(odd, tmp_path / "odd.parquet")
    totals = run(tmp_path / "odd.parquet", tmp_path / "odd").totals
    assert (totals.all.policies, totals.quarantined) == (20, 0)
    changed = [row["expiring_premium"] for row in priced_rows(tmp_path / "odd")]
    assert changed == [row["expiring_premium"] for row in priced_rows(whole.job.out)[:20]]


def test_an_expiring_premium_that_is_no_amount_is_quarantined(
    portfolio: Path, tmp_path: Path
) -> None:
    rows = pq.read_table(portfolio).slice(0, 3).to_pylist()
    rows[0]["expiring_premium"], rows[1]["expiring_premium"] = float("inf"), -1.0
    source = tmp_path / "book.parquet"
    pq.write_table(arrow.Table.from_pylist(rows, pq.read_schema(portfolio)), source)
    assert run(source, tmp_path / "out").totals.quarantined == 2
    bad = aside(tmp_path / "out")["reason"].to_pylist()
    assert bad[0] == "expiring_premium=inf: give 0 or more, or leave it empty"
    doubled = pq.read_table(portfolio)
    pq.write_table(doubled.append_column("age", doubled["age"]), source)
    with pytest.raises(TableError, match="age is there twice"):
        run(source, tmp_path / "out")


def test_an_unknown_expiring_premium_is_not_compared(portfolio: Path, tmp_path: Path) -> None:
    book = pq.read_table(portfolio).drop_columns(["expiring_premium"])
    pq.write_table(book, tmp_path / "book.parquet")
    book = run(tmp_path / "book.parquet", tmp_path / "out").totals.all
    assert (book.policies, book.compared) == (1712, 0)
    out = pq.read_table(tmp_path / "out" / "repriced")
    assert out["change"].null_count == out["expiring_premium"].null_count == 1712
    assert out["reason_1"].null_count == 1712


def test_a_portfolio_that_does_not_fit_stops_before_the_first_row(
    portfolio: Path, tmp_path: Path
) -> None:
    with pytest.raises(TableError, match=r"cannot read the portfolio .*nothing\.parquet"):
        run(tmp_path / "nothing.parquet", tmp_path / "out")
    (tmp_path / "text.parquet").write_text("not parquet")
    with pytest.raises(TableError, match="cannot read the portfolio"):
        run(tmp_path / "text.parquet", tmp_path / "out")
    book = pq.read_table(portfolio).drop_columns(["plan", "age"])
    book = book.set_column(0, "policy_id", arrow.array(range(book.num_rows)))
    book = book.append_column("effective_from", arrow.array(["soon"] * book.num_rows))
    pq.write_table(book, tmp_path / "book.parquet")
    with pytest.raises(TableError) as caught:
        run(tmp_path / "book.parquet", tmp_path / "out")
    for part in (
        "policy_id is int64, not text",
        "plan is missing",
        "age is missing",
        "effective_from is string, no date",
    ):
        assert part in str(caught.value)
    pricing = pricing_of((kept_release("us_aca"),), date(2020, 1, 1))
    with pytest.raises(UnknownNameError, match="no edition for a start on 2020-01-01"):
        reprice(RepriceJob(portfolio, tmp_path / "out", pricing))
    assert not (tmp_path / "out").exists()


def test_a_folder_of_files_is_one_book(portfolio: Path, whole: Repriced, tmp_path: Path) -> None:
    """Partitioned by plan, in row groups of odd sizes; the order is that of the file names."""
    book = pq.read_table(portfolio)
    for plan in sorted(set(book["plan"].to_pylist())):
        folder = tmp_path / "book" / f"plan={plan}"
        folder.mkdir(parents=True)
        of_plan = book.filter(pc.equal(book["plan"], plan)).drop_columns(["plan"])
        pq.write_table(of_plan, folder / "part-0.parquet", row_group_size=113)
    done = run(tmp_path / "book", tmp_path / "out", chunk_rows=500)
    assert len(list((tmp_path / "out" / "repriced").iterdir())) == 4
    assert done.totals.by_plan() == whole.totals.by_plan()
    by_id = {row["policy_id"]: row for row in priced_rows(whole.job.out)}
    assert all(by_id[row["policy_id"]] == row for row in priced_rows(tmp_path / "out"))


def test_damaged_files_are_told_with_the_rows_they_promised(
    portfolio: Path, tmp_path: Path
) -> None:
    book = pq.read_table(portfolio).slice(0, 600)
    folder = tmp_path / "book"
    folder.mkdir()
    for place in range(3):
        pq.write_table(
            book.slice(200 * place, 200), folder / f"{place}.parquet", row_group_size=100,
            compression="none", use_dictionary=False, write_page_checksum=True,
        )  # fmt: skip
    (folder / "3.parquet").write_bytes((folder / "0.parquet").read_bytes()[:-300])
    start = pq.read_metadata(folder / "1.parquet").row_group(1).column(0).data_page_offset
    content = bytearray((folder / "1.parquet").read_bytes())
    content[start + 40 : start + 400] = bytes(360)
    (folder / "1.parquet").write_bytes(content)
    totals = run(folder, tmp_path / "out", chunk_rows=130).totals
    assert (totals.policies_in, totals.all.policies, totals.quarantined) == (600, 500, 100)
    told = [
        (row["file"], row["row"], row["rows"], row["reason"][:8])
        for row in aside(tmp_path / "out").to_pylist()
    ]
    # The second row group of 1.parquet lies in two chunks; 3.parquet has no footer to promise rows.
    assert told == [
        ("1.parquet", 100, 90, "damaged:"),
        ("1.parquet", 190, 10, "damaged:"),
        ("3.parquet", 0, 0, "damaged:"),
    ]


def test_other_releases_stand_beside_and_bounds_hold(tmp_path: Path) -> None:
    market = market_release("us_aca")
    rates = {
        e: {plan: rate * (1.3 if plan == "gold" else 1.0) for plan, rate in of.items()}
        for e, of in market.base_rates.items()
    }
    save_market_release(rebuilt(market, base_rates=rates), tmp_path / "new")
    pq.write_table(book_of(market, 300), tmp_path / "book.parquet")
    folders = (kept_release("us_aca"), tmp_path / "new")
    pricing = pricing_of(folders, AS_OF, RateChange(cap=0.1, collar=0.05))
    job = RepriceJob(tmp_path / "book.parquet", tmp_path / "out", pricing, workers=1)
    done = reprice(job)
    new = pricing.hashes[1][:8]
    for row in priced_rows(tmp_path / "out"):
        more = 1.3 if row["plan"] == "gold" else 1.0
        first, other = float(row["offered_premium"]), float(row[f"offered_premium_{new}"])
        assert other == pytest.approx(more * first, abs=0.011)
        assert row[f"reason_1_{new}"] == ("base_rate" if more > 1 else None)
        expiring, bounded = row["expiring_premium"], float(row["bounded_premium"])
        if expiring is None:
            assert bounded == first
        else:
            wanted = min(max(first, 0.95 * expiring), 1.1 * expiring)
            assert bounded == pytest.approx(wanted, abs=0.0051)
    told = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert list(told["offered_by_other_releases"]) == [pricing.hashes[1]]
    assert told["held_by_bounds"] == done.totals.bound > 0
    with pytest.raises(InputError, match="a release is named twice"):
        pricing_of((folders[0], folders[0]), AS_OF)
    with pytest.raises(InputError, match="the releases are in CNY and USD"):
        reprice(replace(job, pricing=pricing_of((folders[0], kept_release("cn")), AS_OF)))


def test_a_reason_is_what_moved_where_the_expiring_steps_are_known(tmp_path: Path) -> None:
    market = market_release("us_aca")
    pq.write_table(book_of(market, 200), tmp_path / "book.parquet")
    run(tmp_path / "book.parquet", tmp_path / "last", kept_release("us_aca"))
    last = pq.read_table(tmp_path / "last" / "repriced")
    book = pq.read_table(tmp_path / "book.parquet")
    offered = last["offered_premium"].cast("double")
    book = book.set_column(book.schema.names.index("expiring_premium"), "expiring_premium", offered)
    for name in last.schema.names:
        if name.startswith("step_"):
            book = book.append_column(f"expiring_{name}", last[name])
    older = pc.add(book["age"], 5.0)
    older = pc.if_else(pc.less(older, 64.0), older, book["age"])
    pq.write_table(book.set_column(book.schema.names.index("age"), "age", older),
                   tmp_path / "next.parquet")  # fmt: skip
    run(tmp_path / "next.parquet", tmp_path / "next", kept_release("us_aca"))
    out = pq.read_table(tmp_path / "next" / "repriced")
    moved = np.abs(out["change"].to_numpy()) > 0.001
    assert moved.sum() > 100
    # Tobacco begins to count at an age.
    counts = out.filter(arrow.array(moved)).group_by("reason_1").aggregate([([], "count_all")])
    assert dict(zip(*counts.to_pydict().values(), strict=True)).keys() == {"age", "tobacco"}
    assert moved.sum() < 1.1 * pc.sum(pc.equal(out["reason_1"], "age")).as_py()


def test_the_bordereau_adds_up_by_month_and_plan(tmp_path: Path) -> None:
    pq.write_table(book_of(market_release("us_aca"), 400), tmp_path / "book.parquet")
    done = run(tmp_path / "book.parquet", tmp_path / "out", kept_release("us_aca"))
    head, *lines = (tmp_path / "out" / "bordereau.csv").read_text().splitlines()
    assert head.split(",")[:3] == ["month", "plan", "policies"]
    cells = [line.split(",") for line in lines]
    assert sorted({cell[0] for cell in cells}) == [f"2026-{month:02d}" for month in range(1, 13)]
    assert sum(int(cell[2]) for cell in cells) == 400
    place = head.split(",").index("offered")
    assert sum(float(cell[place]) for cell in cells) == pytest.approx(done.totals.all.offered / 100)


def test_a_rehearsal_writes_nothing(portfolio: Path, tmp_path: Path) -> None:
    pricing = pricing_of((KEPT_RELEASE,), AS_OF)
    found = rehearse(RepriceJob(portfolio, tmp_path / "out", pricing, chunk_rows=500))
    assert (found.rows, found.chunks, found.sample.table.num_rows) == (1712, 4, 1712)
    assert found.seconds > 0
    assert not (tmp_path / "out").exists()
