"""The impact command's work: a book under two releases of a market, and its report."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from riskengine.batch.impact import Assumptions, Impact, impact_of
from riskengine.cli.app import app
from riskengine.errors import TableError
from riskengine.market_release import MarketRelease, save_market_release
from riskengine.pricing.impact import RateChange
from riskengine.release import Release
from tests.golden.market_releases import kept_release, market_release
from tests.test_market_release import rebuilt

AS_OF = date(2026, 7, 1)
SIZE = 120


def portfolio(folder: Path) -> Path:
    """Members of all ages and areas on the four tiers; row 5 has no age."""
    row = np.arange(SIZE)
    age = 1 + 60 * row / SIZE
    age[5] = np.nan
    text = arrow.string()
    us = market_release("us_aca")
    cells: dict[str, arrow.Array] = {
        "policy_id": arrow.array([f"p{n}" for n in row]),
        "member_id": arrow.array([f"m{n}" for n in row]),
        "plan": arrow.array([us.catalogue.names[n % 4] for n in row]),
    }
    levels = {
        "sex": ("female", "male"),
        "tobacco": ("no", "no", "yes"),
        "rating_area": ("area_1", "area_2", "area_3"),
        "self_rated_health": ("good", "poor"),
    }
    for question in us.questions:
        if question.name in levels:
            known = levels[question.name]
            values = [known[(n // 4) % len(known)] for n in row]
            cells[question.name] = arrow.array(values, text)
        else:
            cells[question.name] = arrow.nulls(SIZE, arrow.float64())
    cells["age"] = arrow.array(age, arrow.float64(), from_pandas=True)
    path = folder / "portfolio.parquet"
    pq.write_table(arrow.table(cells), path)
    return path


def dearer() -> MarketRelease:
    """The kept release with gold at 1.3 times and bronze at 0.9 times its base rate."""
    us = market_release("us_aca")
    factor = {"gold": 1.3, "bronze": 0.9}
    rates = {
        e: {plan: rate * factor.get(plan, 1.0) for plan, rate in rates.items()}
        for e, rates in us.base_rates.items()
    }
    return rebuilt(us, base_rates=rates)


@pytest.fixture(scope="module")
def impact(tmp_path_factory: pytest.TempPathFactory) -> Impact:
    folder = tmp_path_factory.mktemp("impact")
    assumptions = Assumptions(AS_OF, RateChange(cap=0.2), -0.5)
    return impact_of(portfolio(folder), market_release("us_aca"), dearer(), assumptions)


def test_rows_reconcile_and_the_bad_one_says_why(impact: Impact) -> None:
    assert impact.policies.num_rows == SIZE - 1
    assert impact.quarantined["policy_id"].to_pylist() == ["p5"]
    assert "age=missing: required" in impact.quarantined["reason"][0].as_py()


def test_changes_are_those_that_were_made_with_their_reason(impact: Impact) -> None:
    table = impact.table.to_pandas()
    change = table.groupby("plan")["change"].mean()
    assert change["gold"] == pytest.approx(0.3, abs=1e-5)
    assert change["bronze"] == pytest.approx(-0.1, abs=1e-5)
    assert (table.loc[table["plan"] == "silver", "change"] == 0).all()
    moved = table[table["change"] != 0]
    assert set(moved["reason_1"]) == {"base_rate"}
    assert moved["reason_2"].isna().all()


def test_the_cap_binds_and_demand_leaves(impact: Impact) -> None:
    table = impact.table.to_pandas()
    gold = table[table["plan"] == "gold"]
    np.testing.assert_allclose(gold["bounded_premium"], 1.2 * gold["old_premium"])
    told = impact.summary()
    assert told["bounded"] == len(gold)
    volume = (len(gold) * 1.2**-0.5) + (table["plan"] == "bronze").sum() * 0.9**-0.5
    kept = table["plan"].isin(["silver", "platinum"]).sum()
    assert impact.totals["demanded"].volume == pytest.approx(volume + kept, rel=1e-4)


def test_rules_move_premium_between_groups_but_keep_the_total(impact: Impact) -> None:
    costs = next(iter(impact.rules.values()))
    assert [cost.rule for cost in costs] == [
        "permitted_factors", "maximum_ratios", "filed_relativities"
    ]  # fmt: skip
    for cost in costs:
        for name in ("sex", "tobacco"):
            groups = [group for group in cost.groups if group.group == name]
            paid = sum(group.exposure * group.subsidy for group in groups)
            assert paid == pytest.approx(0, abs=1e-3 * sum(g.exposure * g.before for g in groups))


def test_everything_is_written(impact: Impact, tmp_path: Path) -> None:
    written = {path.name for path in impact.write(tmp_path)}
    assert written == {
        "impact.html", "impact.json", "impact.parquet", "impact_segments.parquet",
        "quarantine.parquet",
    }  # fmt: skip
    page = (tmp_path / "impact.html").read_text(encoding="utf-8")
    for words in (
        "Impact of the new prices",
        "调价影响",
        "What the rules cost",
        "self rated health",
    ):
        assert words in page
    assert pq.read_table(tmp_path / "impact.parquet").num_rows == SIZE - 1


def test_a_book_that_cannot_be_compared_is_refused(release: Release, tmp_path: Path) -> None:
    path = portfolio(tmp_path)
    us = market_release("us_aca")
    pq.write_table(pq.read_table(path).drop_columns(["tobacco", "plan"]), path)
    with pytest.raises(TableError, match=r"plan is missing; .*tobacco is missing"):
        impact_of(path, us, us, Assumptions(AS_OF))
    with pytest.raises(TableError, match="USD and CNY: compare two of one market"):
        impact_of(path, release, market_release("cn"), Assumptions(AS_OF))


def test_the_command_compares_two_folders(tmp_path: Path) -> None:
    new = tmp_path / "new"
    save_market_release(dearer(), new)
    result = CliRunner().invoke(
        app,
        [
            "impact", "--portfolio", str(portfolio(tmp_path)), "--old", str(kept_release("us_aca")),
            "--new", str(new), "--as-of", "2026-07-01", "--out", str(tmp_path / "out"),
        ],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "119 policies priced, 1 quarantined" in result.output.replace("\n", " ")
    assert (tmp_path / "out" / "impact.html").is_file()


def test_equal_releases_move_nothing(tmp_path: Path) -> None:
    us = market_release("us_aca")
    found = impact_of(portfolio(tmp_path), us, replace(us), Assumptions(AS_OF))
    assert found.reasons.empty
    assert (found.segments["change"] == 0).all()
    assert found.write(tmp_path / "out")
