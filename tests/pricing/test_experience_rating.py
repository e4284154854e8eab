import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.errors import InputError, SpecError
from riskengine.pricing.experience_rating import experience_factor, group_credibility
from riskengine.risk.credibility import credibility_constant
from tests.pricing.rate_books import CN, US

MEMBERS = np.array([50.0, 60.0, 100.0, 110.0, 105.0])
CLAIMS = np.array([10_000.0, 13_000.0, 18_000.0, 21_000.0, 17_000.0])
GROUP = np.array([0, 0, 1, 1, 1])


def test_two_group_policyholders_of_the_textbook() -> None:
    """Two groups with two and three years of unequal size: Klugman, Panjer and Willmot, Loss
    Models, on the nonparametric estimation of the Buehlmann-Straub model; the book goes on with
    means rounded to cents, hence the tolerance."""
    found = group_credibility(CLAIMS / MEMBERS, MEMBERS, GROUP, 2)
    assert found.own == pytest.approx([209.0909, 177.7778], abs=1e-4)
    assert found.within == pytest.approx(17_837.87, rel=5e-4)
    assert found.between == pytest.approx(380.76, rel=5e-4)
    assert found.constant == pytest.approx(46.85, rel=1e-3)
    assert found.credibility == pytest.approx([0.70, 0.87], abs=0.005)
    assert found.constant == pytest.approx(
        credibility_constant(CLAIMS / MEMBERS, MEMBERS, GROUP, 2)
    )


def test_the_estimates_keep_the_total() -> None:
    """Weighting the collective by credibility makes estimated and actual totals agree."""
    found = group_credibility(CLAIMS / MEMBERS, MEMBERS, GROUP, 2)
    assert np.sum(found.weight * found.estimate) == pytest.approx(CLAIMS.sum())


def test_groups_that_differ_by_chance_only_have_no_credibility() -> None:
    outcome = np.array([100.0, 300.0, 110.0, 290.0])
    found = group_credibility(outcome, np.ones(4), np.array([0, 0, 1, 1]), 2)
    assert found.between == 0.0
    assert found.credibility.tolist() == [0.0, 0.0]
    assert found.estimate.tolist() == [200.0, 200.0]
    assert found.constant == np.inf


def test_a_group_without_experience_has_the_collective() -> None:
    found = group_credibility(CLAIMS / MEMBERS, MEMBERS, GROUP, 3)
    assert found.credibility[2] == 0.0
    assert found.estimate[2] == found.collective


def test_the_estimators_are_unbiased() -> None:
    """Over many drawn portfolios the means are the variances that were put in: 100 and 25."""
    rng = np.random.default_rng(3)
    weight, group = rng.uniform(1, 10, 60), np.repeat(np.arange(12), 5)
    drawn = []
    for _ in range(1500):
        means = 50 + 5 * rng.standard_normal(12)
        outcome = means[group] + 10 * rng.standard_normal(60) / np.sqrt(weight)
        found = group_credibility(outcome, weight, group, 12)
        drawn.append((found.within, found.between))
    within, between = np.mean(drawn, axis=0)
    assert within == pytest.approx(100, rel=0.02)
    assert between == pytest.approx(25, rel=0.05)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1e4), st.floats(1, 100)), min_size=8))
def test_an_estimate_lies_between_own_and_collective(
    rows: list[tuple[int, float, float]],
) -> None:
    group, outcome, weight = (np.array(values) for values in zip(*rows, strict=True))
    if len(set(group.tolist())) < 2:
        return
    found = group_credibility(outcome, weight, group, 4)
    low, high = (f(found.own, found.collective) for f in (np.minimum, np.maximum))
    assert ((found.credibility >= 0) & (found.credibility <= 1)).all()
    assert (found.estimate >= low - 1e-9 * (1 + high)).all()
    assert (found.estimate <= high + 1e-9 * (1 + high)).all()


def test_an_experience_factor_is_bounded_by_the_edition_and_the_law() -> None:
    ratio = np.array([2.0, 2.0, 1.0, 1.0])
    groups = group_credibility(ratio, np.full(4, 1000.0), np.array([0, 0, 1, 1]), 2)
    assert groups.credibility.tolist() == [1.0, 1.0]
    assert experience_factor(CN, groups) == pytest.approx(
        [0.8 * 2 / 1.5 + 0.2, 0.8 * 1 / 1.5 + 0.2]
    )
    with pytest.raises(SpecError, match="us_aca may not follow its own claims"):
        experience_factor(US, groups)


def test_experience_that_says_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="weights above 0"):
        group_credibility(np.ones(2), np.array([1.0, 0.0]), np.array([0, 1]), 2)
    with pytest.raises(InputError, match="two groups with experience"):
        group_credibility(np.ones(2), np.ones(2), np.array([0, 0]), 2)
