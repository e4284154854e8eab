"""The answer to a quote for one member, put together from parts that are written once.

All but the numbers of a plan's part is the same for everybody who is quoted it: texts, names of
steps, operations. So it is written once, as for any other quote, and the numbers are put between.
"""

from datetime import date
from functools import lru_cache

import orjson

from riskengine.market_release import MarketRelease
from riskengine.market_single import SingleQuote
from riskengine.pricing.one_member import Named, OneMember, PricedPlan
from riskengine.pricing.premium import money_text
from riskengine.service.body import dumped
from riskengine.service.contracts import StepMessage
from riskengine.service.market_contracts import (
    MarketPricesBody,
    PlanQuoteMessage,
    decision_message,
    plan_message,
)

_NUMBER = 1.2345678901234567e-300
_AMOUNT = "\ue000"
_TEMPLATES = 4096


def single_prices(
    release: MarketRelease, quote: SingleQuote, start: date, who: tuple[str | None, date | None]
) -> tuple[bytes, dict[str, str]]:
    """The answer, and what each plan costs a year; `who` is the member's id and profile's day."""
    numbers = orjson.dumps([number for price in quote.prices for number in price.numbers])
    texts = numbers[1:-1].split(b",")
    offers, premiums, first = [], {}, 0
    for price in quote.prices:
        parts = _template(quote.market, price.plan, price.payments).copy()
        yearly = money_text(price.instalment_cents * price.payments)
        paid = yearly if price.payments == 1 else money_text(price.instalment_cents)
        end = first + len(price.numbers)
        parts[1:6:2] = yearly.encode(), yearly.encode(), paid.encode()
        parts[7::2] = texts[first:end]
        offers.append(orjson.Fragment(b"".join(parts)))
        premiums[price.plan.name] = yearly
        first = end
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
        "offers": offers,
        "refused": [],
    }
    assert body.keys() == MarketPricesBody.__annotations__.keys()
    return dumped(body), premiums


@lru_cache(maxsize=_TEMPLATES)
def _template(market: OneMember, plan: PricedPlan, payments: int) -> list[bytes]:
    """A plan's part with places for three amounts, then the numbers: text at even places."""
    outline = market.outline(plan, payments)
    message: PlanQuoteMessage = {
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
    texts = dumped(message).replace(_AMOUNT.encode(), dumped(_NUMBER)).split(dumped(_NUMBER))
    found = [b""] * (2 * len(texts) - 1)
    found[::2] = texts
    return found


def _steps(outline: list[Named]) -> list[StepMessage]:
    return [
        {"name": name, "operation": operation, "value": _NUMBER, "running": _NUMBER}
        for name, operation in outline
    ]
