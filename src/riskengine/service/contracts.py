"""What travels over HTTP: requests and responses, and how engine results become responses.

Money is a decimal string; every other amount is a float in the currency of the response. Fields
may be added here, never renamed.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from riskengine.engine import Quote, Recommendation
from riskengine.pricing.premium import as_decimal
from riskengine.pricing.rating import PricedPlan
from riskengine.products.benefit import MedicalBenefit
from riskengine.profiles.questions import Question
from riskengine.release import Release
from riskengine.vocabulary import Answer, Operation, Text

EXAMPLE_ANSWERS: dict[str, Any] = {
    "age": 43,
    "sex": "female",
    "self_rated_health": "good",
    "chronic_disease_index": 14.0,
    "household_size": 4,
}


def _iso_text(value: object) -> object:
    if value is None or isinstance(value, date) or (isinstance(value, str) and len(value) == 10):
        return value
    message = "give a date as YYYY-MM-DD"
    raise ValueError(message)


IsoDate = Annotated[date, BeforeValidator(_iso_text)]


class Message(BaseModel):
    """Base of everything on the wire."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MemberRequest(Message):
    """What is known of one member: answers, a stored profile by `member_id`, or both.

    Answers win over what is stored; an answer of null says that it is not known. Questions left
    without a value are priced as unknown and listed in the response.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"answers": EXAMPLE_ANSWERS, "as_of": "2026-01-01", "plans": []},
            ]
        }
    )

    member_id: str | None = Field(
        default=None, description="A member whose profile was published to the serving store."
    )
    answers: dict[str, Annotated[Answer, Field(union_mode="smart")]] = Field(
        default_factory=dict,
        description="Values by question name; GET /v1/products lists the questions.",
    )
    as_of: IsoDate | None = Field(
        default=None, description="First day of cover; today if left out."
    )
    plans: tuple[str, ...] = Field(
        default=(), description="Plans to price, in this order; all of them if empty."
    )

    @field_validator("plans")
    @classmethod
    def named_once(cls, plans: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(plans)) != len(plans):
            message = "a plan is named twice"
            raise ValueError(message)
        return plans


class RelativityMessage(Message):
    factor: str
    value: Answer
    relativity: float


class StepMessage(Message):
    """`running` results from applying `operation` with `value` to the step before.

    The value of `round` is the number of decimals; it rounds half up.
    """

    name: str
    operation: Operation
    value: float
    running: float


class OfferMessage(Message):
    plan: str
    name: Text
    offered_premium: str = Field(description="A year, as a decimal string.")
    actuarial_value: float = Field(description="Share of the member's cost that the plan pays.")
    expected_out_of_pocket: float = Field(description="What the member is expected to pay a year.")
    base: float
    relativities: tuple[RelativityMessage, ...] = Field(
        description="base x all relativities = the first step"
    )
    steps: tuple[StepMessage, ...] = Field(description="Replaying them gives offered_premium.")


class QuoteResponse(Message):
    """`profile_as_of` is the date of the stored profile that was used, if one was."""

    quote_id: str
    release: str
    as_of: date
    member_id: str | None = None
    profile_as_of: date | None = None
    currency: str
    missing_answers: tuple[str, ...]
    offers: tuple[OfferMessage, ...]


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
    """`profile_as_of` is the date of the stored profile that was used, if one was."""

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


def quote_response(
    quote_id: str, release: Release, answers: Mapping[str, Answer], quote: Quote
) -> QuoteResponse:
    """A quote as it travels."""
    return QuoteResponse(
        quote_id=quote_id,
        release=release.hash,
        as_of=quote.as_of,
        currency=release.catalogue.currency,
        missing_answers=quote.missing,
        offers=tuple(_offer(release, answers, quote, offer) for offer in quote.offers),
    )


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
    relativities = zip(quote.relativities.names, quote.relativities.factors[0], strict=True)
    return OfferMessage(
        plan=offer.plan.plan,
        name=offer.plan.name,
        offered_premium=_premium(offer),
        actuarial_value=float(offer.actuarial_value[0]),
        expected_out_of_pocket=float(offer.expected_out_of_pocket[0]),
        base=quote.relativities.base,
        relativities=tuple(
            RelativityMessage(
                factor=name, value=cover.get(name, answers.get(name)), relativity=float(factor)
            )
            for name, factor in relativities
        ),
        steps=tuple(
            StepMessage(
                name=step.name,
                operation=step.operation,
                value=float(step.value[0]),
                running=float(step.running[0]),
            )
            for step in offer.chain.steps
        ),
    )


def _premium(offer: PricedPlan) -> str:
    return str(as_decimal(int(offer.chain.offered_cents[0])))
