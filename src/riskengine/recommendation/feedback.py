"""What is kept of recommendations and what came of them: append-only records, one JSON line each.

A record is never changed; one that was wrong is followed by another that `corrects` it. A decision
keeps every candidate with codes and probabilities, so that what was not shown can be judged later;
a display is what a screen really showed, which need not be what was decided. Left out: the store
and the route that takes them in.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from riskengine.errors import InputError
from riskengine.products.suitability import Channel, Need
from riskengine.recommendation.asked import Mode
from riskengine.recommendation.gates import Gate, GateResult, Note, State
from riskengine.recommendation.recommend import Answer, AnswerCode, Decision, Item
from riskengine.recommendation.scoring import Scored, Term
from riskengine.recommendation.statements import Code
from riskengine.vocabulary import Frozen, Text

_TOLERANCE = 1e-9
Identifier: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Probability: TypeAlias = Annotated[float, Field(gt=0, le=1)]
Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]


class OutcomeKind(StrEnum):
    """What a customer did, in the order it can happen, or what went wrong later."""

    DETAIL = "detail"
    QUOTE = "quote"
    APPLY = "apply"
    BIND = "bind"
    CANCEL_IN_14_DAYS = "cancel_in_14_days"
    LAPSE_IN_12_MONTHS = "lapse_in_12_months"
    COMPLAINT = "complaint"
    CLAIM_DENIED = "claim_denied"


class ComplaintStatus(StrEnum):
    OPEN = "open"
    UPHELD = "upheld"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Record(Frozen):
    """What every record says: its own name, the decision it is of, and when it was made."""

    record_id: Identifier
    decision_id: Identifier
    recorded_at: AwareDatetime
    corrects: Identifier | None = None

    @model_validator(mode="after")
    def corrects_another(self) -> "Record":
        if self.corrects == self.record_id:
            message = f"record {self.record_id} corrects itself: name the earlier one"
            raise ValueError(message)
        return self


class GateTold(Frozen):
    """A gate that did not simply pass."""

    gate: Gate
    state: State
    note: Note | None = None
    missing: tuple[str, ...] = ()


class Candidate(Frozen):
    """A plan of the catalogue as it was judged; scores are None where it was not scored.

    `propensity` is the probability it was drawn for its place on the slate, None where it has none.
    """

    plan: str
    gates: tuple[GateTold, ...] = ()
    band: Annotated[int, Field(ge=1, le=3)] | None = None
    terms: dict[Term, Finite] = Field(default_factory=dict)
    premium: Finite | None = None
    worth: Finite | None = None
    take_up: Annotated[float, Field(ge=0, le=1)] | None = None
    dominated_by: str | None = None
    place: Annotated[int, Field(ge=1)] | None = None
    propensity: Probability | None = None
    codes: tuple[Code, ...] = ()


class DecisionRecord(Record):
    """A decision with all candidates, in the order of the catalogue."""

    record: Literal["decision"] = "decision"
    member_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    market: str
    as_of: date
    mode: Mode
    release: str
    policy: str
    answer: Answer
    code: AnswerCode
    explored: bool
    propensity: Probability
    candidates: tuple[Candidate, ...]
    unmet_needs: tuple[Need, ...]
    demands_and_needs: Text
    missing_inputs: tuple[str, ...]

    @model_validator(mode="after")
    def propensities_multiply(self) -> "DecisionRecord":
        placed = [one for one in self.candidates if one.place is not None]
        if sorted(one.place or 0 for one in placed) != list(range(1, len(placed) + 1)):
            message = "places on the slate must count from 1, each once"
            raise ValueError(message)
        product = 1.0
        for one in placed:
            product *= one.propensity or 0.0
        if abs(product - self.propensity) > _TOLERANCE:
            message = f"propensity {self.propensity:g} is not {product:g}, that of the places"
            raise ValueError(message)
        return self


class Shown(Frozen):
    """A plan as it stood on a screen: `position` from 1, and the premium in cents that was read."""

    plan: str
    position: int = Field(ge=1)
    offered_cents: int = Field(ge=0)
    in_view: bool


def _each_once(shown: tuple[Shown, ...]) -> tuple[Shown, ...]:
    for told in ([one.plan for one in shown], [one.position for one in shown]):
        if len(set(told)) < len(told):
            message = f"{told}: a plan and a position stand on a screen once"
            raise ValueError(message)
    return shown


class DisplayRecord(Record):
    """What was rendered, as the front end reports it; not what was decided."""

    record: Literal["display"] = "display"
    channel: Channel
    language: Literal["zh", "en"]
    shown: Annotated[tuple[Shown, ...], Field(min_length=1), AfterValidator(_each_once)]


class OutcomeRecord(Record):
    """One thing that came of a plan shown; a complaint has a `status`, and nothing else has."""

    record: Literal["outcome"] = "outcome"
    plan: str
    kind: OutcomeKind
    happened_on: date
    status: ComplaintStatus | None = None

    @model_validator(mode="after")
    def complaints_have_a_status(self) -> "OutcomeRecord":
        if (self.status is None) == (self.kind is OutcomeKind.COMPLAINT):
            message = f"status {self.status} of {self.kind}: a complaint has one, nothing else has"
            raise ValueError(message)
        return self


class OverrideRecord(Record):
    """An agent's own slate in place of the one decided, and why."""

    record: Literal["override"] = "override"
    agent_id: Identifier
    reason: str = Field(min_length=10)
    plans: tuple[str, ...]


