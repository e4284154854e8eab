"""What a quote of a market looks like over HTTP, and how an engine's quote becomes it.

Money is a decimal string; every other amount is a float in the currency of the response. Fields
may be added here, never renamed.
"""

from datetime import date

from pydantic import Field

from riskengine.market_engine import MarketQuote
from riskengine.market_release import MarketRelease
from riskengine.pricing.market import PlanPrice
from riskengine.pricing.premium import Step, as_decimal
from riskengine.products.underwriting import Decision
from riskengine.service.contracts import Message, StepMessage
from riskengine.vocabulary import Text


class BenefitMessage(Message):
    """One benefit of one member: from the mean of its peril to what the plan is expected to pay."""

    benefit: str
    peril: str
    steps: tuple[StepMessage, ...]


class MemberPriceMessage(Message):
    """One member of the household; replaying `offered` gives `offered_premium`.

    `technical` begins at what all benefits are expected to pay together, `offered` at the base
    rate: the technical premium moves it through the book alone.
    """

    offered_premium: str = Field(description="A year, as a decimal string.")
    instalment_premium: str = Field(description="What is paid at a time.")
    benefits: tuple[BenefitMessage, ...]
    technical: tuple[StepMessage, ...]
    offered: tuple[StepMessage, ...]


class PlanQuoteMessage(Message):
    """One plan for the household: what it pays together, and each member in order."""

    plan: str
    product: str
    name: Text
    summary: Text
    exclusions: Text
    household_premium: str
    payments: int
    members: tuple[MemberPriceMessage, ...]


class ReasonTextMessage(Message):
    code: str
    text: Text


class DecisionMessage(Message):
    """What underwriting decided of one member; `missing` are answers still to be given."""

    outcome: str
    loading: float
    exclusions: tuple[Text, ...]
    reasons: tuple[ReasonTextMessage, ...]
    missing: tuple[str, ...]


class RefusalMessage(Message):
    """Why a plan has no price: which member (from 0), which value, and what is allowed."""

    plan: str
    member: int
    field: str
    value: str
    reason: str


class MarketQuoteResponse(Message):
    quote_id: str
    release: str
    market: str
    edition: str
    start: date
    currency: str
    decisions: tuple[DecisionMessage, ...]
    offers: tuple[PlanQuoteMessage, ...]
    refused: tuple[RefusalMessage, ...]


def market_quote_response(
    quote_id: str, release: MarketRelease, quote: MarketQuote
) -> MarketQuoteResponse:
    """A quote of a market as it travels."""
    return MarketQuoteResponse(
        quote_id=quote_id,
        release=release.hash,
        market=release.catalogue.market,
        edition=quote.edition,
        start=quote.start,
        currency=release.catalogue.currency,
        decisions=tuple(_decision(one) for one in quote.decisions),
        offers=tuple(_plan(release, quote, price) for price in quote.prices.values()),
        refused=tuple(
            RefusalMessage(plan=plan, member=p.row, field=p.field, value=p.value, reason=p.message)
            for plan, problems in quote.refused.items()
            for p in problems
        ),
    )


def _plan(release: MarketRelease, quote: MarketQuote, price: PlanPrice) -> PlanQuoteMessage:
    plan = release.catalogue.plan(price.plan)
    size = len(price.offered.instalment_cents)
    return PlanQuoteMessage(
        plan=plan.plan,
        product=plan.product,
        name=plan.name,
        summary=plan.summary,
        exclusions=plan.exclusions,
        household_premium=str(as_decimal(quote.premium_cents[plan.plan])),
        payments=price.offered.payments,
        members=tuple(_member(price, row) for row in range(size)),
    )


def _member(price: PlanPrice, row: int) -> MemberPriceMessage:
    return MemberPriceMessage(
        offered_premium=str(as_decimal(int(price.offered.offered_cents[row]))),
        instalment_premium=str(as_decimal(int(price.offered.instalment_cents[row]))),
        benefits=tuple(
            BenefitMessage(benefit=one.benefit, peril=one.peril.value, steps=_steps(one.steps, row))
            for one in price.benefits
        ),
        technical=_steps(price.technical, row),
        offered=_steps(price.offered.steps, row),
    )


def _steps(steps: tuple[Step, ...], row: int) -> tuple[StepMessage, ...]:
    return tuple(
        StepMessage(
            name=step.name,
            operation=step.operation,
            value=float(step.value[row]),
            running=float(step.running[row]),
        )
        for step in steps
    )


def _decision(decision: Decision) -> DecisionMessage:
    return DecisionMessage(
        outcome=decision.outcome,
        loading=decision.loading,
        exclusions=decision.exclusions,
        reasons=tuple(ReasonTextMessage(code=code, text=text) for code, text in decision.reasons),
        missing=decision.missing,
    )
