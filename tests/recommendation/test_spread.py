import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.errors import InputError
from riskengine.recommendation.spread import Spread, spread


@st.composite
def spreads(draw: st.DrawFn) -> Spread:
    amounts = draw(st.lists(st.floats(-500, 1e5), min_size=1, max_size=12))
    weights = draw(st.lists(st.floats(0.001, 1), min_size=len(amounts), max_size=len(amounts)))
    chance = np.array(weights)
    return spread(np.array(amounts), chance / chance.sum() * draw(st.floats(0.05, 1)))


@settings(max_examples=60, deadline=None)
@given(spreads(), st.floats(1, 4), st.floats(0, 0.99))
def test_the_statistics_of_a_spread_keep_their_order(one: Spread, aversion: float, level: float):
    slack = 1e-7 * (1 + np.abs(one.amount).max())
    assert one.chance.sum() == pytest.approx(1, abs=1e-12)
    assert one.certainty_equivalent(1.0) == pytest.approx(one.mean(), abs=slack)
    assert one.mean() - slack <= one.certainty_equivalent(aversion) <= one.amount[-1] + slack
    assert one.quantile(level) - slack <= one.tail_mean(level)
    assert one.tail_mean(0.0) == pytest.approx(one.mean(), abs=slack)
    moved = Spread(one.amount + 100, one.chance)
    assert moved.certainty_equivalent(aversion) == pytest.approx(
        one.certainty_equivalent(aversion) + 100, abs=slack
    )


@settings(max_examples=40, deadline=None)
@given(spreads(), spreads())
def test_independent_sums_add_their_means_and_pool_their_risk(one: Spread, other: Spread):
    both = one.plus(other)
    scale = 1 + np.abs(both.amount).max()
    assert both.mean() == pytest.approx(one.mean() + other.mean(), abs=1e-9 * scale)
    apart = one.certainty_equivalent(1.5) + other.certainty_equivalent(1.5)
    assert both.certainty_equivalent(1.5) <= apart + 1e-7 * scale


def test_a_long_spread_is_made_coarse_without_moving_its_mean_or_tail():
    rng = np.random.default_rng(3)
    long = spread(rng.lognormal(7, 1.5, 20_000), np.full(20_000, 0.6 / 20_000))
    coarse = long.coarse()
    assert len(coarse.amount) <= 256
    assert coarse.mean() == pytest.approx(long.mean(), rel=1e-12)
    assert coarse.tail_mean(0.9) == pytest.approx(long.tail_mean(0.9), rel=0.002)
    assert coarse.certainty_equivalent(1.5) == pytest.approx(
        long.certainty_equivalent(1.5), rel=0.005
    )
    both = long.plus(long)
    assert both.mean() == pytest.approx(2 * long.mean(), rel=1e-9)


def test_numbers_by_hand():
    one = spread(np.array([100.0, 400.0]), np.array([0.25, 0.05]))
    assert one.mean() == pytest.approx(45)
    assert (one.quantile(0.9), one.quantile(0.7)) == (100, 0)
    assert one.tail_mean(0.9) == pytest.approx(250)
    assert one.certainty_equivalent(2) == pytest.approx(100 * 0.3**0.5 + 300 * 0.05**0.5)
    assert one.at_least(400) == pytest.approx(0.05)
    with pytest.raises(InputError, match=r"chances add up to 1\.2"):
        spread(np.ones(2), np.full(2, 0.6))
    with pytest.raises(InputError, match=r"risk aversion is 0\.5"):
        one.certainty_equivalent(0.5)
