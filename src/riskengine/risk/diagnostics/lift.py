"""Whether predictions tell the dear from the cheap, and which of two models does it better.

Order is measured by Lorenz and Gini (ties as blocks) and the area under the ROC curve; two models
by double lift and the paired difference of their deviances.
References: Frees, Meyers and Cummings (2011), "Summarizing insurance scores using a Gini index";
Goldburd, Khare, Tevet and Guller, "Generalized Linear Models for Insurance Rating", section 7.2.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from riskengine.errors import InputError
from riskengine.risk.diagnostics.bootstrap import (
    DRAWS_OF_ROWS,
    Interval,
    MemberDraws,
    bootstrap_rows,
)
from riskengine.risk.diagnostics.calibration import actual_over_expected
from riskengine.risk.diagnostics.contract import refuse, require_rows
from riskengine.risk.diagnostics.deviance import Loss
from riskengine.risk.diagnostics.levels import equal_exposure_bands
from riskengine.vocabulary import AnyArray, FloatArray, IntArray


@dataclass(frozen=True)
class DoubleLiftBand:
    """Rows on which two models differ to a like degree.

    `ratio` is total second over total first prediction, `exposure` a total, all else means per
    unit of exposure. The model whose line follows `actual` is right where they differ.
    """

    band: int
    exposure: float
    ratio: float
    actual: float
    first: float
    second: float


def lorenz_curve(
    actual: FloatArray, order_by: FloatArray, exposure: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Cumulative shares (exposure, actual) with rows ordered by `order_by`, from (0, 0) to (1, 1).

    Rows with equal `order_by` form one block, so their order in the data plays no part. Raises
    `InputError` when there is no cost to share.

    >>> x, y = lorenz_curve(np.array([3.0, 1.0]), np.array([9.0, 5.0]), np.ones(2))
    >>> x.tolist(), y.tolist()
    ([0.0, 0.5, 1.0], [0.0, 0.25, 1.0])
    """
    require_rows(exposure, actual=actual, order_by=order_by)
    _, block = np.unique(order_by, return_inverse=True)
    if not np.sum(exposure * actual) > 0:
        message = "actual sums to 0: there is no cost to share, so no Lorenz curve"
        raise InputError(message)
    return _lorenz(exposure, exposure * actual, block)


def gini(actual: FloatArray, expected: FloatArray, exposure: FloatArray) -> float:
    """Gini index: twice the area between the diagonal and the Lorenz curve by `expected`.

    >>> gini(np.array([0.0, 1.0]), np.array([0.1, 0.9]), np.array([1.0, 1.0]))
    0.5
    """
    x, y = lorenz_curve(actual, expected, exposure)
    return _gini_of(x, y)


def normalised_gini(actual: FloatArray, expected: FloatArray, exposure: FloatArray) -> float:
    """Gini by `expected` over the Gini by `actual` itself: 1 for a perfect order, 0 for none.

    Raises `InputError` when all outcomes are equal.

    >>> normalised_gini(np.array([0.0, 1.0]), np.array([0.1, 0.9]), np.ones(2))
    1.0
    """
    best = gini(actual, actual, exposure)
    if not best > 0:
        message = f"every outcome is {actual[0]}: no order is better than another"
        raise InputError(message)
    return gini(actual, expected, exposure) / best


def gini_interval(
    actual: FloatArray,
    expected: FloatArray,
    exposure: FloatArray,
    member: AnyArray,
    rng: np.random.Generator,
    draws: int = DRAWS_OF_ROWS,
) -> Interval:
    """`gini` with its interval by bootstrap over members (see `bootstrap_rows`); arrays (n,).

    >>> rows = np.array([1.0, 1.0]), np.array([1.0, 2.0]), np.ones(2)
    >>> gini_interval(*rows, np.arange(2), np.random.default_rng(1))
    Interval(mean=0.0, low=0.0, high=0.0)
    """
    lorenz_curve(actual, expected, exposure)
    _, block = np.unique(expected, return_inverse=True)
    cost = exposure * actual

    def drawn(rows: IntArray, counts: FloatArray) -> float:
        total = counts @ cost[rows]
        if not total > 0:
            return float("nan")
        return _gini_of(*_lorenz(counts * exposure[rows], counts * cost[rows], block[rows]))

    return bootstrap_rows(drawn, member, rng, draws=draws)


def lift_table(
    actual: FloatArray, expected: FloatArray, exposure: FloatArray, count: int = 10
) -> list[dict[str, float]]:
    """Exposure, mean actual, mean expected and A/E by band of `expected`, lowest first.

    >>> rows = lift_table(np.array([1.0, 3.0]), np.array([2.0, 3.0]), np.ones(2), count=2)
    >>> [(row["band"], row["actual_over_expected"]) for row in rows]
    [(1.0, 0.5), (2.0, 1.0)]
    """
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


