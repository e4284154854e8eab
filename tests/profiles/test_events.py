"""Events from diagnoses on claim lines, on tables small enough to count by hand."""

from datetime import date

import pyarrow as arrow

from riskengine.profiles.events import count_events
from riskengine.vocabulary import Service

STAGES = {"early": ("D05", "C44"), "severe": ("C",)}


def tables(lines: list[tuple[str, str, str, float, str | None, str]]) -> dict[str, arrow.Table]:
    """Lines of (claim, policy, service, amount, reversal of, codes with a comma); one member."""
    names = [line[0] for line in lines]
    codes = [(line[0], code) for line in lines for code in line[5].split(",") if code]
    return {
        "claims": arrow.table(
            {
                "claim_id": names,
                "member_id": ["m"] * len(lines),
                "policy_id": [line[1] for line in lines],
                "service": [line[2] for line in lines],
                "service_date": [date(2024, 1, 1 + n) for n in range(len(lines))],
                "allowed_amount": [line[3] for line in lines],
                "reversal_of": arrow.array([line[4] for line in lines], arrow.string()),
            }
        ),
        "diagnoses": arrow.table(
            {"claim_id": [c for c, _ in codes], "icd10": [code for _, code in codes]}
        ),
    }


def counted(
    lines: list[tuple[str, str, str, float, str | None, str]], *, first_only: bool = False
) -> dict[str, list[int]]:
    policies = arrow.chunked_array([["p1", "p2"]])
    found = count_events(
        tables(lines), policies, STAGES, (Service.INPATIENT,), first_only=first_only
    )
    return {stage: count.tolist() for stage, count in found.items()}


def test_a_line_is_one_event_of_its_hardest_stage() -> None:
    lines = [
        ("1", "p1", "inpatient", 10.0, None, "D05.1,C50.9"),
        ("2", "p2", "inpatient", 5.0, None, "D051"),
    ]
    assert counted(lines) == {"early": [0, 1], "severe": [1, 0]}


def test_a_code_of_two_stages_is_of_the_harder_one() -> None:
    assert counted([("1", "p1", "inpatient", 1.0, None, "C44.9")]) == {
        "early": [0, 0],
        "severe": [1, 0],
    }


def test_other_services_other_codes_and_lines_taken_back_are_no_events() -> None:
    lines = [
        ("1", "p1", "outpatient", 10.0, None, "C50.9"),
        ("2", "p1", "inpatient", 10.0, None, "J18.9"),
        ("3", "p1", "inpatient", 10.0, None, "C50.9"),
        ("4", "p1", "inpatient", -10.0, "3", ""),
        ("5", "p9", "inpatient", 10.0, None, "C50.9"),
    ]
    assert counted(lines) == {"early": [0, 0], "severe": [0, 0]}


def test_a_line_taken_back_by_half_stands() -> None:
    lines = [("1", "p1", "inpatient", 10.0, None, "C50.9"), ("2", "p1", "inpatient", -5.0, "1", "")]
    assert counted(lines) == {"early": [0, 0], "severe": [1, 0]}


def test_an_illness_that_stays_counts_once_at_its_first_day() -> None:
    lines = [
        ("1", "p1", "inpatient", 1.0, None, "C50.9"),
        ("2", "p2", "inpatient", 1.0, None, "C50.9"),
    ]
    assert counted(lines) == {"early": [0, 0], "severe": [1, 1]}
    assert counted(lines, first_only=True) == {"early": [0, 0], "severe": [1, 0]}
