"""What is answered about the study's plans: quotes, recommendations, products.

Money is a decimal string; every other amount is a float in the currency of the response. Fields
may be added here, never renamed. Quotes are typed dictionaries, for they are built at each request:
a model that checks what we wrote ourselves would cost more than the price.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from riskengine.engine import Quote, Recommendation
from riskengine.pricing.one_member import PlannedStep
from riskengine.pricing.premium import Step, StepUnit, money_text, unit_of
from riskengine.pricing.rating import PricedPlan
from riskengine.products.benefit import MedicalBenefit
from riskengine.profiles.questions import Question
from riskengine.release import Release
from riskengine.service.requests import Message
from riskengine.vocabulary import Answer, Operation, Text


class TextMessage(TypedDict):
    """One text in both languages."""

    zh: str
    en: str


class RelativityMessage(TypedDict):
    factor: str
    value: Answer
    relativity: float


class StepMessage(TypedDict):
    """`running` results from applying `operation` with `value`, whose unit `units` tells by name.

    The value of `round` is the number of decimals; it rounds half up. A limit of null does not
    bind.
    """

    name: str
    operation: Operation
    value: float | None
    running: float


class OfferMessage(TypedDict):
    plan: str
    name: TextMessage
    offered_premium: Annotated[str, Field(description="A year, as a decimal string.")]
    actuarial_value: Annotated[
        float, Field(description="Share of the member's cost that the plan pays.")
    ]
    expected_out_of_pocket: Annotated[
        float, Field(description="What the member is expected to pay a year.")
    ]
    base: float
    relativities: Annotated[
        list[RelativityMessage], Field(description="base x all relativities = the first step")
    ]
    steps: Annotated[list[StepMessage], Field(description="Replaying them gives offered_premium.")]


class PricesBody(TypedDict):
    """What the study's plans cost one member; `profile_as_of` dates the stored profile used."""

    market: str
    release: str
    as_of: date
    member_id: str | None
    profile_as_of: date | None
    currency: str
    missing_answers: list[str]
    units: dict[str, StepUnit]
    offers: list[OfferMessage]


class ReasonMessage(Message):
    code: str
    polarity: str
    source: str
    parameters: dict[str, float]
    text: Text


class RecommendationItem(Message):
    rank: int
    plan: str
    name: Text
    offered_premium: str
    worth: float
    expected_out_of_pocket: float
    bad_year_out_of_pocket: float
    bad_year_without_cover: float
    chance_of_maximum: float | None
    reasons: tuple[ReasonMessage, ...]


class NotOffered(Message):
    plan: str
    code: str
    value: str
    allowed: str


class RecommendationResponse(Message):
    """Plans in order, with reasons; `profile_as_of` dates the stored profile that was used."""

    decision_id: str
    release: str
    as_of: date
    member_id: str | None = None
    profile_as_of: date | None = None
    currency: str
    missing_answers: tuple[str, ...]
    items: tuple[RecommendationItem, ...]
    not_offered: tuple[NotOffered, ...]


class ProductMessage(Message):
    plan: str
    name: Text
    summary: Text
    exclusions: Text
    how_to_claim: Text
    minimum_age: int
    maximum_age: int
    effective_from: date
    benefit: MedicalBenefit


class ProductsResponse(Message):
    release: str
    market: str
    currency: str
    questions: tuple[Question, ...]
    products: tuple[ProductMessage, ...]


def prices_body(release: Release, answers: Mapping[str, Answer], quote: Quote) -> PricesBody:
    """Prices as they travel; whose they are is for the caller to say."""
    return {
        "market": release.catalogue.market,
        "release": release.hash,
        "as_of": quote.as_of,
        "member_id": None,
        "profile_as_of": None,
        "currency": release.catalogue.currency,
        "missing_answers": list(quote.missing),
        "units": units_message(s for offer in quote.offers for s in offer.chain.steps),
        "offers": [_offer(release, answers, quote, offer) for offer in quote.offers],
    }


def units_message(steps: Iterable[Step | PlannedStep]) -> dict[str, StepUnit]:
    """The unit of the value of each step, by its name."""
    return {step.name: unit_of(step.name, step.operation) for step in steps}


def text_message(text: Text) -> TextMessage:
    """A text as it travels."""
    return {"zh": text.zh, "en": text.en}


def steps_message(steps: tuple[Step, ...], row: int) -> list[StepMessage]:
    """The steps of the member in `row` as they travel; NaN, a limit that is none, as null."""
    told: list[StepMessage] = []
    for step in steps:
        value = float(step.value[row])
        told.append(
            {
                "name": step.name,
                "operation": step.operation,
                "value": value if value == value else None,
                "running": float(step.running[row]),
            }
        )
    return told


def recommendation_response(
    decision_id: str, release: Release, as_of: date, result: Recommendation
) -> RecommendationResponse:
    """A recommendation as it travels."""
    items = tuple(
        RecommendationItem(
            rank=rank,
            plan=item.priced.plan.plan,
            name=item.priced.plan.name,
            offered_premium=_premium(item.priced),
            worth=item.worth,
            expected_out_of_pocket=float(item.priced.expected_out_of_pocket[0]),
            bad_year_out_of_pocket=item.bad_year_with,
            bad_year_without_cover=item.bad_year_without,
            chance_of_maximum=item.chance_of_maximum,
            reasons=tuple(
                ReasonMessage(
                    code=reason.code,
                    polarity=reason.polarity,
                    source=reason.source,
                    parameters=reason.parameters,
                    text=reason.text,
                )
                for reason in reasons
            ),
        )
        for rank, (item, reasons) in enumerate(result.items, start=1)
    )
    return RecommendationResponse(
        decision_id=decision_id,
        release=release.hash,
        as_of=as_of,
        currency=release.catalogue.currency,
        missing_answers=result.missing,
        items=items,
        not_offered=tuple(
            NotOffered(plan=f.plan, code=f.gate, value=f.value, allowed=f.allowed)
            for f in result.not_offered
        ),
    )


def products_response(release: Release) -> ProductsResponse:
    """The catalogue and the questions, with their texts in both languages."""
    return ProductsResponse(
        release=release.hash,
        market=release.catalogue.market,
        currency=release.catalogue.currency,
        questions=release.questions,
        products=tuple(
            ProductMessage(
                plan=plan.plan,
                name=plan.name,
                summary=plan.summary,
                exclusions=plan.exclusions,
                how_to_claim=plan.how_to_claim,
                minimum_age=plan.entry_age.minimum,
                maximum_age=plan.entry_age.maximum,
                effective_from=plan.effective_from,
                benefit=plan.benefit,
            )
            for plan in release.catalogue.plans
        ),
    )


def _offer(
    release: Release, answers: Mapping[str, Answer], quote: Quote, offer: PricedPlan
) -> OfferMessage:
    cover = release.medical_spend.spec.features.cover
    factors = quote.relativities.factors[0].tolist()
    return {
        "plan": offer.plan.plan,
        "name": text_message(offer.plan.name),
        "offered_premium": _premium(offer),
        "actuarial_value": float(offer.actuarial_value[0]),
        "expected_out_of_pocket": float(offer.expected_out_of_pocket[0]),
        "base": quote.relativities.base,
        "relativities": [
            {"factor": name, "value": cover.get(name, answers.get(name)), "relativity": factor}
            for name, factor in zip(quote.relativities.names, factors, strict=True)
        ],
        "steps": steps_message(offer.chain.steps, 0),
    }


def _premium(offer: PricedPlan) -> str:
    return money_text(int(offer.chain.offered_cents[0]))
