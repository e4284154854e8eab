"""Which prices move: on a portfolio that is the same at each call."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from riskengine.batch.release_diff import fixed_portfolio, release_diff
from riskengine.errors import InputError
from riskengine.release import Release
from tests.golden.market_releases import market_release

DAY = date(2026, 1, 1)


def test_a_release_differs_from_itself_in_nothing(release: Release) -> None:
    for one in (release, market_release("us_aca")):
        found = release_diff(one, one, DAY)
        assert [plan.plan for plan in found] == list(one.catalogue.names)
        assert all(plan.members > 100 for plan in found)
        assert {(p.mean_change, p.greatest_change, p.only_old, p.only_new) for p in found} == {
            (0.0, 0.0, 0, 0)
        }


def test_a_dearer_base_rate_is_told_of_its_plan_alone() -> None:
    old = market_release("us_aca")
    rates = {
        edition: {**by_plan, "gold": by_plan["gold"] * 1.1}
        for edition, by_plan in old.base_rates.items()
    }
    found = {one.plan: one for one in release_diff(old, replace(old, base_rates=rates), DAY)}
    assert found["gold"].mean_change == pytest.approx(0.1, abs=1e-4)
    assert found["gold"].greatest_change == pytest.approx(0.1, abs=1e-4)
    assert [found[plan].mean_change for plan in ("bronze", "silver", "platinum")] == [0, 0, 0]


def test_releases_of_two_markets_are_not_compared(release: Release) -> None:
    with pytest.raises(InputError, match="a release of study and one of us_aca"):
        release_diff(release, market_release("us_aca"), DAY)


def test_the_portfolio_is_fixed_and_answers_in_every_way() -> None:
    questions = market_release("cn").questions
    first, second = fixed_portfolio(questions), fixed_portfolio(questions)
    for question in questions:
        values = first[question.name]
        assert np.array_equal(values.astype(str), second[question.name].astype(str))
        if question.kind == "level":
            assert set(question.levels) <= set(values)
