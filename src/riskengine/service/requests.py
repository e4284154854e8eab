"""What may be asked over HTTP: bodies of requests, every value checked before anything is priced.

Fields may be added here, never renamed.
"""

from datetime import date
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from riskengine.vocabulary import Answer

EXAMPLE_ANSWERS: dict[str, Any] = {
    "age": 43,
    "sex": "female",
    "self_rated_health": "good",
    "chronic_disease_index": 14.0,
    "household_size": 4,
}
MOST_MEMBERS = 1_000
MOST_IN_HOUSEHOLD = 50
_PLAIN = frozenset({str, bool, int, float, type(None)})
_EARLIEST, _LATEST = date(1900, 1, 1), date(2200, 1, 1)


def _iso_text(value: object) -> object:
    if value is None or isinstance(value, date) or (isinstance(value, str) and len(value) == 10):
        return value
    message = "give a date as YYYY-MM-DD"
    raise ValueError(message)


IsoDate = Annotated[date, BeforeValidator(_iso_text), Field(ge=_EARLIEST, le=_LATEST)]
Named = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""An id or a name from outside: nothing that a database or a log cannot hold."""


def _plain_answers(given: object, validate: ValidatorFunctionWrapHandler) -> dict[str, Answer]:
    """Answers of JSON's own types are what they are; anything else is looked at one by one."""
    if type(given) is dict and _PLAIN.issuperset(map(type, given.values())):
        return given
    found: dict[str, Answer] = validate(given)
    return found


class Message(BaseModel):
    """Base of everything on the wire that is checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MemberAnswers(Message):
    """What is known of one member: answers, a stored profile by `member_id`, or both.

    Answers win over what is stored; an answer of null says that it is not known. Questions left
    without a value are priced as unknown and listed in the response.
    """

    member_id: Named | None = Field(
        default=None, description="A member whose profile was published to the serving store."
    )
    answers: Annotated[
        dict[str, Annotated[Answer, Field(union_mode="smart")]], WrapValidator(_plain_answers)
    ] = Field(
        default_factory=dict,
        description="Values by question name; GET /v1/products lists the questions.",
    )


class Terms(Message):
    """What is asked for, whoever asks."""

    market: Named | None = Field(
        default=None, description="The market; the first that is served if left out."
    )
    as_of: IsoDate | None = Field(
        default=None, description="First day of cover; today if left out."
    )
    plans: tuple[Named, ...] = Field(
        default=(),
        max_length=200,
        description="Plans to price, in this order; all of them if empty.",
    )

    @field_validator("plans")
    @classmethod
    def named_once(cls, plans: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(plans)) != len(plans):
            message = "a plan is named twice"
            raise ValueError(message)
        return plans


class MemberRequest(Terms, MemberAnswers):
    """One member, and what is asked for them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"answers": EXAMPLE_ANSWERS, "as_of": "2026-01-01", "plans": []},
            ]
        }
    )


class QuoteRequest(MemberRequest):
    """One member, or a household as a list of `members`; markets price households together."""

    members: tuple[MemberAnswers, ...] = Field(
        default=(), max_length=MOST_IN_HOUSEHOLD, description="A household, instead of one member."
    )
    payments: Annotated[int, Field(ge=1, le=366)] | None = Field(
        default=None, description="Instalments a year, where the market has them."
    )

    @model_validator(mode="after")
    def one_or_many(self) -> "QuoteRequest":
        if self.members and (self.answers or self.member_id is not None):
            message = "give `members`, or `member_id` and `answers` of one member, not both"
            raise ValueError(message)
        return self

    @property
    def household(self) -> tuple[MemberAnswers, ...]:
        """The members to price together, one or more."""
        return self.members or (self,)


class BatchRequest(Terms):
    """Up to a thousand members, each quoted alone: a row that is refused stops no other."""

    members: tuple[MemberAnswers, ...] = Field(min_length=1, max_length=MOST_MEMBERS)


class AcceptRequest(Message):
    """The plan of the quote that is bought."""

    plan: Named


class PromotionRequest(Message):
    """The registered version of a market's release that an alias is to point to, and why."""

    market: Named
    version: int = Field(ge=1, lt=2**31)
    alias: Named = Field(default="champion", description="champion prices, challenger shadows.")
    reason: Named = Field(description="What makes it right; kept with the version.")
