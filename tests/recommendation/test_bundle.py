"""Bundles against going through every set, and how fast the shipped catalogues are."""

import time
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.errors import InputError
from riskengine.recommendation.bundle import (
    Bundle,
    Choice,
    best_bundle,
    bundle_choices,
    what_more_buys,
)
from tests.recommendation.cases import answered, opened

NAMES = (
    "million_medical_10k", "million_medical_5k", "city_supplement_basic", "outpatient_drugs",
    "critical_illness_100k", "cancer_100k", "accident_100k",
)  # fmt: skip


def choice(name: str, cents: int, net: float) -> Choice:
    return Choice(opened("cn").catalogue.plan(name), cents, net)


def may_stand(plans: list[Choice], held: frozenset[str]) -> bool:
    fits = [one.plan.suitability for one in plans]
    products = [one.plan.product for one in plans]
    groups = [one.exclusive_group for one in fits if one.exclusive_group]
    return (
        len(set(products)) == len(products)
        and len(set(groups)) == len(groups)
        and all(not one.requires or {*products, *held} & {*one.requires} for one in fits)
        and not {name for one in fits for name in one.supersedes} & {*products}
    )


def by_enumeration(choices: list[Choice], budget: int, held: frozenset[str]) -> float:
    best = 0.0
    for taken in product([False, True], repeat=len(choices)):
        plans = [one for one, take in zip(choices, taken, strict=True) if take]
        cents = sum(one.monthly_cents for one in plans)
        if cents <= budget and may_stand(plans, held):
            best = max(best, sum(one.net for one in plans))
    return best


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9000), st.floats(-500, 3000)), min_size=7, max_size=7),
    st.integers(0, 30_000),
    st.sampled_from([frozenset(), frozenset({"outpatient"})]),
)
def test_a_bundle_is_the_best_of_all_sets(
    numbers: list[tuple[int, float]], budget: int, held: frozenset[str]
) -> None:
    choices = [choice(name, *pair) for name, pair in zip(NAMES, numbers, strict=True)]
    found = best_bundle(choices, budget, held)
    assert found.monthly_cents <= budget
    taken = [one for one in choices if one.plan.plan in found.plans]
    assert may_stand(taken, held)
    assert found.net == pytest.approx(by_enumeration(choices, budget, held), abs=0.01)


def test_what_is_required_is_bought_even_where_it_is_worth_less_than_it_costs() -> None:
    choices = [choice("outpatient_5k", 1000, -50.0), choice("outpatient_drugs", 1000, 200.0)]
    assert best_bundle(choices, 2000) == Bundle(("outpatient_5k", "outpatient_drugs"), 2000, 150.0)
    assert best_bundle(choices, 1999) == Bundle((), 0, 0.0)
    assert best_bundle([], 100) == Bundle((), 0, 0.0)
    with pytest.raises(InputError, match="budget -1 or a premium is below 0"):
        best_bundle(choices, -1)


def test_the_cheaper_of_two_equals_is_taken() -> None:
    choices = [choice("million_medical_10k", 900, 100.0), choice("million_medical_5k", 800, 100.0)]
    assert best_bundle(choices, 5000).plans == ("million_medical_5k",)


def test_what_50_more_a_month_buys_and_that_it_is_quick() -> None:
    choices = bundle_choices(answered("cn").considered)
    assert len(choices) == 21
    premium = answered("cn").considered[0].value.premium
    assert choices[0].monthly_cents == pytest.approx(100 * premium / 12, abs=1)
    best = []
    for _ in range(5):
        started = time.perf_counter()
        best_bundle(choices, 20_000)
        best.append(time.perf_counter() - started)
    assert min(best) < 0.05
    before, more = best_bundle(choices, 10_000), what_more_buys(choices, 10_000, 5_000)
    assert more.net_gain > 0
    assert set(before.plans) - set(more.dropped) | set(more.gained) == set(more.bundle.plans)
    assert more.bundle.monthly_cents <= 15_000
