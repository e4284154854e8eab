"""Quotes and books of the shipped markets, on the kept releases."""

from datetime import date

import numpy as np
import pytest

from riskengine.errors import AnswerError, SpecError, UnknownNameError
from riskengine.market_advice import Wish, recommend_market
from riskengine.market_engine import book_problems, quote_book, quote_market, reprice_book
from riskengine.market_release import MarketRelease
from riskengine.pricing.premium import apply
from riskengine.products.suitability import Channel, Need
from riskengine.products.underwriting import Outcome
from riskengine.profiles.questions import answers_to_columns, household_to_columns
from riskengine.recommendation.recommend import Answer
from riskengine.vocabulary import Answer as Given
from riskengine.vocabulary import Columns
from tests.golden.market_releases import MARKETS, market_release
from tests.test_market_release import rebuilt

START = date(2026, 3, 1)
HEALTHY: dict[str, dict[str, Given]] = {
    "cn": {
        "social_insurance": "yes", "rating_area": "second_tier", "occupation_class": "class_1",
        "cancer_history": "no", "diabetes": "no", "thyroid_nodule": "none",
        "body_mass_index": 23.0, "glycated_haemoglobin": 5.2, "systolic_pressure": 120.0,
    },
    "us_aca": {"tobacco": "no", "rating_area": "area_1"},
}  # fmt: skip
NEVER_RATES: dict[str, dict[str, tuple[Given, Given]]] = {
    "cn": {
        "self_rated_health": ("excellent", "poor"),
        "chronic_condition_count": (0.0, 5.0),
        "medical_spend_365d": (0.0, 60000.0),
    },
    "us_aca": {
        "sex": ("female", "male"),
        "self_rated_health": ("excellent", "poor"),
        "chronic_condition_count": (0.0, 5.0),
        "medical_spend_365d": (0.0, 60000.0),
        "body_mass_index": (20.0, 45.0),
    },
}


@pytest.fixture(params=MARKETS)
def market(request: pytest.FixtureRequest) -> MarketRelease:
    return market_release(request.param)


def member(market: MarketRelease, **changes: Given) -> dict[str, Given]:
    return {"age": 43.0, "sex": "female", **HEALTHY[market.catalogue.market], **changes}


def columns(market: MarketRelease, **changes: Given) -> Columns:
    return answers_to_columns(market.questions, member(market, **changes))


def test_every_plan_has_a_price_that_its_steps_replay(market: MarketRelease) -> None:
    quote = quote_market(market, columns(market), START)
    assert list(quote.prices) == list(market.catalogue.names)
    assert quote.refused == {}
    for plan, price in quote.prices.items():
        running = np.zeros(1)
        for step in price.offered.steps:
            running = apply(step.operation, running, step.value)
        assert round(float(running[0]) * 100) == quote.premium_cents[plan]
        expected = sum(float(one.steps[-1].running[0]) for one in price.benefits)
        assert price.technical[0].running[0] == pytest.approx(expected, rel=1e-12)


def test_what_the_law_forbids_never_moves_the_price(market: MarketRelease) -> None:
    for name, (low, high) in NEVER_RATES[market.catalogue.market].items():
        first, then = (
            quote_market(market, columns(market, **{name: v}), START) for v in (low, high)
        )
        assert first.premium_cents == then.premium_cents, name
        moved = [
            plan for plan in first.prices
            if first.prices[plan].technical[-1].running != then.prices[plan].technical[-1].running
        ]  # fmt: skip
        assert moved or name in {"sex", "body_mass_index"}, f"{name} moves no technical premium"


def test_a_household_pays_its_members_together(market: MarketRelease) -> None:
    ages = (40.0, 38.0, 20.0, 12.0, 9.0, 5.0)
    told = household_to_columns(market.questions, [member(market, age=age) for age in ages])
    quote = quote_market(market, told, START)
    for plan, price in quote.prices.items():
        cents = price.offered.offered_cents
        if market.catalogue.market == "us_aca":
            # The youngest of four children under 21 is not charged.
            assert quote.premium_cents[plan] == cents[:5].sum()
        else:
            assert quote.premium_cents[plan] == cents.sum()
            alone = quote_market(market, columns(market, age=40.0), START).premium_cents[plan]
            assert cents[0] < alone or cents[0] == 5000  # the minimum premium


def test_live_and_batch_agree_to_the_cent(market: MarketRelease) -> None:
    names = np.array(market.catalogue.names, dtype=object)
    ages = np.linspace(18, 60, len(names))
    rows = [member(market, age=float(age)) for age in ages]
    told = household_to_columns(market.questions, rows)
    batch = quote_book(market, told, names, START)
    for row, plan in enumerate(names):
        one = quote_market(market, answers_to_columns(market.questions, rows[row]), START, (plan,))
        assert one.premium_cents[plan] == batch.offered_cents[row]
        assert one.prices[plan].technical[-1].running[0] == batch.technical_premium[row]


def test_the_effects_of_the_steps_multiply_to_the_premium(market: MarketRelease) -> None:
    names = np.array(market.catalogue.names, dtype=object)
    told = household_to_columns(market.questions, [member(market) for _ in names])
    book = quote_book(market, told, names, START)
    product = np.prod(list(book.steps.values()), axis=0)
    np.testing.assert_allclose(product, book.offered_cents / 100, rtol=1e-12)


