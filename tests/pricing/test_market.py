"""The whole path of the shipped markets, from the means of perils to the offered premium."""

import json
from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.errors import AnswerError, UnknownNameError
from riskengine.pricing.market import (
    Insured,
    base_rates,
    household_terms,
    open_market,
    price_plans,
    price_problems,
)
from riskengine.pricing.offered import Terms
from riskengine.pricing.one_member import one_member
from riskengine.pricing.premium import Step, apply
from riskengine.products.benefit import Peril, Unit
from riskengine.products.product import Plan
from riskengine.vocabulary import Operation
from tests.golden.markets import SIZE, START, kept_market, of_plan, portfolio
from tests.pricing.test_catalogue_prices import RICHER

OPEN = {name: open_market(kept_market(name), START) for name in ("cn", "us_aca")}
BOOKS = {name: portfolio(market) for name, market in OPEN.items()}
RATES = {
    name: base_rates(market, BOOKS[name], np.ones(SIZE), BOOKS[name].columns["household"])
    for name, market in OPEN.items()
}
FORBIDDEN = {
    "cn": ("genetic_test", "genetic_information", "claims_of_own_policy", "health_change"),
    "us_aca": ("sex", "health_status", "genetic_information", "chronic_disease_index"),
}
MARKETS = pytest.mark.parametrize("name", ["cn", "us_aca"])


def everyone(name: str) -> Insured:
    """The members of the portfolio who may buy every plan of the market."""
    members = BOOKS[name]
    for plan in OPEN[name].catalogue.names:
        members = of_plan(OPEN[name], plan, members)
    return members


def plain(name: str) -> dict[str, Terms]:
    return dict.fromkeys(OPEN[name].catalogue.names, Terms())


def replayed(steps: tuple[Step, ...]) -> float:
    running = np.zeros_like(steps[0].running)
    for step in steps:
        running = apply(step.operation, running, step.value)
        np.testing.assert_array_equal(running, step.running)
    return float(running[0])


@MARKETS
def test_every_step_has_a_name_and_replays(name: str) -> None:
    market, members = OPEN[name], everyone(name)
    for plan, price in price_plans(market, members, RATES[name], plain(name)).items():
        paid = np.zeros(len(members.columns["age"]))
        for benefit in price.benefits:
            names = [step.name for step in benefit.steps]
            if benefit.peril.unit is Unit.CURRENCY:
                assert names == [
                    "pure_premium", "trend_factor", "actuarial_value", "induced_utilisation",
                ]  # fmt: skip
                assert (benefit.steps[2].value <= 1).all()
            else:
                assert names[1:] == ["trend_factor", names[2]]
                assert names[2] in {"payment_per_day", "payment_per_event"}
            np.testing.assert_array_equal(benefit.steps[0].running, members.means[benefit.peril])
            replayed(benefit.steps)
            paid += benefit.steps[-1].running
        assert [step.name for step in price.technical] == [
            "expected_plan_paid", "pooling_charge", "fixed_expense", "permissible_loss_ratio",
        ]  # fmt: skip
        np.testing.assert_array_equal(price.technical[0].running, paid)
        factors = [table.factor for table in market.tariff(plan).factors]
        assert [s.name for s in price.offered.steps][: 1 + len(factors)] == ["base_rate", *factors]
        assert replayed(price.offered.steps) == price.offered.offered_cents[0] / 100


def test_counts_grow_by_use_alone_and_money_by_cost_too() -> None:
    """From July 2024 to the middle of a cover from March 2026, 30 August."""
    trend = OPEN["cn"].table.trend
    years = 2 + (date(2026, 8, 30) - date(2026, 7, 1)).days / 365.25
    assert trend[Peril.SURGERY] == pytest.approx(1.02**years, rel=1e-12)
    assert trend[Peril.HOSPITAL_DAYS] == trend[Peril.SURGERY]
    assert trend[Peril.INPATIENT] == pytest.approx((1.06 * 1.02) ** years, rel=1e-12)


@MARKETS
def test_one_member_alone_costs_what_the_member_costs_among_many(name: str) -> None:
    members = everyone(name)
    many = price_plans(OPEN[name], members, RATES[name], plain(name))
    for row in range(0, len(members.columns["age"]), 7):
        alone = members.at(np.array([row]))
        for plan, one in price_plans(OPEN[name], alone, RATES[name], plain(name)).items():
            steps = (*one.technical, *one.offered.steps)
            among = (*many[plan].technical, *many[plan].offered.steps)
            assert [s.running[0] for s in steps] == [s.running[row] for s in among]
            assert one.offered.offered_cents[0] == many[plan].offered.offered_cents[row]


