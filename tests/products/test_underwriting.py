import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.errors import AnswerError, InputError, SpecError
from riskengine.products.rate_book_read import read_editions, read_underwriting
from riskengine.products.underwriting import Outcome, Severity, answer_problems, underwrite
from riskengine.vocabulary import Columns
from tests.conftest import CATALOGUE
from tests.products.test_load import edit

EDITIONS = read_editions(CATALOGUE / "cn")
RULES = read_underwriting(CATALOGUE / "cn", EDITIONS)
HEALTHY = {
    "cancer_history": "no", "diabetes": "no", "glycated_haemoglobin": 5.0,
    "systolic_pressure": 120.0, "body_mass_index": 23.0, "thyroid_nodule": "none",
}  # fmt: skip


def columns(*members: dict[str, object]) -> Columns:
    return {name: np.array([m.get(name) for m in members], dtype=object) for name in RULES.fields}


def test_all_members_at_once_are_decided_as_one_by_one() -> None:
    members: list[dict[str, object]] = [
        {**HEALTHY},
        {**HEALTHY, "body_mass_index": 30.0},
        {**HEALTHY, "thyroid_nodule": "grade_2", "body_mass_index": 34.9},
        {**HEALTHY, "systolic_pressure": None},
        {**HEALTHY, "diabetes": "yes", "glycated_haemoglobin": 8.5, "systolic_pressure": None},
    ]
    book = underwrite(RULES, columns(*members), 5, 0.5)
    assert [book.of(row).outcome for row in range(5)] == [
        Outcome.ACCEPT, Outcome.LOAD, Outcome.EXCLUDE, Outcome.REFER, Outcome.DECLINE,
    ]  # fmt: skip
    assert book.loading.tolist() == [0.0, 0.2, 0.2, 0.0, 0.0]
    for row, member in enumerate(members):
        assert underwrite(RULES, columns(member), 1, 0.5).of(0) == book.of(row)
    excluded = book.of(2)
    assert excluded.exclusions[0].zh.startswith("甲状腺结节")
    assert {name for name, _ in excluded.reasons} == {"body_mass_index_high", "thyroid_nodule"}
    assert all(text.zh and text.en for _, text in excluded.reasons)
    assert book.of(3).missing == ("systolic_pressure",)


def test_loadings_above_what_the_rate_book_allows_refer() -> None:
    member = {**HEALTHY, "diabetes": "yes", "body_mass_index": 31.0}
    found = underwrite(RULES, columns(member), 1, 0.4).of(0)
    assert found.outcome is Outcome.REFER
    assert found.reasons[-1][0] == "loading_too_high"
    assert underwrite(RULES, columns(member), 1, 0.5).of(0).outcome is Outcome.LOAD


@settings(max_examples=50)
@given(st.sampled_from(sorted(HEALTHY)), st.sampled_from(["yes", "no"]), st.floats(10, 79))
def test_a_missing_answer_changes_nothing_or_refers(
    dropped: str, diabetes: str, mass: float
) -> None:
    member: dict[str, object] = {**HEALTHY, "diabetes": diabetes, "body_mass_index": mass}
    full = underwrite(RULES, columns(member), 1, 0.5).severity[0]
    less = underwrite(RULES, columns({**member, dropped: None}), 1, 0.5)
    if less.severity[0] < Severity.REFER:
        assert less.severity[0] == full
        assert not less.open_.any()
    else:
        assert less.of(0).outcome in {Outcome.REFER, Outcome.DECLINE}


