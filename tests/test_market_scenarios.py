"""Priced cases of the whole path of a market (`tests/scenarios/market`), for a product person.

A case names `market`, `start`, `plan`, its `base_rate` and `members`, each with answers and, under
`means`, what a year is expected to bring before trend. It may say `renewal: true`, `payments`,
`expiring_premium`, or `answers` to underwriting questions, whose loading then applies. It expects

    benefits     of each benefit, the running amount of the first member after each named step
    technical    the same from the expected payment to the technical premium
    offered      the same from the base rate to the offered premium
    household_premium    what the members pay together

or `refused`: words of the error that must come instead.
"""

from dataclasses import replace
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import pytest
import yaml

from riskengine.errors import RiskEngineError
from riskengine.pricing.household import household_premiums
from riskengine.pricing.market import (
    Insured,
    OpenMarket,
    PlanPrice,
    household_terms,
    open_market,
    price_plans,
)
from riskengine.pricing.offered import Terms
from riskengine.pricing.premium import Step
from riskengine.products.benefit import Peril
from riskengine.products.load import shipped
from riskengine.products.rate_book_read import read_underwriting
from riskengine.products.underwriting import underwrite
from tests.conftest import ROOT
from tests.golden.markets import columns_of, kept_market

Case: TypeAlias = dict[str, Any]
FOLDER = ROOT / "tests" / "scenarios"
CASES: list[Case] = [
    case
    for path in sorted((FOLDER / "market").glob("*.yaml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_market_scenario(case: Case) -> None:
    if "refused" in case:
        with pytest.raises(RiskEngineError) as caught:
            priced(case)
        assert case["refused"] in str(caught.value)
        return
    market, price = priced(case)
    told = {one.benefit: one.steps for one in price.benefits}
    for benefit, steps in case.get("benefits", {}).items():
        check(told[benefit], steps)
    check(price.technical, case.get("technical", {}))
    check(price.offered.steps, case.get("offered", {}))
    if "household_premium" in case:
        age = columns_of(case["members"])["age"]
        cents = household_premiums(
            market.edition, np.zeros(len(age)), age, price.offered.offered_cents
        )[1]
        assert cents.tolist() == [round(100 * case["household_premium"])]


def test_there_are_forty_priced_cases_and_twenty_of_the_whole_path() -> None:
    others = [
        case
        for path in FOLDER.rglob("*.yaml")
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]
    ends = {"offered", "household_premium", "steps"}
    assert len([case for case in others if ends & case.keys()]) >= 40
    assert len([case for case in CASES if ends & case.keys()]) >= 20
    assert {case["market"] for case in CASES} == {"cn", "us_aca"}


@cache
def opened(name: str, plan: str, start: Any, renewal: bool) -> OpenMarket:
    """The market with the one plan, so that a case gives the means of its perils alone."""
    market = kept_market(name)
    one = market.catalogue.model_copy(update={"plans": (market.catalogue.plan(plan),)})
    return open_market(replace(market, catalogue=one), start, renewal=renewal)


def priced(case: Case) -> tuple[OpenMarket, PlanPrice]:
    name, plan = case["market"], case["plan"]
    market = opened(name, plan, case["start"], case.get("renewal", False))
    members = case["members"]
    answers = [{k: v for k, v in one.items() if k != "means"} for one in members]
    means = {
        Peril(peril): np.array([float(one["means"][peril]) for one in members])
        for peril in members[0]["means"]
    }
    household = np.zeros(len(members))
    terms = household_terms(market.edition, household, terms_of(market, case, len(members)))
    insured = Insured(columns_of(answers), means)
    rates = {plan: float(case["base_rate"])}
    return market, price_plans(market, insured, rates, {plan: terms})[plan]


def terms_of(market: OpenMarket, case: Case, size: int) -> Terms:
    loading = None
    if "answers" in case:
        rules = read_underwriting(shipped(case["market"]), kept_market(case["market"]).editions)
        most = market.edition.underwriting_loading
        given = {n: np.full(size, value, dtype=object) for n, value in case["answers"].items()}
        loading = underwrite(rules, given, size, 0.0 if most is None else most.value).loading
    expiring = case.get("expiring_premium")
    return Terms(
        underwriting_loading=loading,
        expiring_premium=None if expiring is None else np.full(size, float(expiring)),
        payments=case.get("payments", 1),
    )


def check(steps: tuple[Step, ...], expected: dict[str, float]) -> None:
    running = {step.name: float(step.running[0]) for step in steps}
    for name, amount in expected.items():
        assert running[name] == pytest.approx(amount, abs=0.005 if amount >= 5 else 1e-5), name
