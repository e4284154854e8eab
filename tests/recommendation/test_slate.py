"""Slates by their rules, and propensities against enumeration and simulation."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.errors import InputError
from riskengine.recommendation.policy import Choices
from riskengine.recommendation.scoring import Scored
from riskengine.recommendation.slate import (
    Slate,
    chances,
    choose_slate,
    next_plans,
    slate_propensity,
)
from tests.recommendation.cases import choices, scored

NOTHING: frozenset[str] = frozenset()
FIRST = [
    scored("million_medical_10k", 1.0),
    scored("million_medical_5k", 0.9),
    scored("accident_100k", 0.5),
    scored("surgery_10k", 0.3),
    scored("city_supplement_basic", 0.2),
    scored("hospital_cash_100", 0.1, band=2),
    scored("outpatient_drugs", 0.9, band=3),
]


def names(slate: Slate) -> tuple[str, ...]:
    return tuple(one.scored.plan.plan for one in slate.places)


def every_slate(
    ranked: Sequence[Scored], shown: tuple[Scored, ...], size: int
) -> Iterator[tuple[str, ...]]:
    pool = next_plans(ranked, shown, NOTHING) if len(shown) < size else []
    if not pool:
        yield tuple(one.plan.plan for one in shown)
    for one in pool:
        yield from every_slate(ranked, (*shown, one), size)


def test_without_exploration_the_best_of_each_need_comes_first() -> None:
    slate = choose_slate(FIRST, NOTHING, choices(slate_size=9))
    assert names(slate) == (
        "million_medical_10k", "accident_100k", "surgery_10k", "hospital_cash_100",
        "outpatient_drugs",
    )  # fmt: skip
    assert slate.propensity == 1.0


def test_what_a_plan_requires_is_there_or_held() -> None:
    alone = [scored("outpatient_drugs", 5.0), scored("accident_100k", 1.0)]
    assert names(choose_slate(alone, NOTHING, choices())) == ("accident_100k",)
    held = frozenset({"outpatient"})
    assert names(choose_slate(alone, held, choices())) == ("outpatient_drugs", "accident_100k")
    both = [*alone, scored("outpatient_5k", 0.0)]
    assert names(choose_slate(both, NOTHING, choices())) == (
        "accident_100k", "outpatient_5k", "outpatient_drugs",
    )  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_probabilities_of_all_slates_add_up_to_1(size: int) -> None:
    given_choices = choices(slate_size=size)
    slates = list(every_slate(FIRST, (), size))
    assert len(slates) == len(set(slates))
    found = [slate_propensity(FIRST, slate, NOTHING, given_choices) for slate in slates]
    assert sum(found) == pytest.approx(1.0, abs=1e-12)
    assert min(found) >= given_choices["exploration.floor"] ** size


def test_the_probability_of_a_slate_is_how_often_it_is_drawn() -> None:
    given_choices, rng, draws = choices(slate_size=2), np.random.default_rng(5), 5_000
    counts: Counter[tuple[str, ...]] = Counter()
    drawn: dict[tuple[str, ...], float] = {}
    for _ in range(draws):
        slate = choose_slate(FIRST, NOTHING, given_choices, rng)
        counts[names(slate)] += 1
        drawn[names(slate)] = slate.propensity
    for shown in every_slate(FIRST, (), 2):
        chance = slate_propensity(FIRST, shown, NOTHING, given_choices)
        error = 4 * (chance * (1 - chance) / draws) ** 0.5
        assert counts[shown] / draws == pytest.approx(chance, abs=error), shown
        assert drawn.get(shown, chance) == pytest.approx(chance, rel=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=30), st.floats(0, 0.5))
def test_no_chance_is_below_the_floor(scores: list[float], floor: float) -> None:
    pool = [scored("accident_100k", score) for score in scores]
    found = chances(pool, choices(exploration__floor=floor))
    assert found.sum() == pytest.approx(1)
    assert found.min() >= min(floor, 1 / len(pool)) - 1e-12
    assert (np.diff(found[np.argsort(scores, kind="stable")]) >= -1e-12).all()


def test_the_chance_grows_e_times_with_each_temperature_of_score() -> None:
    given_choices: Choices = choices(exploration__floor=0.0, exploration__temperature=0.5)
    pool = [scored("accident_100k", 1.0), scored("surgery_10k", 0.5)]
    one, other = chances(pool, given_choices)
    assert one / other == pytest.approx(np.e)


def test_a_slate_that_the_rules_never_give_has_no_probability() -> None:
    with pytest.raises(InputError, match="hospital_cash_100 cannot be shown in place 1"):
        slate_propensity(FIRST, ["hospital_cash_100"], NOTHING, choices())
