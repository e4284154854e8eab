"""Every shipped plan of many perils priced for members, richer variants never below leaner ones."""

from itertools import pairwise

import numpy as np
import pytest
from benchmarks.pricing_data import simulated_years

from riskengine.pricing.benefit_table import BenefitTable, tabulate
from riskengine.pricing.perils import PerilModel
from riskengine.products.benefit import Peril
from riskengine.products.load import read_catalogue, shipped
from riskengine.vocabulary import FloatArray
from tests.golden.markets import MEANS, simulated_perils

SPREAD = np.array([0.2, 0.5, 1.0, 2.0, 5.0])
RICHER = {
    "cn": [
        ["million_medical_20k", "million_medical_10k", "million_medical_5k"],
        ["city_supplement_basic", "city_supplement_plus"],
        ["outpatient_5k", "outpatient_20k"],
        ["hospital_cash_100", "hospital_cash_200", "hospital_cash_300"],
        ["surgery_10k", "surgery_30k"],
        ["critical_illness_100k", "critical_illness_300k", "critical_illness_500k"],
        ["cancer_100k", "cancer_200k"],
        ["accident_100k", "accident_300k", "accident_500k"],
    ],
    "us_aca": [["bronze", "silver", "gold", "platinum"]],
}


@pytest.fixture(scope="module")
def perils() -> dict[Peril, PerilModel]:
    """Synthetic experience at the level of `MEANS`: shapes of care by service, stays and events."""
    return simulated_perils(bands=5, most_rows=2000, of_stays=20_000)


def expected(table: BenefitTable, plan: str) -> FloatArray:
    return table.expected(plan, table.place({p: MEANS[p] * SPREAD for p in table.grids}))


@pytest.mark.parametrize("market", RICHER)
def test_all_plans_of_a_market_are_priced_and_richer_ones_cost_no_less(
    perils: dict[Peril, PerilModel], market: str
) -> None:
    plans = read_catalogue(shipped(market)).plans
    first = tabulate(plans, perils, dict.fromkeys(Peril, 1.0))
    renewal = tabulate(plans, perils, dict.fromkeys(Peril, 1.0), renewal=True)
    dearer = tabulate(plans, perils, dict.fromkeys(Peril, 1.05))
    for plan in plans:
        paid = expected(first, plan.plan)
        assert (np.diff(paid) > 0).all(), plan.plan
        assert (expected(renewal, plan.plan) >= paid).all(), plan.plan
        assert (expected(dearer, plan.plan) > paid).all(), plan.plan
    for variants in RICHER[market]:
        for lean, rich in pairwise(variants):
            assert (expected(first, lean) <= expected(first, rich)).all(), (lean, rich)


def test_metal_tiers_have_the_actuarial_values_of_their_names(
    perils: dict[Peril, PerilModel],
) -> None:
    """On synthetic years of 6,500 dollars on average, weighed by cost over a spread of risks."""
    table = tabulate(read_catalogue(shipped("us_aca")).plans, perils, {Peril.MEDICAL_SPEND: 1.0})
    years, _ = simulated_years(range(2))
    mean = MEANS[Peril.MEDICAL_SPEND] * years.mean / years.mean.mean()
    places = table.place({Peril.MEDICAL_SPEND: mean})
    values = {plan: table.expected(plan, places).sum() / mean.sum() for plan in table.curves}
    expected_values = {"bronze": 0.6, "silver": 0.7, "gold": 0.8, "platinum": 0.9}
    assert values == pytest.approx(expected_values, abs=0.02)
