"""Priced cases of the rate books that a product person can read (`tests/scenarios/rate_book`).

A case names `market` and `start`, then says one of these and what must come out of it:

    member, tariff, base_rate (and terms)    steps: the running amount after each named step
    household, tariff, base_rate             household_premium
    expected_plan_paid, pooling_charge       steps
    experience (first and last day)          trend_factor, for a cover of twelve months
    tier, actuarial_value                    allowed
    answers                                  outcome, and loading, reasons, missing if any

or `refused`: words of the error that must come instead.
"""

from datetime import date
from typing import Any, TypeAlias

import numpy as np
import pytest
import yaml

from riskengine.errors import RiskEngineError
from riskengine.pricing.filed import filed_premium
from riskengine.pricing.household import family_discount, household_premiums
from riskengine.pricing.offered import (
    OfferedPremium,
    Terms,
    edition_loadings,
    offered_premium,
    technical_premium,
)
from riskengine.pricing.trend import CoverCost, cover_end, middle, trend_factor
from riskengine.products.rate_book_edition import Edition, FamilyDiscount, tier_fault
from riskengine.products.rate_book_read import read_editions, read_underwriting
from riskengine.products.underwriting import underwrite
from riskengine.vocabulary import Columns
from tests.conftest import CATALOGUE, ROOT

Case: TypeAlias = dict[str, Any]
CASES: list[Case] = [
    case
    for path in sorted((ROOT / "tests" / "scenarios" / "rate_book").glob("*.yaml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))
]
EDITIONS = {market: read_editions(CATALOGUE / market) for market in ("cn", "us_aca")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_rate_book_scenario(case: Case) -> None:
    if "refused" in case:
        with pytest.raises(RiskEngineError) as caught:
            check(case)
        assert case["refused"] in str(caught.value)
    else:
        check(case)


def test_there_are_cases_enough_for_each_market() -> None:
    markets = [case["market"] for case in CASES]
    assert markets.count("cn") >= 20
    assert markets.count("us_aca") >= 20


def check(case: Case) -> None:
    edition = EDITIONS[case["market"]].on(case["start"])
    if "member" in case:
        check_steps(case, offered(edition, case, [case["member"]], terms_of(case)).steps)
    elif "household" in case:
        check_household(edition, case)
    elif "expected_plan_paid" in case:
        paid = CoverCost(np.array([float(case["expected_plan_paid"])]))
        loadings = edition_loadings(edition, 1.0)
        check_steps(case, technical_premium(paid, float(case["pooling_charge"]), loadings))
    elif "experience" in case:
        start: date = case["start"]
        cover = middle(start, cover_end(edition, start, 12))
        found = trend_factor(edition, middle(**case["experience"]), cover)
        assert found == pytest.approx(case["trend_factor"], abs=1e-6)
    elif "tier" in case:
        assert (tier_fault(edition, case["tier"], case["actuarial_value"]) is None) is case[
            "allowed"
        ]
    else:
        check_underwriting(edition, case)


def check_steps(case: Case, steps: Any) -> None:
    running = {step.name: float(step.running[0]) for step in steps}
    for name, amount in case["steps"].items():
        assert running[name] == pytest.approx(amount, abs=1e-6), name


def check_household(edition: Edition, case: Case) -> None:
    members = case["household"]
    household = np.zeros(len(members))
    discounts = {}
    if isinstance(edition.household, FamilyDiscount):
        discounts["family"] = family_discount(edition, household)
    found = offered(edition, case, members, Terms(discounts=discounts))
    age = np.array([float(member["age"]) for member in members])
    _, cents = household_premiums(edition, household, age, found.offered_cents)
    assert cents[0] / 100 == case["household_premium"]


def check_underwriting(edition: Edition, case: Case) -> None:
    rules = read_underwriting(CATALOGUE / case["market"], EDITIONS[case["market"]])
    most = 0.0 if edition.underwriting_loading is None else edition.underwriting_loading.value
    answers = {name: np.array([value], dtype=object) for name, value in case["answers"].items()}
    decision = underwrite(rules, answers, 1, most).of(0)
    assert decision.outcome == case["outcome"]
    assert decision.loading == pytest.approx(case.get("loading", 0.0))
    assert decision.missing == tuple(case.get("missing", ()))
    assert [name for name, _ in decision.reasons] == case.get("reasons", [])


def offered(edition: Edition, case: Case, members: list[Case], terms: Terms) -> OfferedPremium:
    columns: Columns = {
        name: np.array(
            [member[name] for member in members], dtype=float if name == "age" else object
        )
        for name in members[0]
    }
    filed = filed_premium(float(case["base_rate"]), edition.tariff(case["tariff"]), columns)
    return offered_premium(edition, filed, terms)


def terms_of(case: Case) -> Terms:
    given = case.get("terms", {})
    return Terms(
        discounts={n: np.array([share]) for n, share in given.get("discounts", {}).items()},
        payments=given.get("payments", 1),
        **{
            name: np.array([float(given[name])])
            for name in ("underwriting_loading", "seller_discretion", "expiring_premium")
            if name in given
        },
    )