def test_answers_that_can_be_none_are_named() -> None:
    bad = columns({**HEALTHY, "diabetes": "maybe"}, {**HEALTHY, "body_mass_index": 500.0})
    assert [(p.row, p.field, p.value) for p in answer_problems(RULES, bad)] == [
        (0, "diabetes", "maybe"), (1, "body_mass_index", "500.0"),
    ]  # fmt: skip
    with pytest.raises(AnswerError, match="must be a number from 8 to 80 kg/m2"):
        underwrite(RULES, bad, 2, 0.5)
    with pytest.raises(InputError, match="column cancer_history has 2 rows, not 3"):
        underwrite(RULES, bad, 3, 0.5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("at_least: 160", "above: 160", "rules.3.when.0.above is not known here"),
        ("at_least: 160", "at_least: 160, below: 200", "needs exactly one of at_least, below"),
        ("at_least: 160", "one_of: [high]", "is a number from 60 to 260 mmHg: use at_least"),
        ("{field: systolic_pressure, at_least", "{field: systole, at_least", "not under `answers`"),
        ("[grade_4, grade_5]", "[grade_6]", "thyroid_nodule is never grade_6: mend or list it"),
        ("loading: {value: 0.3", "loading: {value: 0.7", "=0.7 is above the 0.5 that edition"),
        ("rule: cancer_history", "rule: diabetes_controlled", "is there twice: rename one"),
        ("outcome: refer", "outcome: postpone", "rules.3.outcome='postpone'"),
        ("    exclusion: {", "    note: {", "rules.6.note is not known here"),
        ("market: cn", "market: us_aca", "market=us_aca but the rate book is for cn"),
    ],
)  # fmt: skip
def test_a_broken_rule_names_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = Path(shutil.copy(CATALOGUE / "cn" / "underwriting.yaml", tmp_path))
    edit(path, old, new)
    with pytest.raises(SpecError) as caught:
        read_underwriting(tmp_path, EDITIONS)
    assert message in str(caught.value)
    assert f"{path}:" in str(caught.value)


GENETIC = """
  - rule: carrier
    when: [{field: genetic_test, one_of: [carrier]}]
    outcome: load
    reason: {zh: 携带, en: Carrier}
    loading: {value: 0.3, unit: x, basis: illustrative, effective_from: 2025-01-01, reference: x}
"""


def test_what_the_law_of_china_forbids_is_not_underwritten(tmp_path: Path) -> None:
    path = Path(shutil.copy(CATALOGUE / "cn" / "underwriting.yaml", tmp_path))
    edit(path, "answers:\n", "answers:\n  - {field: genetic_test, levels: [clear, carrier]}\n")
    path.write_text(path.read_text(encoding="utf-8").rstrip() + GENETIC, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        read_underwriting(tmp_path, EDITIONS)
    assert str(caught.value).startswith(
        f"{path}:9: answers.0.field: genetic_test may not move a premium in market cn (rule"
        " no_genetic_information: 《健康保险管理办法》"
    )
    assert str(caught.value).endswith(
        ": take it out of `answers`, and out of the rules that read it"
    )


@pytest.mark.parametrize("field", ["diabetes", "sex", "genetic_information"])
def test_what_the_law_of_the_united_states_forbids_is_not_underwritten(
    tmp_path: Path, field: str
) -> None:
    path = Path(shutil.copy(CATALOGUE / "us_aca" / "underwriting.yaml", tmp_path))
    edit(path, "answers: []", f'answers: [{{field: {field}, levels: ["yes", "no"]}}]')
    with pytest.raises(SpecError) as caught:
        read_underwriting(tmp_path, read_editions(CATALOGUE / "us_aca"))
    assert str(caught.value).startswith(
        f"{path}:6: answers.0.field: {field} may not move a premium in market us_aca (rule only_fou"
    )


def test_a_rule_that_begins_in_the_last_edition_binds_underwriting(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(CATALOGUE / "cn", tmp_path / "cn"))
    edit(folder / "rate_book_rules.yaml", "health_change]", f"health_change]\n{LATER}")
    with pytest.raises(SpecError, match=r"underwriting\.yaml:10: .*diabetes may not move"):
        read_underwriting(folder, read_editions(folder))


LATER = """  - {rule: later, effective_from: 2030-01-01, reference: x, forbids: [diabetes]}"""