def double_lift(
    actual: FloatArray,
    first: FloatArray,
    second: FloatArray,
    exposure: FloatArray,
    count: int = 10,
) -> tuple[DoubleLiftBand, ...]:
    """Double lift: bands of equal exposure by second / first prediction, lowest first; arrays (n,).

    Raises `InputError` where a first prediction is not above 0.

    >>> bands = double_lift(np.array([1.0, 3.0]), np.array([2.0, 2.0]), np.array([1.0, 3.0]),
    ...     np.ones(2), count=2)
    >>> [(band.ratio, band.actual, band.first, band.second) for band in bands]
    [(0.5, 1.0, 2.0, 1.0), (1.5, 3.0, 2.0, 3.0)]
    """
    require_rows(exposure, actual=actual, first=first, second=second)
    refuse(first <= 0, first, "first", "a ratio of predictions needs more than 0")
    band = equal_exposure_bands(second / first, exposure, count)
    weight = np.bincount(band, exposure, count)
    result = []
    for place in np.flatnonzero(weight).tolist():
        inside = band == place
        outcome, one, two = (
            float(np.average(column[inside], weights=exposure[inside]))
            for column in (actual, first, second)
        )
        result.append(DoubleLiftBand(place + 1, float(weight[place]), two / one, outcome, one, two))
    return tuple(result)


def auc(actual: FloatArray, expected: FloatArray, exposure: FloatArray) -> float:
    """AUC: the chance that a row with the event has a higher prediction than one without.

    Ties count half. `actual` (n,) is 0 or 1; above 0 counts as the event where it is an amount or
    count. Reference: Hanley and McNeil (1982). Raises `InputError` when all rows or none have it.

    >>> auc(np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.2, 0.9]), np.ones(3))
    0.75
    """
    require_rows(exposure, actual=actual, expected=expected)
    event = actual > 0
    counted = event[exposure > 0]
    if counted.all() or not counted.any():
        message = f"{counted.sum()} of {len(counted)} rows have the event: AUC needs both kinds"
        raise InputError(message)
    return float(roc_auc_score(event, expected, sample_weight=exposure))


def auc_interval(
    actual: FloatArray,
    expected: FloatArray,
    exposure: FloatArray,
    member: AnyArray,
    rng: np.random.Generator,
    draws: int = DRAWS_OF_ROWS,
) -> Interval:
    """`auc` with its interval by bootstrap over members (see `bootstrap_rows`); arrays (n,).

    Draws in which all rows have the event, or none, do not count. Raises `InputError` as `auc`.

    >>> rows = np.array([0.0, 1.0] * 9), np.array([0.1, 0.9] * 9), np.ones(18)
    >>> auc_interval(*rows, np.arange(18), np.random.default_rng(1))
    Interval(mean=1.0, low=1.0, high=1.0)
    """
    auc(actual, expected, exposure)
    _, block = np.unique(expected, return_inverse=True)
    event = (actual > 0).astype(np.float64)

    def drawn(rows: IntArray, counts: FloatArray) -> float:
        weight, size = counts * exposure[rows], int(block.max()) + 1
        with_event = np.bincount(block[rows], weight * event[rows], size)
        without = np.bincount(block[rows], weight * (1 - event[rows]), size)
        pairs = with_event.sum() * without.sum()
        below = np.cumsum(without) - without / 2
        return float(with_event @ below / pairs) if pairs > 0 else float("nan")

    return bootstrap_rows(drawn, member, rng, draws=draws)


def deviance_difference(
    actual: FloatArray,
    predictions: tuple[FloatArray, FloatArray],
    exposure: FloatArray,
    loss: Loss,
    draws: MemberDraws,
) -> Interval:
    """Mean deviance of the first of two predictions less that of the second, paired row by row.

    Above 0 the second is better; it is better beyond chance where the interval lies above 0.
    Reference: Diebold and Mariano (1995), here with a bootstrap over members. Arrays (n,), or
    (n, classes) predictions for `multiclass`.

    >>> from riskengine.risk.diagnostics import Family, draw_members
    >>> draws = draw_members(np.arange(2), np.random.default_rng(1))
    >>> both = np.array([1.0, 1.0]), np.array([3.0, 3.0])
    >>> deviance_difference(np.full(2, 3.0), both, np.ones(2), Loss(Family.SQUARED_ERROR), draws)
    Interval(mean=4.0, low=4.0, high=4.0)
    """
    first, second = predictions
    require_rows(exposure, actual=actual, first=first, second=second)
    difference = loss.unit(actual, first) - loss.unit(actual, second)
    return draws.ratio(exposure * difference, exposure)


def _lorenz(
    exposure: FloatArray, cost: FloatArray, block: IntArray
) -> tuple[FloatArray, FloatArray]:
    weight, total = np.bincount(block, exposure), np.bincount(block, cost)
    share_of_exposure = np.concatenate([[0.0], np.cumsum(weight) / weight.sum()])
    share_of_cost = np.concatenate([[0.0], np.cumsum(total) / total.sum()])
    return share_of_exposure, share_of_cost


def _gini_of(x: FloatArray, y: FloatArray) -> float:
    return float(1 - 2 * np.trapezoid(y, x))
