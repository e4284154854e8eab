"""Members who ask for a recommendation on the shipped markets and the experience kept for tests."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from riskengine.pricing.market import (
    Insured,
    Market,
    OpenMarket,
    base_rates,
    open_market,
    price_plans,
    price_problems,
)
from riskengine.pricing.offered import Terms
from riskengine.products.load import shipped
from riskengine.products.rate_book_read import read_underwriting
from riskengine.products.suitability import Channel, Need
from riskengine.products.underwriting import Decisions, Underwriting, underwrite
from riskengine.recommendation.asked import Asked, Models
from riskengine.recommendation.plan_value import PlanValue
from riskengine.recommendation.policy import (
    Choices,
    RecommendationPolicy,
    read_recommendation_policy,
)
from riskengine.recommendation.recommend import Decision, recommend
from riskengine.recommendation.scoring import Scored, Term
from tests.golden.markets import MEANS, SIZE, START, kept_market, portfolio

HEALTHY: dict[str, Any] = {
    "cancer_history": "no", "diabetes": "no", "glycated_haemoglobin": 5.2,
    "systolic_pressure": 118.0, "body_mass_index": 22.0, "thyroid_nodule": "none",
}  # fmt: skip
MEMBERS: dict[str, dict[str, Any]] = {
    "cn": {
        "age": 40.0, "sex": "female", "social_insurance": "yes", "rating_area": "second_tier",
        "occupation_class": "class_1",
    },
    "us_aca": {"age": 40.0, "tobacco": "no", "rating_area": "area_1"},
}  # fmt: skip
CHANNELS = {"cn": Channel.APP, "us_aca": Channel.ONLINE}


@cache
def kept(market: str) -> Market:
    return kept_market(market)


@cache
def health_rules() -> Underwriting:
    return read_underwriting(shipped("cn"), kept("cn").editions)


@cache
def opened(market: str) -> OpenMarket:
    return open_market(kept(market), START)


@cache
def rates(market: str) -> dict[str, float]:
    book = portfolio(opened(market))
    return base_rates(opened(market), book, np.ones(SIZE), book.columns["household"])


@cache
def policy(market: str) -> RecommendationPolicy:
    return read_recommendation_policy(shipped(market))


def choices(market: str = "cn", **numbers: float) -> Choices:
    """The shipped choices, with other numbers for some names (`__` for a dot)."""
    found = policy(market).on(START)
    changed = {name.replace("__", "."): value for name, value in numbers.items()}
    return replace(found, numbers={**found.numbers, **changed})


def insured(market: str = "cn", risk: float = 1.0, size: int = 1, **answers: Any) -> Insured:
    given = {**MEMBERS[market], **answers}
    columns = {
        name: np.full(size, value, dtype=float if name == "age" else object)
        for name, value in given.items()
        if value is not None
    }
    return Insured(columns, {peril: np.full(size, mean * risk) for peril, mean in MEANS.items()})


def asked(market: str = "cn", members: Insured | None = None, **more: Any) -> Asked:
    given = {"stated": (Need.HOSPITAL_BILLS,), "household_income": 200_000.0, **more}
    members = insured(market) if members is None else members
    return Asked(START, members, given.pop("channel", CHANNELS[market]), **given)


def decided(answers: dict[str, Any], size: int = 1) -> Decisions:
    """What the shipped rules say of `answers` on health."""
    columns = {name: np.full(size, value, dtype=object) for name, value in answers.items()}
    return underwrite(health_rules(), columns, size, 1.0)


def models(market: str, who: Asked, **more: Any) -> Models:
    """Prices of all plans that have one, of the healthy."""
    book = opened(market)
    names = [
        plan for plan in book.catalogue.names if not price_problems(book, plan, who.insured.columns)
    ]
    prices = price_plans(book, who.insured, rates(market), dict.fromkeys(names, Terms()))
    if market == "cn" and "underwriting" not in more:
        more["underwriting"] = decided(HEALTHY, who.size)
    return Models(kept(market).perils, prices, **more)


def answered(
    market: str = "cn",
    who: Asked | None = None,
    rng: np.random.Generator | None = None,
    **more: Any,
) -> Decision:
    who = asked(market) if who is None else who
    return recommend(who, opened(market), policy(market), models(market, who, **more), rng)


def scored(plan: str, score: float, band: int = 1, premium: float = 1.0) -> Scored:
    """A plan of the Chinese catalogue with a score of its own."""
    found = opened("cn").catalogue.plan(plan)
    value = PlanValue(plan, found.product, premium, *[0.0] * 10, None)
    return Scored(found, value, 2.0 - 0.5 * band, band, {Term.VALUE: score}, None)
