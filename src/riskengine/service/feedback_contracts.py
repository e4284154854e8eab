"""What may be told of a quote or a decision: what a screen showed, what came of it, an override.

The words are those of `riskengine.recommendation.feedback`, so that what is told over HTTP is the
log that recommendations are judged by.
"""

from datetime import UTC, date, datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, Field, JsonValue, RootModel, field_validator, model_validator

from riskengine.products.suitability import Channel
from riskengine.recommendation.feedback import (
    ComplaintStatus,
    DisplayRecord,
    Identifier,
    OutcomeKind,
    OutcomeRecord,
    OverrideRecord,
    Record,
    Shown,
)
from riskengine.service.requests import Message, Named

_EARLIEST, _LATEST = date(1900, 1, 1), date(2200, 1, 1)
_MOST_PLANS = 1_000
Money: TypeAlias = Annotated[str, Field(pattern=r"^\d{1,12}\.\d\d$", examples=["386.00"])]


class Told(Message):
    """What everything told says: of what, when, and of which earlier feedback it is the correction.

    `detail` is kept as it is and read by nobody here.
    """

    quote_id: Named | None = None
    decision_id: Named | None = None
    occurred_at: AwareDatetime
    corrects: Identifier | None = Field(
        default=None, description="The `feedback_id` of what was told wrongly; it no longer counts."
    )
    detail: dict[Named, JsonValue] = Field(default_factory=dict, max_length=50)

    @field_validator("occurred_at", mode="before")
    @classmethod
    def iso(cls, value: object) -> object:
        if not isinstance(value, str):
            message = "give a time as 2026-01-31T12:00:00Z"
            raise ValueError(message)  # noqa: TRY004  pydantic reports ValueError
        return value

    @field_validator("occurred_at")
    @classmethod
    def within(cls, value: datetime) -> datetime:
        try:
            there = value.astimezone(UTC)
        except OverflowError as error:
            message = "give a time of this age"
            raise ValueError(message) from error
        if not _EARLIEST <= there.date() <= _LATEST:
            message = f"give a time from {_EARLIEST} to {_LATEST}"
            raise ValueError(message)
        return there

    @model_validator(mode="after")
    def of_something(self) -> "Told":
        if (self.quote_id is None) == (self.decision_id is None):
            message = "give either quote_id or decision_id"
            raise ValueError(message)
        return self


class ShownMessage(Message):
    """A plan as it stood on a screen: `position` from 1, and the yearly premium that was read."""

    plan: Named
    position: int = Field(ge=1, le=_MOST_PLANS)
    premium: Money
    in_view: bool = Field(description="Whether it could be seen without scrolling.")


class DisplayFeedback(Told):
    """What was rendered, which need not be what was answered."""

    kind: Literal["display"]
    channel: Channel
    language: Literal["zh", "en"]
    shown: tuple[ShownMessage, ...] = Field(min_length=1, max_length=_MOST_PLANS)

    @field_validator("shown")
    @classmethod
    def each_once(cls, value: tuple[ShownMessage, ...]) -> tuple[ShownMessage, ...]:
        for told in ([one.plan for one in value], [one.position for one in value]):
            if len(set(told)) < len(told):
                message = "a plan and a position stand on a screen once"
                raise ValueError(message)
        return value

    @property
    def plans(self) -> tuple[str, ...]:
        """The plans it names."""
        return tuple(one.plan for one in self.shown)

    def record(self, ids: tuple[str, str], received_at: datetime) -> Record:  # noqa: ARG002
        """As it is judged, under `ids` (record, decision); a display is of when it was seen."""
        shown = tuple(
            Shown(
                plan=one.plan, position=one.position, in_view=one.in_view,
                offered_cents=int(one.premium.replace(".", "")),
            )
            for one in self.shown
        )  # fmt: skip
        return DisplayRecord(
            record_id=ids[0], decision_id=ids[1], recorded_at=self.occurred_at,
            corrects=self.corrects, channel=self.channel, language=self.language, shown=shown,
        )  # fmt: skip


class OutcomeFeedback(Told):
    """What a customer did with a plan, or what went wrong later."""

    kind: Literal[
        "detail", "quote", "apply", "bind",
        "cancel_in_14_days", "lapse_in_12_months", "complaint", "claim_denied",
    ]  # fmt: skip
    plan: Named | None = Field(default=None, description="Needed of a decision.")
    status: ComplaintStatus | None = Field(default=None, description="Of a complaint alone.")

    @model_validator(mode="after")
    def complete(self) -> "OutcomeFeedback":
        if self.plan is None and self.decision_id is not None:
            message = f"{self.kind} of a decision names its `plan`"
            raise ValueError(message)
        if (self.status is None) == (self.kind == "complaint"):
            message = "a complaint has a `status`, and nothing else has"
            raise ValueError(message)
        return self

    @property
    def plans(self) -> tuple[str, ...]:
        """The plans it names."""
        return () if self.plan is None else (self.plan,)

    def record(self, ids: tuple[str, str], received_at: datetime) -> Record:
        """As it is judged, under `ids` (record, decision)."""
        assert self.plan is not None
        return OutcomeRecord(
            record_id=ids[0], decision_id=ids[1], recorded_at=received_at, corrects=self.corrects,
            plan=self.plan, kind=OutcomeKind(self.kind), happened_on=self.occurred_at.date(),
            status=self.status,
        )  # fmt: skip


class OverrideFeedback(Told):
    """An agent's own plans in place of those recommended, and why."""

    kind: Literal["override"]
    agent_id: Identifier
    reason: str = Field(min_length=10, max_length=1_000)
    plans: tuple[Named, ...] = Field(max_length=_MOST_PLANS)

    def record(self, ids: tuple[str, str], received_at: datetime) -> Record:
        """As it is judged, under `ids` (record, decision)."""
        return OverrideRecord(
            record_id=ids[0], decision_id=ids[1], recorded_at=received_at, corrects=self.corrects,
            agent_id=self.agent_id, reason=self.reason, plans=self.plans,
        )  # fmt: skip


AnyFeedback: TypeAlias = DisplayFeedback | OutcomeFeedback | OverrideFeedback


class FeedbackRequest(RootModel[Annotated[AnyFeedback, Field(discriminator="kind")]]):
    """What came of a quote or of a decision; `kind` says what."""
