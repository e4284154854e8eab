"""Whether every monotone promise of a model spec is kept by the model that was fitted.

A feature that is promised to be increasing is moved up in steps, all else equal, on reference rows;
no prediction may fall on the way. A gate on promotion: one broken promise stops a model.
"""

from dataclasses import dataclass

import numpy as np

from riskengine.risk.model import Frame, RiskModel
from riskengine.risk.reference import ReferenceRows, predict_at, quantile_points, reference_rows
from riskengine.risk.spec import Direction
from riskengine.vocabulary import FloatArray

STEPS = 20
TOLERANCE = 1e-9
"""Of a prediction: what adding up in another order may change."""


@dataclass(frozen=True)
class BrokenPromise:
    """The largest break of one feature's promise.

    Between the values `low` and `high` of the feature the prediction moves the wrong way, by the
    share `size` of what it was at `low`.
    """

    feature: str
    direction: Direction
    size: float
    low: float
    high: float


def broken_promises(model: RiskModel, frame: Frame, seed: int = 0) -> tuple[BrokenPromise, ...]:
    """The monotone promises that are not kept, largest break first; empty when all are.

    Each feature takes at most 20 quantiles of its values in a seeded sample of `frame`. A model of
    classes has no promises. Raises as `reference_rows`.
    """
    promised = model.spec.features.monotone
    rows = reference_rows(model, frame, seed=seed)
    found = [_largest(model, rows, name, direction) for name, direction in promised.items()]
    broken = [one for one in found if one is not None]
    return tuple(sorted(broken, key=lambda one: -one.size))


def _largest(
    model: RiskModel, rows: ReferenceRows, name: str, direction: Direction
) -> BrokenPromise | None:
    points = quantile_points(rows.columns[name], rows.exposure, STEPS)
    if len(points) < 2:
        return None
    mean = predict_at(model, rows, {name: points})
    size, low, high = worst_fall(mean if direction is Direction.INCREASING else -mean)
    if size <= TOLERANCE:
        return None
    return BrokenPromise(name, direction, size, float(points[low]), float(points[high]))


def worst_fall(values: FloatArray) -> tuple[float, int, int]:
    """The largest fall down a column of `values` (steps, n), as a share, and from which step to
    which.

    >>> worst_fall(np.array([[1.0, 1.0], [2.0, 4.0], [2.0, 3.0]]))
    (0.25, 1, 2)
    """
    highest = np.maximum.accumulate(values, axis=0)
    scale = np.where(highest == 0, 1.0, np.abs(highest))
    fall = (highest - values) / scale
    high, row = np.unravel_index(int(np.argmax(fall)), fall.shape)
    low = int(np.argmax(values[: int(high) + 1, int(row)]))
    return float(fall[high, row]), low, int(high)
