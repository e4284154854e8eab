"""The answer to a quote for one member, put together from parts that are written once.

All but the numbers of a plan's part is the same for everybody who is quoted it: texts, names of
steps, operations. So it is written once, as for any other quote, and the numbers are put between.
"""

from datetime import date
from functools import lru_cache

import orjson

from riskengine.market_release import MarketRelease
from riskengine.market_single import SingleQuote
from riskengine.pricing.one_member import OneMember, Outline, PlannedStep, PlanSet, PricedPlan
from riskengine.pricing.premium import money_text
from riskengine.service.body import dumped
from riskengine.service.contracts import StepMessage, units_message
from riskengine.service.market_contracts import (
    MarketPricesBody,
    PlanQuoteMessage,
    decision_message,
    plan_message,
)

_NUMBER = 1.2345678901234567e-300
_AMOUNT = "\ue000"
_TEMPLATES = 1024


def single_prices(
    release: MarketRelease, quote: SingleQuote, start: date, who: tuple[str | None, date | None]
) -> tuple[bytes, dict[str, str]]:
    """The answer, and what each plan costs a year; `who` is the member's id and profile's day."""
    texts = orjson.dumps([one for price in quote.prices for one in price.numbers])[1:-1].split(b",")
    between: list[bytes] = []
    premiums, first = {}, 0
    for plan, price in zip(quote.plans.plans, quote.prices, strict=True):
        premiums[plan.name] = money_text(price.instalment_cents * quote.payments)
        yearly, end = premiums[plan.name].encode(), first + len(price.numbers)
        at_a_time = money_text(price.instalment_cents).encode() if quote.payments > 1 else yearly
        between += (yearly, yearly, at_a_time)
        between += texts[first:end]
        first = end
    units, template = _template(quote.market, quote.plans, quote.payments)
    parts = template.copy()
    parts[1::2] = between
    member_id, profile_as_of = who
    member = {
        "member_id": member_id, "profile_as_of": profile_as_of, "missing_answers": quote.missing,
    }  # fmt: skip
    body = {
        "market": release.catalogue.market,
        "release": release.hash,
        "edition": quote.edition,
        "start": start,
        "currency": release.catalogue.currency,
        "members": [member],
        "decisions": [decision_message(quote.decision)],
        "units": units,
        "offers": orjson.Fragment(b"".join(parts)),
        "refused": [],
    }
    assert body.keys() == MarketPricesBody.__annotations__.keys()
    return dumped(body), premiums


@lru_cache(maxsize=_TEMPLATES)
def _template(
    market: OneMember, asked: PlanSet, payments: int
) -> tuple[orjson.Fragment, list[bytes]]:
    """The units of steps, and the part of the plans.

    The plans are text at even places, at odd ones three amounts and the numbers of each.
    """
    outlines = [market.outline(plan, payments) for plan in asked.plans]
    units = units_message(step for outline in outlines for step in outline.steps)
    message = [_plan(*one, payments) for one in zip(asked.plans, outlines, strict=True)]
    texts = dumped(message).replace(_AMOUNT.encode(), dumped(_NUMBER)).split(dumped(_NUMBER))
    found = [b""] * (2 * len(texts) - 1)
    found[::2] = texts
    return orjson.Fragment(dumped(units)), found


def _plan(plan: PricedPlan, outline: Outline, payments: int) -> PlanQuoteMessage:
    return {
        **plan_message(plan.plan),
        "household_premium": _AMOUNT,
        "payments": payments,
        "members": [
            {
                "offered_premium": _AMOUNT,
                "instalment_premium": _AMOUNT,
                "benefits": [
                    {"benefit": benefit, "peril": peril.value, "steps": _steps(steps)}
                    for benefit, peril, steps in outline.benefits
                ],
                "technical": _steps(outline.technical),
                "offered": _steps(outline.offered),
            }
        ],
    }


def _steps(outline: list[PlannedStep]) -> list[StepMessage]:
    return [
        {
            "name": step.name,
            "operation": step.operation,
            "value": _NUMBER if step.value is None else step.value,
            "running": _NUMBER if step.running is None else step.running,
        }
        for step in outline
    ]
