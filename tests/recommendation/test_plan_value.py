"""Worth from the models that price: expectations are the price's own, and order is kept."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from riskengine.errors import SpecError, UnknownNameError
from riskengine.pricing.market import price_plans
from riskengine.pricing.offered import Terms
from riskengine.pricing.perils import Incidence
from riskengine.pricing.utilisation import InducedUtilisation
from riskengine.products.benefit import HospitalCash, LumpSum, MedicalBenefit, Peril, Stage
from riskengine.recommendation.plan_value import PlanValue, benefit_years, value_plans
from riskengine.risk.continuance import Continuance
from tests.pricing.test_catalogue_prices import RICHER
from tests.recommendation.cases import choices, insured, kept, opened, rates

MARKETS = pytest.mark.parametrize("market", ["cn", "us_aca"])


def values(
    market: str, risk: float = 1.0, size: int = 1, use: InducedUtilisation | None = None
) -> dict[str, PlanValue]:
    book, who = opened(market), insured(market, risk, size)
    book = replace(book, utilisation=use) if use else book
    prices = price_plans(book, who, rates(market), dict.fromkeys(book.catalogue.names, Terms()))
    priced = {n: (p, float(p.offered.offered_cents.sum()) / 100) for n, p in prices.items()}
    found = value_plans(book, kept(market).perils, who.means, priced, choices(market))
    for name, price in prices.items():
        paid = sum(float(one.steps[-1].running.sum()) for one in price.benefits)
        assert found[name].expected_plan_paid == pytest.approx(paid, rel=2e-4), name
    return found


@MARKETS
@pytest.mark.parametrize("risk", [0.1, 0.4, 1.0, 3.0])
def test_expected_payments_are_those_of_the_price_and_richer_variants_are_worth_more(
    market: str, risk: float
) -> None:
    found = values(market, risk)
    for variants in RICHER[market]:
        for lean, rich in pairwise(found[name] for name in variants):
            assert lean.worth <= rich.worth + 1e-6
            assert lean.certainty_equivalent_without == rich.certainty_equivalent_without
            assert lean.expected_plan_paid <= rich.expected_plan_paid + 1e-6
            assert lean.premium <= rich.premium


@MARKETS
@pytest.mark.parametrize("risk", [0.4, 1.0, 3.0])
def test_for_the_same_care_no_plan_makes_a_bad_year_worse(market: str, risk: float) -> None:
    same_care = InducedUtilisation((0.5, 1.0), (1.0, 1.0))
    for name, found in values(market, risk, use=same_care).items():
        assert found.bad_year_with <= found.bad_year_without + 1e-6, name


def test_a_lean_plan_can_make_a_bad_year_worse_only_by_more_care() -> None:
    found = values("cn")["million_medical_20k"]
    assert found.bad_year_with > found.bad_year_without
    assert found.tail_mean_with < found.tail_mean_without, "it helps where years are dearest"


@MARKETS
def test_every_plan_with_a_maximum_tells_the_chance_of_it(market: str) -> None:
    for name, found in values(market).items():
        benefits = opened(market).catalogue.plan(name).benefits.values()
        has = any(getattr(one, "out_of_pocket_maximum", None) is not None for one in benefits)
        assert (found.chance_of_maximum is not None) == has, name
        assert found.chance_of_maximum is None or 0 <= found.chance_of_maximum <= 1


def test_a_household_is_worth_the_sum_of_expectations_and_pools_its_risk() -> None:
    one, three = values("us_aca")["gold"], values("us_aca", size=3)["gold"]
    assert three.expected_plan_paid == pytest.approx(3 * one.expected_plan_paid, rel=1e-9)
    assert three.expected_out_of_pocket == pytest.approx(3 * one.expected_out_of_pocket, rel=1e-9)
    assert three.certainty_equivalent_with < 3 * one.certainty_equivalent_with
    assert three.tail_mean_with < 3 * one.tail_mean_with
    assert one.chance_of_maximum is not None
    assert three.chance_of_maximum == pytest.approx(1 - (1 - one.chance_of_maximum) ** 3)


def test_shares_of_all_spend_are_valued_on_a_continuance_by_hand() -> None:
    """Half of all years cost 0, half 200 on a mean of 100; the plan pays what is above 50."""
    even = Continuance(np.ones(1), np.array([0.0, 1.0, 2.0]), np.array([[0.0, 0.5, 1.0]]))
    benefit = MedicalBenefit(deductible=50.0, out_of_pocket_maximum=50.0)
    years = benefit_years(benefit, even, (100.0, 1.0), 1.0, choices())
    assert years.cost.tolist() == [100, 200]
    assert years.chance.tolist() == [0.0, 0.5]
    assert years.paid.tolist() == [50, 150]


def test_events_pay_by_stage_and_lose_what_the_policy_says() -> None:
    benefit = LumpSum(
        kind="critical_illness",
        peril=Peril.CANCER,
        sum_insured=100.0,
        stages=(Stage(stage="invasive", share=1.0),),
    )
    model = Incidence({"invasive": 1.0})
    year = benefit_years(benefit, model, (0.1, 1.0), 1.0, choices())
    assert year.chance @ year.paid == pytest.approx(100 * (1 - np.exp(-0.1)), rel=1e-12)
    assert year.chance @ year.cost == pytest.approx(300_000 * (1 - np.exp(-0.1)), rel=1e-12)
    waiting = benefit_years(benefit, model, (0.1, 1.0), 0.75, choices())
    assert waiting.chance @ waiting.paid == pytest.approx(100 * (1 - np.exp(-0.075)), rel=1e-12)
    assert waiting.chance.sum() == pytest.approx(1)
    assert waiting.cost.max() == 600_000, "one event paid for and one in the waiting period"
    with pytest.raises(UnknownNameError, match=r"no losses\.cancer\.total: add it"):
        choices().loss(Peril.CANCER, "total")


def test_days_in_hospital_keep_their_expectation_where_stays_are_frequent() -> None:
    benefit = HospitalCash(kind="hospital_cash", amount_per_day=100.0)
    model = kept("cn").perils[Peril.HOSPITAL_DAYS]
    for days in (0.5, 40.0):
        year = benefit_years(benefit, model, (days, 1.0), 1.0, choices())
        assert year.chance.sum() <= 1 + 1e-12
        assert year.chance @ year.paid == pytest.approx(100 * days, rel=1e-9)
        assert year.chance @ year.cost == pytest.approx(300 * days, rel=1e-9)
    with pytest.raises(SpecError, match="hospital_cash cannot be shown on a Incidence"):
        benefit_years(benefit, Incidence({"a": 1.0}), (1.0, 1.0), 1.0, choices())


def test_a_variant_that_pays_no_more_and_costs_as_much_is_dominated() -> None:
    book, who = opened("cn"), insured("cn")
    names = ["hospital_cash_100", "hospital_cash_200", "surgery_10k"]
    prices = price_plans(book, who, rates("cn"), dict.fromkeys(names, Terms()))
    perils = kept("cn").perils

    def dominated(*premiums: float) -> list[str | None]:
        priced = {n: (prices[n], p) for n, p in zip(names, premiums, strict=True)}
        found = value_plans(book, perils, who.means, priced, choices())
        return [found[name].dominated_by for name in names]

    assert dominated(100, 200, 1) == [None, None, None]
    assert dominated(200, 200, 1) == ["hospital_cash_200", None, None]
    assert dominated(300, 200, 1) == ["hospital_cash_200", None, None]


def test_a_simulation_agrees_on_every_number() -> None:
    """Draws of a year under the gold plan, by hand from the years kept."""
    found = values("us_aca")["gold"]
    book, rng = opened("us_aca"), np.random.default_rng(1)
    benefit = book.catalogue.plan("gold").benefits["care"]
    level = (float(insured("us_aca").means[Peril.MEDICAL_SPEND][0]),
             book.table.trend[Peril.MEDICAL_SPEND])  # fmt: skip
    model = kept("us_aca").perils[Peril.MEDICAL_SPEND]
    year = benefit_years(benefit, model, level, 1.0, choices("us_aca"))
    chance = np.append(year.chance, 1 - year.chance.sum())
    value = year.chance @ year.paid / (year.chance @ year.cost)
    use = float(book.utilisation.factor(np.array([value]))[0])
    own = np.append(year.cost - year.paid, 0.0)
    drawn = own[rng.choice(len(own), 400_000, p=chance)] * (rng.random(400_000) < use)
    assert drawn.mean() == pytest.approx(found.expected_out_of_pocket, rel=0.01)
    low, high = np.quantile(drawn, [0.895, 0.905], method="inverted_cdf")
    assert low <= found.bad_year_with <= high
    assert np.sort(drawn)[-40_000:].mean() == pytest.approx(found.tail_mean_with, rel=0.01)
    assert (drawn >= 6000 - 1e-6).mean() == pytest.approx(found.chance_of_maximum, abs=0.002)