@MARKETS
def test_the_books_filed_total_is_its_technical_total(name: str) -> None:
    market = OPEN[name]
    for plan in market.catalogue.names:
        members = of_plan(market, plan, BOOKS[name])
        household = np.arange(len(members.columns["age"]))
        rate = base_rates(market, members, np.ones(len(household)), household)
        price = price_plans(market, members, rate, {plan: Terms()})[plan]
        filed = price.offered.after(market.tariff(plan).factors[-1].factor)
        assert filed.sum() == pytest.approx(price.technical[-1].running.sum(), rel=1e-9)


@MARKETS
def test_what_a_rule_forbids_cannot_reach_the_price(name: str) -> None:
    """Neither as an answer, nor by way of the mean, which reads whatever predicts."""
    market, members = OPEN[name], everyone(name)
    size = len(members.columns["age"])
    before = price_plans(market, members, RATES[name], plain(name))
    barred = {field for rule in kept_market(name).editions.rules for field in rule.forbids or ()}
    only = {field for rule in kept_market(name).editions.rules for field in rule.only or ()}
    for field in FORBIDDEN[name]:
        assert field in barred or (only and field not in only)
    told = {field: np.array(["yes", "no"] * size, dtype=object)[:size] for field in FORBIDDEN[name]}
    told["expiring_premium"] = np.linspace(1, 9000, size)
    columns = {**members.columns, **told}
    sicker = Insured(
        columns, {p: mean * np.linspace(1, 9, size) for p, mean in members.means.items()}
    )
    after = price_plans(market, sicker, RATES[name], plain(name))
    for plan, price in after.items():
        assert (price.technical[-1].running[1:] > before[plan].technical[-1].running[1:]).all()
        assert (price.offered.offered_cents == before[plan].offered.offered_cents).all()
        for one, other in zip(price.offered.steps, before[plan].offered.steps, strict=True):
            np.testing.assert_array_equal(one.running, other.running)


def test_a_market_that_underwrites_nobody_takes_no_terms_of_health() -> None:
    members = everyone("us_aca").at(np.array([0]))
    loaded = {"gold": Terms(underwriting_loading=np.array([0.2]))}
    with pytest.raises(AnswerError, match=r"underwriting_loading=0\.2: the rate book allows"):
        price_plans(OPEN["us_aca"], members, RATES["us_aca"], loaded)
    expiring = {"gold": Terms(expiring_premium=np.array([1.0]))}
    plainly = price_plans(OPEN["us_aca"], members, RATES["us_aca"], {"gold": Terms()})["gold"]
    renewed = price_plans(OPEN["us_aca"], members, RATES["us_aca"], expiring)["gold"]
    assert renewed.offered.offered_cents[0] == plainly.offered.offered_cents[0]


