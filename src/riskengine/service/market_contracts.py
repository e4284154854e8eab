"""What is answered about the plans of a market, and how an engine's quote becomes it.

Money is a decimal string; every other amount is a float in the currency of the response. Fields
may be added here, never renamed.
"""

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from riskengine.market_engine import MarketQuote
from riskengine.market_release import MarketRelease
from riskengine.pricing.market import PlanPrice
from riskengine.pricing.premium import Step, StepUnit, money_text
from riskengine.products.benefit import Benefit
from riskengine.products.product import Plan
from riskengine.products.underwriting import Decision
from riskengine.profiles.questions import Question
from riskengine.service.contracts import (
    StepMessage,
    TextMessage,
    steps_message,
    text_message,
    units_message,
)


class BenefitMessage(TypedDict):
    """One benefit of one member: from the mean of its peril to what the plan is expected to pay."""

    benefit: str
    peril: str
    steps: list[StepMessage]


class MemberPriceMessage(TypedDict):
    """One member of the household; replaying `offered` gives `offered_premium`.

    `technical` begins at what all benefits are expected to pay together, `offered` at the base
    rate: the technical premium moves it through the book alone.
    """

    offered_premium: Annotated[str, Field(description="A year, as a decimal string.")]
    instalment_premium: Annotated[str, Field(description="What is paid at a time.")]
    benefits: list[BenefitMessage]
    technical: list[StepMessage]
    offered: list[StepMessage]


class PlanQuoteMessage(TypedDict):
    """One plan for the household: what it pays together, and each member in order."""

    plan: str
    product: str
    name: TextMessage
    summary: TextMessage
    exclusions: TextMessage
    household_premium: str
    payments: int
    members: list[MemberPriceMessage]


class ReasonTextMessage(TypedDict):
    code: str
    text: TextMessage


class DecisionMessage(TypedDict):
    """What underwriting decided of one member; `missing` are answers still to be given."""

    outcome: str
    loading: float
    exclusions: list[TextMessage]
    reasons: list[ReasonTextMessage]
    missing: list[str]


class RefusalMessage(TypedDict):
    """Why a plan has no price: which member (from 0), which value, and what is allowed."""

    plan: str
    member: int
    field: str
    value: str
    reason: str


class InsuredMessage(TypedDict):
    """One member of the household: who, and what is not known of them."""

    member_id: str | None
    profile_as_of: date | None
    missing_answers: list[str]


class MarketPricesBody(TypedDict):
    """What the plans of a market cost a household, whose `members` are in order."""

    market: str
    release: str
    edition: str
    start: date
    currency: str
    members: list[InsuredMessage]
    decisions: list[DecisionMessage]
    units: dict[str, StepUnit]
    offers: list[PlanQuoteMessage]
    refused: list[RefusalMessage]


def market_prices_body(
    release: MarketRelease, quote: MarketQuote, members: Sequence[InsuredMessage] = ()
) -> MarketPricesBody:
    """Prices of a market as they travel."""
    return {
        "market": release.catalogue.market,
        "release": release.hash,
        "edition": quote.edition,
        "start": quote.start,
        "currency": release.catalogue.currency,
        "members": list(members),
        "decisions": [decision_message(one) for one in quote.decisions],
        "units": units_message(s for price in quote.prices.values() for s in _steps(price)),
        "offers": [_plan(release, quote, price) for price in quote.prices.values()],
        "refused": [
            {"plan": plan, "member": p.row, "field": p.field, "value": p.value, "reason": p.message}
            for plan, problems in quote.refused.items()
            for p in problems
        ],
    }


class PlanMessage(TypedDict):
    """What a plan is called and what it says, whoever asks."""

    plan: str
    product: str
    name: TextMessage
    summary: TextMessage
    exclusions: TextMessage


def plan_message(plan: Plan) -> PlanMessage:
    """A plan as it travels."""
    return {
        "plan": plan.plan,
        "product": plan.product,
        "name": text_message(plan.name),
        "summary": text_message(plan.summary),
        "exclusions": text_message(plan.exclusions),
    }


def _plan(release: MarketRelease, quote: MarketQuote, price: PlanPrice) -> PlanQuoteMessage:
    size = len(price.offered.instalment_cents)
    return {
        **plan_message(release.catalogue.plan(price.plan)),
        "household_premium": money_text(quote.premium_cents[price.plan]),
        "payments": price.offered.payments,
        "members": [_member(price, row) for row in range(size)],
    }


def _member(price: PlanPrice, row: int) -> MemberPriceMessage:
    return {
        "offered_premium": money_text(int(price.offered.offered_cents[row])),
        "instalment_premium": money_text(int(price.offered.instalment_cents[row])),
        "benefits": [
            {
                "benefit": one.benefit,
                "peril": one.peril.value,
                "steps": steps_message(one.steps, row),
            }
            for one in price.benefits
        ],
        "technical": steps_message(price.technical, row),
        "offered": steps_message(price.offered.steps, row),
    }


def _steps(price: PlanPrice) -> list[Step]:
    """All steps of a plan."""
    benefits = [step for one in price.benefits for step in one.steps]
    return [*benefits, *price.technical, *price.offered.steps]


def decision_message(decision: Decision) -> DecisionMessage:
    """A decision as it travels."""
    return {
        "outcome": decision.outcome,
        "loading": decision.loading,
        "exclusions": [text_message(text) for text in decision.exclusions],
        "reasons": [{"code": code, "text": text_message(text)} for code, text in decision.reasons],
        "missing": list(decision.missing),
    }


class MarketProductMessage(TypedDict):
    """One plan of a market in plain language."""

    plan: str
    product: str
    name: TextMessage
    summary: TextMessage
    exclusions: TextMessage
    how_to_claim: TextMessage
    minimum_age: int
    maximum_age: int
    effective_from: date
    tariff: str | None
    benefits: dict[str, Benefit]


class MarketProductsBody(TypedDict):
    """The plans of a market with their texts, and the questions a quote can use."""

    release: str
    market: str
    currency: str
    questions: list[Question]
    products: list[MarketProductMessage]


def market_products_body(release: MarketRelease) -> MarketProductsBody:
    """The catalogue of a market and its questions, with their texts in both languages."""
    return {
        "release": release.hash,
        "market": release.catalogue.market,
        "currency": release.catalogue.currency,
        "questions": list(release.questions),
        "products": [
            {
                "plan": plan.plan,
                "product": plan.product,
                "name": text_message(plan.name),
                "summary": text_message(plan.summary),
                "exclusions": text_message(plan.exclusions),
                "how_to_claim": text_message(plan.how_to_claim),
                "minimum_age": plan.entry_age.minimum,
                "maximum_age": plan.entry_age.maximum,
                "effective_from": plan.effective_from,
                "tariff": plan.tariff,
                "benefits": dict(plan.benefits),
            }
            for plan in release.catalogue.plans
        ],
    }
