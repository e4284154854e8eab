"""Records: what is kept comes back equal, and a line that says something odd is refused."""

import json
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from riskengine.errors import InputError
from riskengine.products.suitability import Channel, Need
from riskengine.recommendation.feedback import (
    ComplaintStatus,
    DecisionRecord,
    DisplayRecord,
    OutcomeKind,
    OutcomeRecord,
    OverrideRecord,
    Record,
    Shown,
    decision_record,
    from_json,
    to_json,
)
from tests.recommendation.cases import answered, asked, decided

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
IDS: dict[str, Any] = {"record_id": "r2", "decision_id": "d1", "recorded_at": AT}


def kept(rng: np.random.Generator | None = None) -> DecisionRecord:
    decision = answered("cn", asked(stated=tuple(Need)), rng, underwriting=decided({}))
    return decision_record(decision, ("r1", "d1"), AT, "a" * 64, "m1")


def outcome(kind: OutcomeKind, status: ComplaintStatus | None = None) -> OutcomeRecord:
    return OutcomeRecord(
        **IDS, plan="surgery_10k", kind=kind, happened_on=date(2026, 3, 2), status=status
    )


RECORDS: list[Record] = [
    DisplayRecord(
        **IDS,
        channel=Channel.APP,
        language="zh",
        shown=(
            Shown(plan="surgery_10k", position=1, offered_cents=8_040, in_view=True),
            Shown(plan="accident_100k", position=2, offered_cents=42_610, in_view=False),
        ),
    ),
    *(outcome(kind) for kind in OutcomeKind if kind is not OutcomeKind.COMPLAINT),
    outcome(OutcomeKind.COMPLAINT, ComplaintStatus.UPHELD),
    OverrideRecord(
        **IDS, agent_id="a7", reason="The member asked for it by name", plans=("cancer_100k",)
    ),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_equal_from_one_line(record: Record) -> None:
    line = to_json(record)
    assert "\n" not in line
    assert from_json(line) == record


def test_a_decision_keeps_every_candidate_with_codes_and_propensities() -> None:
    record = kept(np.random.default_rng(2))
    assert from_json(to_json(record)) == record
    assert len(record.candidates) == 21
    placed = sorted((c for c in record.candidates if c.place), key=lambda c: c.place or 0)
    assert [c.place for c in placed] == [1, 2, 3]
    assert record.propensity == pytest.approx(np.prod([c.propensity for c in placed]))
    assert all(c.codes and c.codes[-1] == "plan_exclusions" for c in placed)
    assert all(c.propensity is None for c in record.candidates if not c.place)
    million = next(c for c in record.candidates if c.plan == "million_medical_10k")
    gate = next(g for g in million.gates if g.gate == "underwriting")
    assert (gate.state, "diabetes" in gate.missing) == ("unknown", True)
    assert million.band == 1
    assert set(million.terms) == {"value", "affordability"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"propensity": 0.5}, "propensity 0.5 is not 1, that of the places"),
        ({"propensity": 0.0}, "propensity: Input should be greater than 0"),
        ({"recorded_at": "2026-03-01T09:30:00"}, "recorded_at: Input should have timezone info"),
        ({"margin": 0.1}, "margin: Extra inputs are not permitted"),
        ({"corrects": "r1"}, "record r1 corrects itself"),
        ({"decision_id": "../x"}, "decision_id: String should match pattern"),
        ({"record": "gossip"}, "does not match any of the expected tags"),
        ({"answer": "maybe"}, "answer: Input should be"),
    ],
)
def test_a_line_that_says_something_odd_is_refused(change: dict[str, Any], message: str) -> None:
    line = json.dumps({**json.loads(to_json(kept())), **change})
    with pytest.raises(InputError) as caught:
        from_json(line)
    assert message in str(caught.value)


def test_complaints_have_a_status_and_a_screen_shows_a_plan_once() -> None:
    for kind, status in (
        (OutcomeKind.COMPLAINT, None),
        (OutcomeKind.BIND, ComplaintStatus.OPEN),
    ):
        with pytest.raises(ValueError, match="a complaint has one, nothing else has"):
            outcome(kind, status)
    twice = [Shown(plan="p", position=n, offered_cents=1, in_view=True) for n in (1, 2)]
    with pytest.raises(ValueError, match="stand on a screen once"):
        DisplayRecord(**IDS, channel=Channel.APP, language="en", shown=tuple(twice))
    with pytest.raises(ValueError, match="frozen"):
        RECORDS[0].record_id = "r9"  # type: ignore[misc]
