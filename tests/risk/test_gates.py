"""The gates, one number at a time."""

from dataclasses import replace
from pathlib import Path

import pytest

from riskengine.risk.diagnostics import Interval
from riskengine.risk.findings import read_findings, to_json
from riskengine.risk.gates import Bounds, Champion, Findings, Outcome, Ratio, decide

ONE = Ratio("all rows", 1.0, 0.98, 1.02)
GOOD = Findings((ONE,), ONE, (ONE,), (ONE,), 1, ())
BETTER = Champion("version 1", Interval(0.2, 0.1, 0.3))


def refused(findings: Findings, champion: Champion = BETTER) -> list[str]:
    return [gate.name for gate in decide(findings, champion, Bounds()).refused]


def test_a_good_model_passes_every_gate() -> None:
    found = decide(GOOD, BETTER, Bounds())
    assert found.holds
    assert {gate.outcome for gate in found.gates} == {Outcome.PASSED}


@pytest.mark.parametrize(
    ("ratio", "holds"), [(1.01, True), (0.99, True), (1.0101, False), (0.98, False)]
)
def test_the_level_is_held_to_one_percent(ratio: float, holds: bool) -> None:
    found = replace(GOOD, balance=(Ratio("all rows", ratio, 0.9, 1.1),))
    assert (refused(found) == []) is holds


def test_a_rare_class_is_held_only_beyond_chance() -> None:
    by_chance = (ONE, Ratio("phone", 1.2, 0.95, 1.5))
    surely = (ONE, Ratio("phone", 1.2, 1.1, 1.3))
    assert refused(replace(GOOD, balance=by_chance)) == []
    assert refused(replace(GOOD, balance=surely)) == ["balance"]


@pytest.mark.parametrize(
    ("difference", "holds"),
    [
        (Interval(0.1, -0.1, 0.3), True),
        (Interval(-0.1, -0.3, 0.1), True),
        (Interval(-0.2, -0.3, -0.1), False),
    ],
)
def test_a_candidate_may_be_worse_by_chance_but_not_beyond(
    difference: Interval, holds: bool
) -> None:
    assert (refused(GOOD, Champion("version 1", difference)) == []) is holds


def test_a_champion_that_cannot_be_paired_refuses_and_says_why() -> None:
    found = decide(GOOD, Champion("version 1", None, "trained on different rows"), Bounds())
    (gate,) = found.refused
    assert (gate.name, gate.value) == ("champion", "version 1: trained on different rows")
    assert decide(GOOD, Champion(), Bounds()).holds


@pytest.mark.parametrize(
    ("shrunk", "holds"), [(1.25, True), (0.8, True), (1.26, False), (0.79, False)]
)
def test_the_worst_segment_counts_after_shrinkage(shrunk: float, holds: bool) -> None:
    found = replace(GOOD, segment=Ratio("region east", shrunk, 0.1, 9.0))
    assert (refused(found) == []) is holds


def test_deciles_and_groups_are_judged_by_the_near_end_of_their_interval() -> None:
    far = Ratio("decile 10", 1.4, 1.11, 1.7)
    wide = Ratio("decile 1", 3.0, 1.09, 9.0)
    assert refused(replace(GOOD, deciles=(ONE, wide))) == []
    assert refused(replace(GOOD, deciles=(ONE, far))) == ["calibration"]
    assert refused(replace(GOOD, groups=(ONE, Ratio("sex female", 0.9, 0.85, 0.94)))) == [
        "fairness"
    ]
    assert refused(replace(GOOD, groups=(ONE, Ratio("sex female", 0.9, 0.85, 0.96)))) == []


def test_what_was_not_asked_is_no_reason_and_what_was_not_measured_is() -> None:
    assert refused(replace(GOOD, groups=None, promised=0, broken=None)) == []
    assert refused(replace(GOOD, broken=("age",))) == ["promises"]
    assert refused(replace(GOOD, broken=None)) == ["promises"]
    assert refused(Findings()) == ["balance", "worst segment", "calibration"]


def test_findings_come_back_from_their_file(tmp_path: Path) -> None:
    nothing = Ratio("decile 1", 0.0, 0.0, float("inf"))
    found = replace(GOOD, deciles=(nothing, ONE), groups=None)
    (tmp_path / "findings.json").write_text(to_json(found))
    assert read_findings(tmp_path) == found
    assert nothing.beyond_chance == 0
    (tmp_path / "findings.json").unlink()
    assert read_findings(tmp_path) == Findings()
