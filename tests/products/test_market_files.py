"""Questions, event codes and utilisation of a market: the shipped files, and faults by line."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from riskengine.errors import InputError, SpecError
from riskengine.market_training import read_market
from riskengine.products.benefit import Peril
from riskengine.products.event_codes import read_event_codes
from riskengine.products.load import shipped
from riskengine.products.market_questions import reference_levels
from riskengine.reporting.step_names import untitled


@pytest.fixture(params=["cn", "us_aca"])
def market(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def copy_of(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(shipped(name), folder / name))


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_shipped_files_fit_each_other(market: str) -> None:
    files = read_market(shipped(market))
    assert files.questions.market == market
    assert files.utilisation.factors[-1] == 1
    for edition in files.editions.editions:
        assert untitled(edition) == []


def test_shares_of_the_reference_book_are_met(market: str) -> None:
    for one in read_market(shipped(market)).questions.questions:
        if one.levels and one.levels[0].share is not None:
            levels = reference_levels(one, 2000)
            for level in one.levels:
                assert np.mean(levels == level.level) == pytest.approx(level.share, abs=0.005)


def test_a_question_without_shares_makes_no_reference_book() -> None:
    questions = read_market(shipped("cn")).questions.questions
    asked = next(one for one in questions if one.name == "diabetes")
    with pytest.raises(InputError, match="question diabetes has no shares"):
        reference_levels(asked, 10)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  - name: occupation_class", "  - name: occupation", "nothing asks for occupation_class"),
        ("level: first_tier", "level: first", "levels must be first_tier, second_tier, other"),
        ("share: 0.2}", "share: 0.3}", "the shares of rating_area add up to 1.1"),
        ("en: City of residence", 'en: ""', "there is no text in en"),
        ("market: cn", "market: us_aca", "=us_aca but the rate book is for cn"),
    ],
)
def test_a_fault_in_the_questions_is_named_by_line(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    folder = copy_of("cn", tmp_path)
    changed(folder / "questions.yaml", old, new)
    with pytest.raises(SpecError, match=r"questions\.yaml:\d+") as caught:
        read_market(folder)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("expected_share: 0.2}", "expected_share: 0.4}", "the shares of cancer add up to 1.2"),
        ("peril: cancer", "peril: inpatient", "inpatient is counted in currency, not in events"),
        ("codes: [C]", "codes: [c50]", "String should match pattern"),
    ],
)
def test_a_fault_in_the_events_is_named_by_line(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    folder = copy_of("cn", tmp_path)
    changed(folder / "events.yaml", old, new)
    with pytest.raises(SpecError, match=r"events\.yaml:\d+") as caught:
        read_market(folder)
    assert said in str(caught.value)


def test_utilisation_that_falls_is_refused(tmp_path: Path) -> None:
    folder = copy_of("cn", tmp_path)
    changed(folder / "utilisation.yaml", "0.84, 0.84, 1.0]", "0.84, 0.8, 1.0]")
    with pytest.raises(SpecError, match="points must rise"):
        read_market(folder)


def test_a_stage_never_seen_keeps_a_share() -> None:
    events = read_event_codes(shipped("cn")).of(Peril.CANCER)
    assert events is not None
    assert events.shares({"in_situ": 0, "invasive": 60}) == pytest.approx(
        {"in_situ": 0.08, "invasive": 0.92}
    )
