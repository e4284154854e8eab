"""A log of decisions with what was shown and taken, as a market would keep it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np

from riskengine.products.suitability import Channel, Need
from riskengine.recommendation.feedback import (
    DecisionRecord,
    DisplayRecord,
    OutcomeKind,
    OutcomeRecord,
    Record,
    Shown,
    decision_record,
)
from riskengine.recommendation.followed import slate_of
from tests.recommendation.cases import answered, asked, insured

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
UNTIL = date(2026, 12, 31)


def decision_of(number: int, rng: np.random.Generator | None, **more: object) -> DecisionRecord:
    """A decision for a member of a few kinds."""
    who = asked(
        members=insured(age=30.0 + 10 * (number % 4)),
        stated=tuple(Need),
        household_income=60_000.0 * (1 + number % 3),
        **more,
    )
    made = answered("cn", who, rng)
    name = f"d{number}"
    return decision_record(made, (f"r{number}", name), AT, "a" * 64, f"m{number}")


def display_of(decision: DecisionRecord, plans: Sequence[str] | None = None) -> DisplayRecord:
    """The slate on a screen, or other plans."""
    slate = [one.plan for one in slate_of(decision)] if plans is None else plans
    premiums = {one.plan: one.premium or 0.0 for one in decision.candidates}
    return DisplayRecord(
        record_id=f"s{decision.record_id}",
        decision_id=decision.decision_id,
        recorded_at=AT,
        channel=Channel.APP,
        language="zh",
        shown=tuple(
            Shown(plan=plan, position=at, offered_cents=round(100 * premiums[plan]), in_view=True)
            for at, plan in enumerate(slate, start=1)
        ),
    )


def outcome_of(
    decision: DecisionRecord, plan: str, after: int = 2, kind: OutcomeKind = OutcomeKind.BIND
) -> OutcomeRecord:
    return OutcomeRecord(
        record_id=f"o{decision.record_id}{plan}",
        decision_id=decision.decision_id,
        recorded_at=AT + timedelta(days=after),
        plan=plan,
        kind=kind,
        happened_on=(AT + timedelta(days=after)).date(),
    )


def log(size: int, seed: int = 1) -> list[Record]:
    """Explored decisions, all shown; surgery is taken by half, anything else by a tenth."""
    rng = np.random.default_rng(seed)
    kept: list[Record] = []
    for number in range(size):
        decision = decision_of(number, rng)
        kept += [decision, display_of(decision)]
        kept += [
            outcome_of(decision, one.plan)
            for one in slate_of(decision)
            if rng.random() < (0.5 if one.plan.startswith("surgery") else 0.1)
        ]
    return kept
