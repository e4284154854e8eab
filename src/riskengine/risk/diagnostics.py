"""What actuaries look at before they trust a model, as numbers; pictures are in `reporting`.

Everywhere `actual` and `expected` are per unit of exposure, (n,), and `exposure` (n,) weighs them.
"""

from dataclasses import dataclass

import numpy as np

from riskengine.vocabulary import FloatArray


def actual_over_expected(actual: FloatArray, expected: FloatArray, exposure: FloatArray) -> float:
    """A/E: total actual over total expected.

    >>> actual_over_expected(np.array([1.0, 3.0]), np.array([2.0, 2.0]), np.array([1.0, 1.0]))
    1.0
    """
    return float(np.sum(exposure * actual) / np.sum(exposure * expected))


def poisson_deviance(actual: FloatArray, expected: FloatArray, exposure: FloatArray) -> float:
    """Mean unit Poisson deviance; see `unit_poisson_deviance`.

    >>> poisson_deviance(np.array([0.0]), np.array([1.0]), np.array([1.0]))
    2.0
    """
    return float(np.average(unit_poisson_deviance(actual, expected), weights=exposure))


def unit_poisson_deviance(actual: FloatArray, expected: FloatArray) -> FloatArray:
    """Unit Poisson deviances (n,), 2 (y log(y / m) - y + m), with y log y = 0 at 0."""
    safe = np.where(actual > 0, actual, 1.0)
    return np.asarray(2 * (actual * np.log(safe / expected) - actual + expected))


def unit_tweedie_deviance(actual: FloatArray, expected: FloatArray, power: float) -> FloatArray:
    """Unit Tweedie deviances (n,) for a power between 1 and 2 (Jorgensen, 1997)."""
    a, b = 1 - power, 2 - power
    return np.asarray(2 * (actual**b / (a * b) - actual * expected**a / a + expected**b / b))


def tweedie_deviance(
    actual: FloatArray, expected: FloatArray, exposure: FloatArray, power: float
) -> float:
    """Mean unit Tweedie deviance; see `unit_tweedie_deviance`.

    >>> tweedie_deviance(np.array([0.0]), np.array([1.0]), np.array([1.0]), 1.5)
    4.0
    """
    return float(np.average(unit_tweedie_deviance(actual, expected, power), weights=exposure))


def lorenz_curve(
    actual: FloatArray, order_by: FloatArray, exposure: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Cumulative shares (exposure, actual) with rows ordered by `order_by`, from (0, 0) to (1, 1).

    Rows with equal `order_by` form one block, so their order in the data plays no part.
    """
    _, block = np.unique(order_by, return_inverse=True)
    weight = np.bincount(block, weights=exposure)
    cost = np.bincount(block, weights=exposure * actual)
    share_of_exposure = np.concatenate([[0.0], np.cumsum(weight) / weight.sum()])
    share_of_cost = np.concatenate([[0.0], np.cumsum(cost) / cost.sum()])
    return share_of_exposure, share_of_cost


def gini(actual: FloatArray, expected: FloatArray, exposure: FloatArray) -> float:
    """Gini index: twice the area between the diagonal and the Lorenz curve by `expected`.

    >>> gini(np.array([0.0, 1.0]), np.array([0.1, 0.9]), np.array([1.0, 1.0]))
    0.5
    """
    x, y = lorenz_curve(actual, expected, exposure)
    return float(1 - 2 * np.trapezoid(y, x))


def equal_exposure_bands(order_by: FloatArray, exposure: FloatArray, count: int) -> np.ndarray:
    """Band 0..count-1 of each row: bands of equal exposure, from the lowest `order_by` up.

    Equal values share a band.
    """
    values, block = np.unique(order_by, return_inverse=True)
    weight = np.bincount(block, weights=exposure, minlength=len(values))
    middle = (np.cumsum(weight) - weight / 2) / weight.sum()
    bands: np.ndarray = np.minimum((middle * count).astype(np.int64), count - 1)[block]
    return bands


def lift_table(
    actual: FloatArray, expected: FloatArray, exposure: FloatArray, count: int = 10
) -> list[dict[str, float]]:
    """Exposure, mean actual, mean expected and A/E by band of `expected`, lowest first."""
    bands = equal_exposure_bands(expected, exposure, count)
    rows = []
    for band in np.unique(bands):
        inside = bands == band
        rows.append(
            {
                "band": float(band + 1),
                "exposure": float(exposure[inside].sum()),
                "actual": float(np.average(actual[inside], weights=exposure[inside])),
                "expected": float(np.average(expected[inside], weights=exposure[inside])),
                "actual_over_expected": actual_over_expected(
                    actual[inside], expected[inside], exposure[inside]
                ),
            }
        )
    return rows


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % percentile interval."""

    mean: float
    low: float
    high: float


def bootstrap_mean(
    values: FloatArray, exposure: FloatArray, member: np.ndarray, rng: np.random.Generator
) -> Interval:
    """Exposure-weighted mean of `values` (n,) with a bootstrap over members (500 draws).

    Whole members are drawn, so years of one person stay together.
    """
    _, owner = np.unique(member, return_inverse=True)
    weight = np.bincount(owner, weights=exposure)
    total = np.bincount(owner, weights=exposure * values)
    size = len(weight)
    draws = np.empty(500)
    for draw in range(len(draws)):
        counts = np.bincount(rng.integers(0, size, size), minlength=size)
        draws[draw] = np.sum(counts * total) / np.sum(counts * weight)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(float(total.sum() / weight.sum()), float(low), float(high))
