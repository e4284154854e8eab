"""Reference rows: a bounded, seeded sample of a book, weighted by exposure.

Explanations are averages over a book. A thousand rows tell them well enough and keep the time
bounded, however large the book is. Left out: what is averaged (`riskengine.risk.explain`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from riskengine.errors import InputError, TableError
from riskengine.risk.columns import as_table, numbers
from riskengine.risk.diagnostics.deviance import weighted_quantile
from riskengine.risk.model import Frame, RiskModel
from riskengine.vocabulary import AnyArray, BoolArray, Columns, FloatArray, IntArray

MOST_ROWS = 1_000


@dataclass(frozen=True, eq=False)
class ReferenceRows:
    """`columns` that the model reads, each (n,), and `exposure` (n,), 1 where there is none.

    `places` (n,) are the rows of the table that they were.
    """

    columns: Columns
    exposure: FloatArray
    places: IntArray

    def first(self, most: int) -> "ReferenceRows":
        """At most `most` of the rows; a sample too, as rows are in random order."""
        return self.where(np.arange(len(self.exposure)) < most)

    def where(self, chosen: BoolArray) -> "ReferenceRows":
        """The rows that are `chosen` (n,), in their order."""
        columns = {name: values[chosen] for name, values in self.columns.items()}
        return ReferenceRows(columns, self.exposure[chosen], self.places[chosen])


def reference_rows(
    model: RiskModel, frame: Frame, most: int = MOST_ROWS, seed: int = 0
) -> ReferenceRows:
    """At most `most` rows of `frame`, drawn at random without replacement.

    The exposure is the column the model spec names, if the frame has it. Raises `InputError` when
    there are no rows, `TableError` when an exposure is not above 0, and as `RiskModel.predict`.
    """
    name = model.spec.model.exposure
    table = frame if isinstance(frame, Mapping) else as_table(frame)
    size = len(next(iter(table.values()), ())) if isinstance(table, Mapping) else table.num_rows
    if size == 0:
        message = "there are no rows to explain the model on: give at least one"
        raise InputError(message)
    rows = _drawn(size, most, seed)
    if isinstance(table, Mapping):
        columns: Columns = {n: np.asarray(v)[rows] for n, v in table.items()}
        exposure = columns.get(name or "")
        read = model.read({n: columns[n] for n in model.spec.features.names if n in columns})
    else:
        few = table.take(rows)
        exposure = numbers(few, name) if name and name in few.schema.names else None
        read = model.read(few)
    weight = np.ones(len(rows)) if exposure is None else exposure.astype(np.float64)
    bad = ~(np.isfinite(weight) & (weight > 0))
    if bad.any():
        message = f"{name} is {weight[bad][0]} in {bad.sum()} rows: must be > 0"
        raise TableError(message)
    return ReferenceRows(read, weight, rows)


def quantile_points(values: FloatArray, exposure: FloatArray, most: int) -> FloatArray:
    """At most `most` values that occur, rising: all of them, or quantiles by exposure.

    Missing values (NaN) are left out; the array is empty where nothing else is there.

    >>> quantile_points(np.array([3.0, 1.0, np.nan, 1.0]), np.ones(4), 5).tolist()
    [1.0, 3.0]
    """
    known = ~np.isnan(values)
    found: FloatArray = np.unique(values[known])
    if len(found) <= most:
        return found
    shares = np.linspace(0.0, 1.0, most)[1:-1]
    inner = [weighted_quantile(values[known], exposure[known], share) for share in shares]
    return np.unique(np.array([found[0], *inner, found[-1]]))


def predict_at(model: RiskModel, rows: ReferenceRows, values: Mapping[str, AnyArray]) -> FloatArray:
    """Predictions for every row with features set to each of some points: (points, n[, classes]).

    `values` has, by feature, its value at every point (points,).
    """
    points, size = len(next(iter(values.values()))), len(rows.exposure)
    columns = {n: np.tile(v, points) for n, v in rows.columns.items() if n not in values}
    columns |= {name: np.repeat(value, size) for name, value in values.items()}
    mean = model.predict(columns)
    return mean.reshape(points, size, *mean.shape[1:])


def _drawn(size: int, most: int, seed: int) -> IntArray:
    """Positions of the rows drawn, in random order."""
    found: IntArray = np.random.default_rng(seed).permutation(size)[:most]
    return found
