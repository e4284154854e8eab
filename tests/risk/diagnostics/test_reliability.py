import numpy as np
import pytest

from riskengine.errors import InputError
from riskengine.risk.diagnostics import (
    Family,
    Loss,
    draw_members,
    murphy_decomposition,
    reliability_bins,
)

RNG = np.random.default_rng(5)
SIZE = 2000
MEAN = RNG.gamma(2, 1, SIZE)
EXPOSURE = RNG.uniform(0.2, 1, SIZE)
COUNT = RNG.poisson(MEAN).astype(np.float64)
COST = COUNT * RNG.gamma(2, 50, SIZE)
CHANCE = MEAN / (1 + MEAN)
EVENT = (RNG.random(SIZE) < CHANCE).astype(np.float64)
CASES = [
    (Loss(Family.SQUARED_ERROR), COST, 100 * MEAN),
    (Loss(Family.POISSON), COUNT, MEAN),
    (Loss(Family.GAMMA), COST + 1, 100 * MEAN),
    (Loss(Family.TWEEDIE, 1.5), COST, 100 * MEAN),
    (Loss(Family.BINARY), EVENT, CHANCE),
]


@pytest.mark.parametrize(("loss", "actual", "expected"), CASES)
def test_murphy_sums_to_the_mean_deviance(
    loss: Loss, actual: np.ndarray, expected: np.ndarray
) -> None:
    found = murphy_decomposition(actual, expected, EXPOSURE, loss)
    total = found.miscalibration - found.discrimination + found.uncertainty
    assert total == pytest.approx(loss.mean(actual, expected, EXPOSURE), rel=1e-9)
    assert found.mean_deviance == pytest.approx(total, rel=1e-12)
    mean = loss.reference(actual, EXPOSURE)
    assert found.uncertainty == pytest.approx(loss.mean(actual, mean, EXPOSURE), rel=1e-9)
    assert 0 <= found.miscalibration < 0.25 * found.discrimination
    assert found.discrimination < found.uncertainty


@pytest.mark.parametrize(("loss", "actual", "expected"), CASES)
def test_the_order_of_rows_plays_no_part(
    loss: Loss, actual: np.ndarray, expected: np.ndarray
) -> None:
    rows = np.random.default_rng(1).permutation(SIZE)
    one = murphy_decomposition(actual, expected, EXPOSURE, loss)
    two = murphy_decomposition(actual[rows], expected[rows], EXPOSURE[rows], loss)
    assert two.miscalibration == pytest.approx(one.miscalibration, rel=1e-9, abs=1e-12)
    assert two.discrimination == pytest.approx(one.discrimination, rel=1e-9)


def test_a_wrong_level_is_miscalibration_alone() -> None:
    loss = Loss(Family.POISSON)
    right = murphy_decomposition(COUNT, MEAN, EXPOSURE, loss)
    wrong = murphy_decomposition(COUNT, 2 * MEAN, EXPOSURE, loss)
    assert wrong.discrimination == pytest.approx(right.discrimination)
    assert wrong.uncertainty == right.uncertainty
    gain = loss.mean(COUNT, 2 * MEAN, EXPOSURE) - loss.mean(COUNT, MEAN, EXPOSURE)
    assert wrong.miscalibration - right.miscalibration == pytest.approx(gain)


def test_the_mean_discriminates_nothing() -> None:
    loss = Loss(Family.TWEEDIE, 1.5)
    found = murphy_decomposition(COST, loss.reference(COST, EXPOSURE), EXPOSURE, loss)
    assert found.miscalibration == pytest.approx(0, abs=1e-9)
    assert found.discrimination == pytest.approx(0, abs=1e-9)


def test_what_cannot_be_taken_apart() -> None:
    ones = np.ones(3)
    with pytest.raises(InputError, match="every outcome is 1"):
        murphy_decomposition(ones, ones, ones, Loss(Family.POISSON))
    with pytest.raises(InputError, match="take one class at a time"):
        murphy_decomposition(ones, np.full((3, 2), 0.5), ones, Loss(Family.MULTICLASS))


def test_reliability_of_the_truth_and_of_a_model_too_sure() -> None:
    draws = draw_members(np.arange(SIZE), np.random.default_rng(2))
    bins = reliability_bins(EVENT, CHANCE, EXPOSURE, draws)
    assert len(bins) == 10
    assert sum(b.exposure for b in bins) == pytest.approx(EXPOSURE.sum())
    assert sum(b.actual.low <= b.expected <= b.actual.high for b in bins) >= 8
    for b in bins:
        assert b.bias.mean == pytest.approx(b.expected - b.actual.mean)
    steep = CHANCE**2 / (CHANCE**2 + (1 - CHANCE) ** 2)
    sure = reliability_bins(EVENT, steep, EXPOSURE, draws)
    assert sure[0].bias.high < 0, "too low where low"
    assert sure[-1].bias.low > 0, "too high where high"
