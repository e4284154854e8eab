import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskengine.errors import InputError
from riskengine.risk.diagnostics import (
    Family,
    Loss,
    auc,
    deviance_difference,
    double_lift,
    draw_members,
    equal_exposure_bands,
    gini,
    gini_interval,
    lift_table,
    lorenz_curve,
    normalised_gini,
)

RNG = np.random.default_rng(5)
ACTUAL = RNG.gamma(0.5, 200, 500)
EXPECTED = RNG.gamma(2, 50, 500)
EXPOSURE = RNG.uniform(0.2, 1, 500)


def test_lorenz_with_ties_does_not_depend_on_the_order_of_rows() -> None:
    tied = np.round(EXPECTED, -2)
    shuffled = RNG.permutation(500)
    assert gini(ACTUAL, tied, EXPOSURE) == pytest.approx(
        gini(ACTUAL[shuffled], tied[shuffled], EXPOSURE[shuffled])
    )
    x, y = lorenz_curve(ACTUAL, np.ones(500), EXPOSURE)
    assert x.tolist() == [0.0, 1.0]
    assert y.tolist() == [0.0, 1.0]
    assert gini(ACTUAL, np.ones(500), EXPOSURE) == pytest.approx(0)


def test_gini_by_hand() -> None:
    """Costs 0, 1, 3 in the right order: areas under the curve 0, 1/24, 5/24."""
    assert gini(np.array([3.0, 0.0, 1.0]), np.array([9.0, 1.0, 2.0]), np.ones(3)) == pytest.approx(
        0.5
    )


@given(st.integers(0, 2**32 - 1))
def test_order_is_all_that_gini_sees(seed: int) -> None:
    rng = np.random.default_rng(seed)
    actual, expected = rng.gamma(1, 1, 30), rng.gamma(1, 1, 30)
    exposure = rng.uniform(0.1, 1, 30)
    index = gini(actual, expected, exposure)
    assert gini(actual, np.log(expected), exposure) == pytest.approx(index)
    assert gini(7 * actual, expected, exposure) == pytest.approx(index)
    assert gini(actual, -expected, exposure) == pytest.approx(-index)
    assert normalised_gini(actual, expected, exposure) <= 1 + 1e-12
    assert normalised_gini(actual, actual**2, exposure) == pytest.approx(1)


def test_gini_interval_is_as_wide_as_sampling() -> None:
    """The interval of one book against the spread of the index over 200 books."""
    rng = np.random.default_rng(3)

    def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        expected = rng.gamma(2, 50, 1000)
        return expected * rng.gamma(1, 1, 1000), expected, np.ones(1000)

    indices = np.array([gini(*drawn()) for _ in range(200)])
    rows = drawn()
    found = gini_interval(*rows, np.arange(1000), rng)
    assert found.mean == pytest.approx(gini(*rows))
    assert found.high - found.low == pytest.approx(2 * 1.96 * indices.std(), rel=0.25)
    assert found.low < indices.mean() < found.high


def test_lift_bands_hold_equal_exposure_and_all_of_it() -> None:
    rows = lift_table(ACTUAL, EXPECTED, EXPOSURE)
    assert len(rows) == 10
    assert sum(r["exposure"] for r in rows) == pytest.approx(EXPOSURE.sum())
    assert [r["exposure"] for r in rows] == pytest.approx([EXPOSURE.sum() / 10] * 10, rel=0.04)
    assert [r["expected"] for r in rows] == sorted(r["expected"] for r in rows)
    assert set(equal_exposure_bands(np.ones(5), np.ones(5), 10)) == {5}


def test_double_lift_sides_with_the_truth() -> None:
    rng = np.random.default_rng(1)
    truth = rng.gamma(2, 50, 5000)
    rough = truth * rng.lognormal(0, 0.5, 5000)
    rows = double_lift(truth * rng.gamma(4, 1 / 4, 5000), rough, truth, np.ones(5000))
    assert [row.band for row in rows] == list(range(1, 11))
    assert [row.ratio for row in rows] == sorted(row.ratio for row in rows)
    for row in rows:
        assert row.actual == pytest.approx(row.second, rel=0.08)
        assert row.ratio == pytest.approx(row.second / row.first)
    assert sum(row.exposure * row.first for row in rows) == pytest.approx(rough.sum())
    assert rows[0].first > 1.5 * rows[0].actual
    assert rows[-1].first < 0.7 * rows[-1].actual


def test_auc_of_a_binary_outcome_is_its_gini() -> None:
    """Normalised Gini = 2 AUC - 1 for 0 and 1 with equal exposure (Schechtman, 2016)."""
    event = (RNG.random(500) < 0.3).astype(np.float64)
    chance = np.round(RNG.random(500) + 0.2 * event, 1)
    area = auc(event, chance, np.ones(500))
    assert normalised_gini(event, chance, np.ones(500)) == pytest.approx(2 * area - 1)
    pairs = chance[event == 1][:, None] - chance[event == 0][None, :]
    assert area == pytest.approx(np.mean((pairs > 0) + 0.5 * (pairs == 0)))


def test_auc_weighs_by_exposure() -> None:
    """Of the pairs (event, other) only the one of weight 3 x 1 is in order: 3 / (3 + 1)."""
    event, chance = np.array([1.0, 1.0, 0.0]), np.array([0.9, 0.1, 0.5])
    assert auc(event, chance, np.array([3.0, 1.0, 1.0])) == pytest.approx(0.75)


def test_deviance_difference_is_paired() -> None:
    rng = np.random.default_rng(2)
    member = np.arange(3000) // 3
    truth = rng.gamma(2, 50, 3000)
    actual = truth * rng.gamma(0.5, 2, 3000)
    rough = truth * rng.lognormal(0, 0.2, 3000)
    loss, draws = Loss(Family.TWEEDIE, 1.5), draw_members(member, rng)
    better = deviance_difference(actual, (rough, truth), np.ones(3000), loss, draws)
    assert better.mean == pytest.approx(
        loss.mean(actual, rough, np.ones(3000)) - loss.mean(actual, truth, np.ones(3000))
    )
    assert better.low > 0
    worse = deviance_difference(actual, (truth, rough), np.ones(3000), loss, draws)
    assert (worse.low, worse.high) == pytest.approx((-better.high, -better.low))
    single = draws.ratio(loss.unit(actual, truth), np.ones(3000))
    assert better.high - better.low < 0.3 * (single.high - single.low)


def test_what_has_no_order() -> None:
    with pytest.raises(InputError, match="no cost to share"):
        gini(np.zeros(3), np.ones(3), np.ones(3))
    with pytest.raises(InputError, match="no order is better"):
        normalised_gini(np.ones(3), np.ones(3), np.ones(3))
    with pytest.raises(InputError, match="2 of 2 rows have the event"):
        auc(np.array([0.0, 1.0, 1.0]), np.ones(3), np.array([0.0, 1.0, 1.0]))
    with pytest.raises(InputError, match="first of row 0 is 0"):
        double_lift(np.ones(1), np.zeros(1), np.ones(1), np.ones(1))