@pytest.mark.parametrize("answer", ["no", None])
def test_a_product_that_requires_an_answer_is_sold_to_no_other(answer: Given) -> None:
    cn, plan = market_release("cn"), "city_supplement_basic"
    told = columns(cn, social_insurance=answer)
    quote = quote_market(cn, told, START)
    assert f"plan {plan} is for social_insurance yes" in [p.message for p in quote.refused[plan]]
    assert "cancer_100k" in quote.prices
    named = np.array([plan], dtype=object)
    with pytest.raises(AnswerError, match=f"plan {plan} is for social_insurance yes"):
        quote_book(cn, told, named, START)
    assert reprice_book(cn, told, named, START).offered_cents[0] > 0, "who is covered may stay"


def test_an_age_outside_a_product_gets_the_reason_and_the_others_their_price() -> None:
    cn = market_release("cn")
    quote = quote_market(cn, columns(cn, age=63.0), START)
    refused = quote.refused["critical_illness_100k"]
    assert "critical_illness_100k is for ages" in refused[0].message
    assert "million_medical_10k" in quote.prices


def test_underwriting_refuses_loads_and_asks() -> None:
    cn = market_release("cn")
    declined = quote_market(cn, columns(cn, cancer_history="yes"), START)
    assert declined.decisions[0].outcome is Outcome.DECLINE
    assert {cn.catalogue.plan(plan).product for plan in declined.prices} == {
        "accident", "city_supplement"
    }  # fmt: skip
    assert "history of cancer" in declined.refused["cancer_100k"][0].message
    asked = quote_market(cn, columns(cn, diabetes=None), START)
    assert asked.decisions[0].missing == ("diabetes",)
    assert "answer diabetes" in asked.refused["cancer_100k"][0].message
    plain, loaded = (
        quote_market(cn, columns(cn, body_mass_index=index), START) for index in (23.0, 32.0)
    )
    before = plain.prices["cancer_200k"].offered.after("underwriting_loading")
    after = loaded.prices["cancer_200k"].offered.after("underwriting_loading")
    assert after[0] / before[0] == pytest.approx(1.2)


def test_a_renewal_is_capped_and_not_underwritten_anew() -> None:
    cn = market_release("cn")
    plans = np.array(["million_medical_10k"], dtype=object)
    told = columns(cn, cancer_history="yes", age=64.0)
    free = reprice_book(cn, told, plans, START)
    expiring = np.array([free.filed_premium[0] / 2])
    capped = reprice_book(cn, told, plans, START, expiring)
    cap = cn.market.editions.on(START).cap
    assert cap is not None
    assert capped.offered_cents[0] == round(100 * expiring[0] * (1 + cap.value))


def test_every_problem_of_a_book_is_listed_by_row() -> None:
    us = market_release("us_aca")
    rows = [
        member(us), member(us, rating_area=None), member(us, tobacco=None), member(us),
    ]  # fmt: skip
    told = household_to_columns(us.questions, rows)
    plans = np.array(["gold", "gold", "silver", "brass"], dtype=object)
    found = {(p.row, p.field) for p in book_problems(us, told, plans, START)}
    assert found == {(1, "rating_area"), (2, "tobacco"), (3, "plan")}
    with pytest.raises(AnswerError, match="known are bronze"):
        reprice_book(us, told, plans, START)


def test_unknown_plans_and_dates_without_an_edition_are_refused(market: MarketRelease) -> None:
    with pytest.raises(UnknownNameError, match="unknown plan 'brass'"):
        quote_market(market, columns(market), START, ("brass",))
    with pytest.raises(UnknownNameError, match="has no edition for a start on 2019-01-01"):
        quote_market(market, columns(market), date(2019, 1, 1))


def test_a_recommendation_ranks_at_the_prices_of_the_quote() -> None:
    cn = market_release("cn")
    told = columns(cn)
    wish = Wish(Channel.APP, stated=(Need.HOSPITAL_BILLS,), household_income=200_000.0)
    found = recommend_market(cn, told, START, wish)
    assert found.answer is Answer.RECOMMEND
    quote = quote_market(cn, told, START)
    for item in found.items:
        plan = item.scored.plan.plan
        assert item.scored.value.premium == pytest.approx(quote.premium_cents[plan] / 100)
        assert len(item.statements) >= 1
    first = found.items[0].scored.plan
    assert Need.HOSPITAL_BILLS in first.suitability.needs


def test_who_is_declined_is_offered_what_asks_nothing_of_health() -> None:
    cn = market_release("cn")
    ill = columns(cn, cancer_history="yes")
    found = recommend_market(cn, ill, START, Wish(Channel.APP, stated=(Need.ACCIDENTS,)))
    offered = {item.scored.plan.product for item in found.items}
    assert offered <= {"accident", "city_supplement"}
    assert offered


def test_a_release_that_only_prices_recommends_nothing(market: MarketRelease) -> None:
    only = rebuilt(market, recommendation_policy=None)
    assert only.hash != rebuilt(market).hash
    with pytest.raises(SpecError, match="holds no recommendation policy"):
        recommend_market(only, columns(market), START, Wish(Channel.APP))
