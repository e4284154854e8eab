"""How far a feature's distribution has moved between two sets of profiles.

The population stability index over the deciles of the first set, missing values as a bin of their
own: sum of (q - p) ln(q / p). Below 0.1 is usually read as stable, above 0.25 as a shift (Siddiqi,
Credit Risk Scorecards, 2006).
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.vocabulary import Answer, AnyArray, FloatArray

STABLE, SHIFTED = 0.1, 0.25
_BINS = 10


def population_stability_index(before: AnyArray, after: AnyArray) -> float:
    """PSI of two samples of one feature, float64 with NaN or objects with None, (n,) and (m,).

    Half a row is added to every bin, so that an empty one does not make it infinite. NaN where a
    sample has no rows.

    >>> same = np.arange(1000.0)
    >>> round(population_stability_index(same, same), 6)
    0.0
    >>> round(population_stability_index(same, same + 300), 1)
    2.0
    """
    if not len(before) or not len(after):
        return float("nan")
    if before.dtype == object:
        levels = sorted({str(v) for v in [*before, *after] if v is not None})
        shares = [
            np.array([np.sum(side == level) for level in levels] + [np.sum(side == None)])  # noqa: E711
            for side in (before, after)
        ]
    else:
        edges = _edges(before)
        shares = [_counts(side, edges) for side in (before, after)]
    return _index(*shares)


@dataclass(frozen=True)
class Bins:
    """The bins of one input and how many `rows` of a reference fell in each, the last missing.

    A number has the upper `edges` of its bins but the last, deciles of the reference; a category
    has its `levels`.
    """

    edges: tuple[float, ...]
    levels: tuple[str, ...]
    rows: tuple[float, ...]

    def place(self, value: Answer) -> int:
        """The bin of a value; a level that the reference did not have counts as missing."""
        if value is None or value != value:
            return len(self.rows) - 1
        if self.levels:
            return self.levels.index(value) if value in self.levels else len(self.rows) - 1
        return bisect_left(self.edges, float(value))

    def drift(self, rows: Sequence[float]) -> float:
        """PSI of the reference to `rows` (bins,) of others; NaN without any."""
        if not sum(rows):
            return float("nan")
        return _index(np.array(self.rows), np.array(rows, dtype=np.float64))


def bins_of(values: AnyArray) -> Bins:
    """The bins of a reference, float64 with NaN or objects with None, (n,).

    >>> bins = bins_of(np.arange(100.0))
    >>> bins.place(5.0), bins.place(95.0), bins.place(None)
    (0, 9, 10)
    >>> round(bins.drift([10.0] * 10 + [0.0]), 6)
    0.0
    """
    if values.dtype == object:
        levels = tuple(sorted({str(one) for one in values if one is not None}))
        known = [float(np.sum(values == level)) for level in levels]
        return Bins((), levels, (*known, float(len(values) - sum(known))))
    edges = _edges(values)
    return Bins(tuple(edges.tolist()), (), tuple(_counts(values, edges).tolist()))


def _index(before: FloatArray, after: FloatArray) -> float:
    p, q = ((count + 0.5) / np.sum(count + 0.5) for count in (before, after))
    return float(np.sum((q - p) * np.log(q / p)))


def _edges(values: FloatArray) -> FloatArray:
    if np.isnan(values).all():
        return np.array([])
    return np.unique(np.nanquantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]))


def _counts(values: FloatArray, edges: FloatArray) -> FloatArray:
    """Rows in (-inf, edge], (edge, next], ..., and missing ones."""
    known = values[~np.isnan(values)]
    inside = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    return np.append(inside, len(values) - len(known)).astype(np.float64)
