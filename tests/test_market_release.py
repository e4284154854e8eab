"""The release of a market: kept, read, refused; learnt from tables."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from riskengine.errors import InputError, ReleaseError, SpecError, TableError
from riskengine.market_release import (
    MarketRelease,
    build_market_release,
    load_market_release,
    perils_of,
    save_market_release,
)
from riskengine.market_training import Experience, learn_market, market_experience, read_market
from riskengine.pricing.perils import Incidence
from riskengine.pricing.trend import ReportedCost, develop
from riskengine.products.benefit import Peril
from riskengine.products.load import shipped
from riskengine.release import load_release
from riskengine.risk.spec import ModelPurpose
from tests.golden.market_releases import (
    MARKETS,
    kept_release,
    market_release,
    quick_spec,
    synthetic_tables,
)


def rebuilt(release: MarketRelease, **changes: object) -> MarketRelease:
    own = {question.name for model in release.models.values() for question in release.questions
           if question.name in model.spec.features.names}  # fmt: skip
    parts = {
        "market": release.market,
        "models": release.models,
        "underwriting": release.underwriting,
        "base_rates": release.base_rates,
        "questions": tuple(q for q in release.questions if q.name not in own),
        "recommendation_policy": release.recommendation_policy,
        **changes,
    }
    return build_market_release(**parts)  # type: ignore[arg-type]


@pytest.mark.parametrize("market", MARKETS)
def test_a_release_comes_back_as_it_was(market: str, tmp_path: Path) -> None:
    first = rebuilt(market_release(market))
    save_market_release(first, tmp_path)
    again = load_market_release(tmp_path)
    assert again.hash == first.hash
    assert again.questions == first.questions
    assert again.market.editions == first.market.editions
    assert again.base_rates == first.base_rates
    assert again.recommendation_policy == first.recommendation_policy is not None


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    save_market_release(rebuilt(market_release("us_aca")), tmp_path)
    path = tmp_path / "base_rates.json"
    path.write_text(path.read_text(encoding="utf-8").replace("1", "2", 1), encoding="utf-8")
    with pytest.raises(ReleaseError, match=r"base_rates.json is missing or was changed"):
        load_market_release(tmp_path)


def test_releases_of_two_kinds_are_not_confused() -> None:
    with pytest.raises(ReleaseError, match="is a release of a market"):
        load_release(kept_release("cn"))
    with pytest.raises(ReleaseError, match="is a study release"):
        load_market_release(kept_release("cn").parent / "release-0.1.0")


def test_parts_that_do_not_fit_are_refused() -> None:
    cn = market_release("cn")
    without = {p: m for p, m in cn.models.items() if p is not Peril.CANCER}
    with pytest.raises(SpecError, match="insures cancer, but there is no mean model"):
        rebuilt(cn, models=without)
    rates = {edition: dict(rates) for edition, rates in cn.base_rates.items()}
    del rates["cn-2026"]["accident_100k"]
    with pytest.raises(SpecError, match="edition cn-2026 has no base rate of accident_100k"):
        rebuilt(cn, base_rates=rates)
    model = cn.models[Peril.CANCER]
    section = model.spec.model.model_copy(update={"purpose": ModelPurpose.RECOMMENDATION})
    other = replace(model, spec=model.spec.model_copy(update={"model": section}))
    with pytest.raises(SpecError, match="train it with purpose"):
        rebuilt(cn, models={**cn.models, Peril.CANCER: other})


def test_the_hash_moves_with_every_part() -> None:
    us = market_release("us_aca")
    rates = {e: {p: 2 * v for p, v in rates.items()} for e, rates in us.base_rates.items()}
    day = us.market.experience_middle.replace(day=1)
    hashes = {
        rebuilt(us).hash,
        rebuilt(us, base_rates=rates).hash,
        rebuilt(us, market=replace(us.market, experience_middle=day)).hash,
    }
    assert len(hashes) == 3


def test_a_market_is_learnt_from_tables(tmp_path: Path) -> None:
    tables = synthetic_tables("us_aca", 500, tmp_path)
    files = read_market(shipped("us_aca"))
    first, again = (learn_market(tables, quick_spec(), files, most_years=60) for _ in range(2))
    assert first.release.hash == again.release.hash
    model = first.release.models[Peril.MEDICAL_SPEND]
    assert model.trained is not None
    spend = market_experience(tables, quick_spec(), files).outcomes[Peril.MEDICAL_SPEND]
    expected = model.trained.expected @ model.trained.weight
    assert expected == pytest.approx(spend.sum(), rel=1e-9)
    assert {"age", "sex", "tobacco", "body_mass_index"} <= first.release.inputs.keys()
    rates = first.release.base_rates["us_aca-2026"]
    assert rates["bronze"] < rates["silver"] < rates["gold"] < rates["platinum"]


def test_claims_still_to_come_are_in_what_a_market_learns_once(tmp_path: Path) -> None:
    tables = synthetic_tables("us_aca", 2_000, tmp_path)
    files = read_market(shipped("us_aca"))
    cut = max(tables["policies"]["end_date"].to_pylist())
    claims = tables["claims"].filter(pc.less_equal(tables["claims"]["reported_on"], cut))
    whole, part = (
        market_experience({**tables, "claims": one}, quick_spec(), files)
        for one in (tables["claims"], claims)
    )
    newest = part.share_known < 0.99
    assert 0.02 < newest.mean() < 0.9
    assert whole.share_known.min() > part.share_known.min()

    def total(of: Experience, rows: np.ndarray) -> float:
        return float(of.outcomes[Peril.MEDICAL_SPEND][rows].sum())

    reported = float((part.outcomes[Peril.MEDICAL_SPEND] * part.share_known)[newest].sum())
    assert reported < 0.97 * total(whole, newest)
    assert total(part, newest) == pytest.approx(total(whole, newest), rel=0.03)
    assert total(part, ~newest) == pytest.approx(total(whole, ~newest), rel=0.003)
    with pytest.raises(InputError, match="development and trend apply once each"):
        develop(develop(ReportedCost(np.ones(1)), 0.9), 0.9)  # type: ignore[arg-type]


def test_events_of_members_just_come_are_no_experience(tmp_path: Path) -> None:
    tables = synthetic_tables("cn", 400, tmp_path)
    experience = market_experience(tables, quick_spec(), read_market(shipped("cn")))
    cancer = experience.outcomes[Peril.CANCER]
    start = experience.rows["start_date"].to_numpy()
    member = experience.rows["member_id"].to_numpy(zero_copy_only=False)
    first = {m: start[member == m].min() for m in set(member)}
    for row in range(0, len(cancer), 7):
        known = (start[row] - first[member[row]]).astype(int) >= 365
        assert known == (cancer[row] == cancer[row])
    assert (experience.outcomes[Peril.ACCIDENT] >= 0).all()


def test_tables_without_diagnoses_teach_no_events(tmp_path: Path) -> None:
    tables = synthetic_tables("cn", 50, tmp_path)
    del tables["diagnoses"]
    with pytest.raises(TableError, match="recognised by diagnoses, and the tables have none"):
        market_experience(tables, quick_spec(), read_market(shipped("cn")))


def test_the_perils_of_a_catalogue_in_their_order() -> None:
    assert perils_of(market_release("us_aca").catalogue) == (Peril.MEDICAL_SPEND,)
    cn = market_release("cn")
    assert set(perils_of(cn.catalogue)) == set(cn.models)
    assert isinstance(cn.market.perils[Peril.CANCER], Incidence)
