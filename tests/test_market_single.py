"""One member in plain numbers: the same answer as by columns, to the byte."""

from dataclasses import replace
from datetime import date
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.errors import RiskEngineError
from riskengine.market_release import MarketRelease
from riskengine.market_single import compiled, quote_single
from riskengine.profiles.questions import Question
from riskengine.risk.spec import ModelPurpose
from riskengine.service import quoting
from riskengine.service.quoting import Asked, Known, price
from riskengine.vocabulary import Answer
from tests.golden.market_releases import MARKETS, market_release
from tests.test_market_engine import member

START = date(2026, 3, 1)


def answers_to(question: Question) -> st.SearchStrategy[Answer]:
    """Answers that can be, of a type of their own, missing, and such as cannot be."""
    odd = st.sampled_from([None, "no such level", True, -1, 1e300, 2**63, 10**400, -0.0])
    if question.kind == "level":
        return st.sampled_from(question.levels) | odd
    low, high = question.minimum or 0.0, question.maximum or 1e6
    numbers = (
        st.floats(low, high) | st.integers(int(low) + 1, int(high)) | st.sampled_from((low, high))
    )
    return numbers | numbers | odd


def asked_of(release: MarketRelease) -> st.SearchStrategy[Asked]:
    """A usual member with some answers of any kind, for some plans or all."""
    usual = member(release)
    optional = {one.name: answers_to(one) for one in release.questions}
    answers = st.fixed_dictionaries({}, optional=optional).map(lambda given: usual | given)
    plans = st.lists(st.sampled_from(release.catalogue.names), unique=True, max_size=3).map(tuple)
    days = st.sampled_from([START, date(2026, 11, 30), date(2031, 1, 1)])
    payments = st.sampled_from([None, None, 1, 4, 12])
    return st.builds(
        lambda answers, day, plans, payments: Asked(day, (Known(answers),), plans, payments),
        answers, days, plans, payments,
    )  # fmt: skip


def told(release: MarketRelease, asked: Asked) -> bytes | str:
    try:
        return price(release, asked).content
    except RiskEngineError as error:
        return repr(error)


@pytest.mark.parametrize("name", MARKETS)
def test_the_answer_is_that_of_the_columns_to_the_byte(name: str) -> None:
    release = market_release(name)
    singly = []

    @settings(max_examples=150, deadline=None)
    @given(asked_of(release))
    def same(asked: Asked) -> None:
        found = told(release, asked)
        with mock.patch.object(quoting, "quote_single", return_value=None):
            assert found == told(release, asked)
        singly.append(isinstance(found, bytes))

    same()
    assert any(singly)


@pytest.mark.parametrize("name", MARKETS)
def test_a_usual_member_needs_no_columns(name: str) -> None:
    release = market_release(name)
    for payments in (None, *(one.payments for one in editions_of(release)[0].instalments)):
        assert quote_single(release, member(release), START, payments=payments) is not None
    for plan in release.catalogue.names:
        assert quote_single(release, member(release), START, (plan,)) is not None


def editions_of(release: MarketRelease):  # type: ignore[no-untyped-def]
    return [release.market.editions.on(START)]


@pytest.mark.parametrize(
    "changes",
    [
        {"age": None},
        {"age": 150},
        {"sex": "unheard of"},
        {"no_question": 1},
        {"self_rated_health": 3},
    ],
)
def test_what_has_to_be_explained_goes_by_columns(changes: dict[str, Answer]) -> None:
    release = market_release("us_aca")
    assert quote_single(release, member(release, **changes), START) is None


@pytest.mark.parametrize("answer", ["no", None])
def test_a_plan_that_requires_another_answer_goes_by_columns(answer: Answer) -> None:
    release = market_release("cn")
    asked = member(release, social_insurance=answer)
    assert quote_single(release, asked, START, ("city_supplement_basic",)) is None
    assert quote_single(release, asked, START) is None
    assert quote_single(release, asked, START, ("cancer_100k",)) is not None


def test_models_that_read_in_another_way_are_left_to_columns() -> None:
    release = market_release("cn")
    peril, model = next(iter(release.models.items()))
    analysis = model.spec.model.model_copy(update={"purpose": ModelPurpose.ANALYSIS})
    other = replace(model, spec=model.spec.model_copy(update={"model": analysis}))
    changed = replace(release, models={**release.models, peril: other})
    assert compiled(changed) is None
    assert quote_single(changed, member(release), START) is None
