"""Decisions with what was shown of them and what came of it, put together from their records.

A decision counts where its slate was shown as decided and its time to be taken is over; every other
one is counted under the reason why not. Left out: files, and any judgement of the outcomes.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from riskengine.errors import InputError
from riskengine.recommendation.feedback import (
    Candidate,
    DecisionRecord,
    DisplayRecord,
    OutcomeKind,
    OutcomeRecord,
    OverrideRecord,
    Record,
)

DAYS = 30
"""Within so many days of a display an offer is taken, or it is not."""


class LeftOut(StrEnum):
    """Why a decision does not count."""

    NOTHING_OFFERED = "nothing_offered"
    OVERRIDDEN = "overridden"
    NOT_DISPLAYED = "not_displayed"
    DISPLAYED_OTHERWISE = "displayed_otherwise"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Followed:
    """A decision whose slate was shown, and the plans of it with the outcome within the days."""

    decision: DecisionRecord
    display: DisplayRecord
    taken: frozenset[str]

    @property
    def slate(self) -> tuple[Candidate, ...]:
        """The candidates that were placed, in their order."""
        return slate_of(self.decision)

    @property
    def shown_on(self) -> date:
        return self.display.recorded_at.date()


@dataclass(frozen=True)
class FollowedLog:
    """The decisions that count, in the order of the log, and how many do not, by reason."""

    decisions: tuple[Followed, ...]
    left_out: Mapping[LeftOut, int]


def slate_of(decision: DecisionRecord) -> tuple[Candidate, ...]:
    """The candidates of a decision that were placed, in their order."""
    placed = [one for one in decision.candidates if one.place is not None]
    return tuple(sorted(placed, key=lambda one: one.place or 0))


def follow(
    records: Iterable[Record],
    observed_until: date,
    kind: OutcomeKind = OutcomeKind.BIND,
    days: int = DAYS,
) -> FollowedLog:
    """Put records together; an outcome of `kind` counts within `days` of the day of display.

    `observed_until` is the last day up to which all outcomes are known. A record that another one
    corrects does not count. Raises `InputError` for two decisions of one id, and for a record of a
    decision that is not in the log.
    """
    given = list(records)
    corrected = {one.corrects for one in given}
    standing = [one for one in given if one.record_id not in corrected]
    decisions = _decisions(standing)
    displays: dict[str, list[DisplayRecord]] = {}
    outcomes: dict[str, list[OutcomeRecord]] = {}
    overridden = set()
    for one in standing:
        _require_decision(one, decisions)
        if isinstance(one, DisplayRecord):
            displays.setdefault(one.decision_id, []).append(one)
        elif isinstance(one, OutcomeRecord) and one.kind is kind:
            outcomes.setdefault(one.decision_id, []).append(one)
        elif isinstance(one, OverrideRecord):
            overridden.add(one.decision_id)
    found, left_out = [], Counter[LeftOut]()
    for name, decision in decisions.items():
        shown = displays.get(name, [])
        why = _left_out(decision, shown, name in overridden)
        if why is None and shown[0].recorded_at.date() + timedelta(days=days) > observed_until:
            why = LeftOut.UNDECIDED
        if why is not None:
            left_out[why] += 1
            continue
        found.append(_followed(decision, shown[0], outcomes.get(name, []), days))
    return FollowedLog(tuple(found), dict(left_out))


def _decisions(records: Sequence[Record]) -> dict[str, DecisionRecord]:
    found: dict[str, DecisionRecord] = {}
    for one in records:
        if isinstance(one, DecisionRecord):
            if one.decision_id in found:
                message = (
                    f"decision {one.decision_id} is there twice: let the later record correct the"
                    " earlier one"
                )
                raise InputError(message)
            found[one.decision_id] = one
    return found


def _require_decision(one: Record, decisions: Mapping[str, DecisionRecord]) -> None:
    if one.decision_id not in decisions:
        message = f"record {one.record_id} is of decision {one.decision_id}, which is not there"
        raise InputError(message)


def _left_out(
    decision: DecisionRecord, displays: Sequence[DisplayRecord], overridden: bool
) -> LeftOut | None:
    slate = tuple(one.plan for one in slate_of(decision))
    if not slate:
        return LeftOut.NOTHING_OFFERED
    if overridden:
        return LeftOut.OVERRIDDEN
    if not displays:
        return LeftOut.NOT_DISPLAYED
    for display in displays:
        if tuple(one.plan for one in sorted(display.shown, key=lambda s: s.position)) != slate:
            return LeftOut.DISPLAYED_OTHERWISE
    return None


def _followed(
    decision: DecisionRecord,
    display: DisplayRecord,
    outcomes: Sequence[OutcomeRecord],
    days: int,
) -> Followed:
    first = display.recorded_at.date()
    slate = {one.plan for one in slate_of(decision)}
    taken = {
        one.plan for one in outcomes if first <= one.happened_on < first + timedelta(days=days)
    }
    return Followed(decision, display, frozenset(taken & slate))