AnyRecord: TypeAlias = Annotated[
    DecisionRecord | DisplayRecord | OutcomeRecord | OverrideRecord, Field(discriminator="record")
]
_RECORDS: TypeAdapter[AnyRecord] = TypeAdapter(AnyRecord)


def to_json(record: Record) -> str:
    """A record as one line of JSON; `from_json` gives an equal one back."""
    return record.model_dump_json()


def from_json(line: str) -> Record:
    """The record written in a line of JSON.

    Raises `InputError` naming what is wrong with it; nothing is filled in or taken over in part.
    """
    try:
        return _RECORDS.validate_json(line)
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:5]
        )
        message = f"not a record of a recommendation: {told}"
        raise InputError(message) from error


def decision_record(
    decision: Decision, ids: tuple[str, str], at: datetime, release: str, member_id: str | None
) -> DecisionRecord:
    """A decision as it is kept, under `ids` (record, decision), by the `release` that made it."""
    scored = {one.plan.plan: one for one in decision.considered}
    items = {one.scored.plan.plan: (at_, one) for at_, one in enumerate(decision.items, start=1)}
    return DecisionRecord(
        record_id=ids[0],
        decision_id=ids[1],
        recorded_at=at,
        member_id=member_id,
        market=decision.market,
        as_of=decision.as_of,
        mode=decision.mode,
        release=release,
        policy=decision.policy,
        answer=decision.answer,
        code=decision.code,
        explored=decision.explored,
        propensity=decision.propensity,
        candidates=tuple(
            _candidate(plan, results, scored.get(plan), items.get(plan))
            for plan, results in decision.gates.items()
        ),
        unmet_needs=decision.unmet_needs,
        demands_and_needs=decision.demands_and_needs,
        missing_inputs=decision.missing_inputs,
    )


def _candidate(
    plan: str,
    results: tuple[GateResult, ...],
    one: Scored | None,
    placed: tuple[int, Item] | None,
) -> Candidate:
    told = tuple(
        GateTold(gate=r.gate, state=r.state, note=r.note, missing=r.missing)
        for r in results
        if r.state is not State.PASS or r.note is not None
    )
    if one is None:
        return Candidate(plan=plan, gates=told)
    return Candidate(
        plan=plan,
        gates=told,
        band=one.band,
        terms=dict(one.terms),
        premium=one.value.premium,
        worth=one.value.worth,
        take_up=one.take_up,
        dominated_by=one.value.dominated_by,
        place=placed[0] if placed else None,
        propensity=placed[1].propensity if placed else None,
        codes=tuple(s.code for s in placed[1].statements) if placed else (),
    )
