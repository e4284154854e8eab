"""The synthetic insurer: plausible, reproducible, and true to the truth it tells."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as arrow
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from riskengine.errors import InputError
from riskengine.sources.folder import validate
from riskengine.sources.synthetic.assumptions import Setting
from riskengine.sources.synthetic.simulate import simulate
from riskengine.tables import COLUMNS, Tables
from riskengine.vocabulary import Currency
from tests.conftest import PLANS

MARKET = Setting(PLANS, Currency.USD)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("large")
    simulate(10_000, 7, folder, MARKET)
    return {p.stem: pq.read_table(p).to_pandas() for p in folder.glob("*.parquet")}


def test_no_row_breaks_a_contract(insurer: Path, tmp_path: Path) -> None:
    found = validate(str(insurer), tmp_path, date(2026, 12, 31))
    assert [summary.name for summary in found] == list(COLUMNS)
    assert all(summary.quarantined == 0 for summary in found)
    assert found[0].rows_in == 400


def test_equal_seeds_give_equal_bytes_and_others_do_not(insurer: Path, tmp_path: Path) -> None:
    simulate(400, 7, tmp_path / "same", MARKET)
    simulate(400, 8, tmp_path / "other", MARKET)
    for name in (*COLUMNS, "truth"):
        here = (insurer / f"{name}.parquet").read_bytes()
        assert here == (tmp_path / "same" / f"{name}.parquet").read_bytes()
        assert here != (tmp_path / "other" / f"{name}.parquet").read_bytes()


def test_a_member_is_the_same_however_many_there_are(
    synthetic: Tables, large: dict[str, pd.DataFrame]
) -> None:
    for name, table in synthetic.items():
        frame = large[name]
        members = set(synthetic["members"]["member_id"].to_pylist())
        mine = frame[frame["member_id"].isin(members)].reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, table.to_pandas())


def test_it_is_called_synthetic_everywhere(insurer: Path) -> None:
    for path in insurer.glob("*.parquet"):
        assert pq.read_schema(path).metadata[b"riskengine"] == b"synthetic, seed 7"
    text = (insurer / "README.txt").read_text(encoding="utf-8")
    assert "SYNTHETIC" in text
    assert "合成数据" in text
    for name in COLUMNS:
        assert not [c for c in pq.read_schema(insurer / f"{name}.parquet").names if "truth" in c]


def test_spend_follows_the_truth(large: dict[str, pd.DataFrame]) -> None:
    spend = large["claims"].groupby("member_id")["allowed_amount"].sum()
    covered = large["policies"].groupby("member_id")["exposure"].sum()
    truth = large["truth"].set_index("member_id")["truth_expected_annual_spend"]
    a_year = (spend.reindex(covered.index).fillna(0) / covered)[covered > 1]
    decile = pd.qcut(truth[a_year.index], 10, labels=False)
    means = a_year.groupby(decile).mean()
    assert means.corr(truth[a_year.index].groupby(decile).mean()) > 0.98
    assert means.iloc[9] > 10 * means.iloc[0]
    assert 100 < spend.sum() / covered.sum() < 250
    shares = np.sort(a_year)[::-1].cumsum() / a_year.sum()
    assert 0.15 < shares[len(shares) // 100] < 0.45


def test_conditions_begin_before_they_are_coded_and_more_so_with_age(
    large: dict[str, pd.DataFrame],
) -> None:
    truth = large["truth"].set_index("member_id")
    coded = large["diagnoses"][large["diagnoses"]["icd10"].str.startswith("E11")]
    onset = pd.to_datetime(truth.loc[coded["member_id"], "truth_onset_diabetes"])
    assert len(coded) > 500
    assert (onset.to_numpy() <= pd.to_datetime(coded["diagnosed_on"]).to_numpy()).all()
    born = pd.to_datetime(large["members"].set_index("member_id")["birth_date"]).dt.year
    ill = pd.to_datetime(truth["truth_onset_diabetes"]) < "2026-01-01"
    by_age = ill.groupby(pd.cut(born, [1950, 1975, 1995, 2025])).mean()
    assert by_age.is_monotonic_decreasing
    assert by_age.iloc[0] > 0.1


def test_reversals_take_back_no_more_than_was_claimed(large: dict[str, pd.DataFrame]) -> None:
    claims = large["claims"].set_index("claim_id")
    back = claims[claims["reversal_of"].notna()]
    assert len(back) / len(claims) == pytest.approx(0.02, abs=0.003)
    taken = claims.loc[back["reversal_of"]]
    net = taken["allowed_amount"].to_numpy() + back["allowed_amount"].to_numpy()
    assert (net >= 0).all()
    assert np.mean(net == 0) == pytest.approx(2 / 3, abs=0.05)
    assert (back["reported_on"].to_numpy() > taken["reported_on"].to_numpy()).all()


def test_claims_become_known_late(synthetic: Tables) -> None:
    claims = synthetic["claims"]
    late = pc.sum(pc.greater(claims["reported_on"], arrow.scalar(date(2025, 12, 31)))).as_py()
    assert late > 20
    assert pc.max(claims["service_date"]).as_py() <= date(2025, 12, 31)


def test_what_is_chosen_is_held_and_choice_follows_need_and_interest(
    large: dict[str, pd.DataFrame],
) -> None:
    offers, policies = large["offers"], large["policies"]
    chosen = offers[offers["chosen"] == 1]
    year = chosen["offer_id"].str.extract(r"-(\d{4})-")[0]
    held = policies.assign(year=policies["policy_id"].str[-4:])
    joined = held.merge(
        chosen.assign(year=year), left_on=["member_id", "year"], right_on=["member_id", "year"]
    )
    assert len(joined) == len(policies) == len(chosen)
    assert (joined["plan_design"] == joined["plan"]).all()
    truth = large["truth"].set_index("member_id")["truth_expected_annual_spend"]
    need = truth.loc[policies["member_id"]].groupby(policies["plan_design"].to_numpy()).mean()
    assert need["free_care"] > 1.5 * need["catastrophic"]
    views = large["events"].query("kind == 'page_view'")
    seen = views.groupby(["member_id", "plan"]).size().rename("views").reset_index()
    first = chosen[year == "2023"].merge(seen, on=["member_id", "plan"], how="left")
    plain = offers[(offers["chosen"] == 0) & offers["offer_id"].str.contains("-2023-")]
    other = plain.merge(seen, on=["member_id", "plan"], how="left")
    assert first["views"].fillna(0).mean() > 1.3 * other["views"].fillna(0).mean()


@pytest.mark.parametrize(("members", "seed", "plans"), [(0, 1, PLANS), (5, -1, PLANS), (5, 1, ())])
def test_what_cannot_be_drawn_is_refused(
    members: int, seed: int, plans: tuple[object, ...], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=f"members={members}, seed={seed}, {len(plans)} plans"):
        simulate(members, seed, tmp_path, Setting(plans, Currency.USD))  # type: ignore[arg-type]