@MARKETS
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_richer_variant_never_costs_less(name: str, data: st.DataObject) -> None:
    """Through every step but the cap of a renewal, for any book, any risks and any terms."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    members = everyone(name)
    size = len(members.columns["age"])
    spread = np.clip(rng.lognormal(0, data.draw(st.floats(0, 1.5)), size), 0.05, 20)
    members = replace(members, means={p: mean * spread for p, mean in members.means.items()})
    rates = base_rates(OPEN[name], members, rng.uniform(0.1, 1, size), np.arange(size) // 2)
    loading = data.draw(st.floats(0, 0.5)) if name == "cn" else None
    terms = Terms(
        underwriting_loading=None if loading is None else np.full(size, loading),
        payments=data.draw(st.sampled_from([1, 12])),
    )
    prices = price_plans(OPEN[name], members, rates, dict.fromkeys(rates, terms))
    for variants in RICHER[name]:
        for lean, rich in pairwise(prices[plan] for plan in variants):
            assert (lean.technical[-1].running <= rich.technical[-1].running * (1 + 1e-12)).all()
            assert rates[lean.plan] <= rates[rich.plan] * (1 + 1e-12)
            assert (lean.offered.offered_cents <= rich.offered.offered_cents).all()


def test_a_member_outside_a_range_gets_the_reasons() -> None:
    member = {
        "age": np.array([30.0, 66.0]),
        "occupation_class": np.array(["class_1", "class_5"], dtype=object),
        "sex": np.array(["female", "other"], dtype=object),
    }
    told = [
        (p.row, p.field, p.message) for p in price_problems(OPEN["cn"], "accident_100k", member)
    ]
    assert told == [
        (1, "occupation_class", "tariff accident is for one of class_1, class_2, class_3, class_4:"
         " no price outside it"),
    ]  # fmt: skip
    told = [(p.row, p.field, p.message) for p in price_problems(OPEN["cn"], "surgery_10k", member)]
    assert told == [
        (1, "age", "tariff surgery is for 0 to 65: no price outside it"),
        (1, "sex", "tariff surgery is for one of female, male: no price outside it"),
        (1, "age", "plan surgery_10k is for ages 0 to 65"),
    ]
    assert not price_problems(OPEN["cn"], "cancer_100k", {**member, "sex": np.array(["male"] * 2)})
    means = {peril: mean[:2] for peril, mean in BOOKS["cn"].means.items()}
    with pytest.raises(AnswerError, match="sex=other: tariff surgery is for one of female, male"):
        price_plans(OPEN["cn"], Insured(member, means), RATES["cn"], {"surgery_10k": Terms()})


def test_a_member_without_a_required_answer_gets_the_reason() -> None:
    answers = np.array(["yes", "no", None], dtype=object)
    member = {"age": np.array([30.0, 40.0, 50.0]), "social_insurance": answers}
    plan, told = "city_supplement_basic", "plan city_supplement_basic is for social_insurance yes"
    found = [(p.row, p.field, p.value, p.message) for p in price_problems(OPEN["cn"], plan, member)]
    assert found == [(1, "social_insurance", "no", told), (2, "social_insurance", "None", told)]
    unasked = {"age": member["age"]}
    assert [p.row for p in price_problems(OPEN["cn"], plan, unasked)] == [0, 1, 2]
    assert not price_problems(replace(OPEN["cn"], renewal=True), plan, member)
    means = {peril: mean[:3] for peril, mean in BOOKS["cn"].means.items()}
    with pytest.raises(AnswerError, match=f"social_insurance=no: {told}"):
        price_plans(OPEN["cn"], Insured(member, means), RATES["cn"], {plan: Terms()})


def test_what_is_not_there_is_named() -> None:
    market = kept_market("cn")
    with pytest.raises(UnknownNameError, match="no edition for a start on 2024-12-31"):
        open_market(market, date(2024, 12, 31))
    members, rates = everyone("us_aca"), {"bronze": 1.0}
    with pytest.raises(UnknownNameError, match="plan gold has no base rate; there are bronze"):
        price_plans(OPEN["us_aca"], members, rates, {"gold": Terms()})
    early = replace(OPEN["us_aca"], start=date(2024, 1, 1))
    told = price_problems(early, "gold", everyone("us_aca").at(np.array([0])).columns)
    assert [p.message for p in told] == ["plan gold is on sale from 2025-01-01"]


def test_a_plan_that_is_sold_no_more_is_renewed_but_not_begun() -> None:
    market = OPEN["us_aca"]
    plans = [
        plan.model_copy(update={"effective_to": date(2025, 12, 31)})
        if plan.plan == "gold"
        else plan
        for plan in market.catalogue.plans
    ]
    ended = replace(market, catalogue=market.catalogue.model_copy(update={"plans": tuple(plans)}))
    columns = everyone("us_aca").at(np.array([0])).columns
    told = [p.message for p in price_problems(ended, "gold", columns)]
    assert told == ["plan gold is on sale from 2025-01-01 to 2025-12-31"]
    assert price_problems(ended, "silver", columns) == []
    assert price_problems(replace(ended, renewal=True), "gold", columns) == []
    single = one_member(ended, RATES["us_aca"])
    assert single is not None
    assert single.plan_set(["silver"]) is not None
    assert single.plan_set(["silver", "gold"]) is None
    plan = {**plans[0].model_dump(mode="json"), "effective_to": "2024-12-31"}
    with pytest.raises(ValueError, match="effective_to 2024-12-31 is before effective_from"):
        Plan.model_validate_json(json.dumps(plan))


def test_a_household_gets_its_markets_discount() -> None:
    household = np.array([1, 1, 1, 2])
    terms = household_terms(OPEN["cn"].edition, household, Terms())
    assert terms.discounts["family"].tolist() == [0.1, 0.1, 0.1, 0.0]
    assert household_terms(OPEN["us_aca"].edition, household, Terms()).discounts == {}


def test_the_charge_for_large_claims_is_in_the_mean() -> None:
    price = price_plans(OPEN["us_aca"], everyone("us_aca"), RATES["us_aca"], plain("us_aca"))
    step = price["gold"].technical[1]
    assert (step.name, step.operation, step.value.max()) == ("pooling_charge", Operation.ADD, 0.0)
