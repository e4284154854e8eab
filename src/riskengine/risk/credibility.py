"""Levels of a category as numbers: their credibility-weighted relativity, learnt without leaks.

A level's outcome counts as far as its own experience is credible; the rest is the collective's, so
a level never seen has the collective's value (Buehlmann and Straub, 1970). A training row is never
encoded by its own outcome: it is encoded by the experience of the other folds that its model may
see (nested out-of-fold encoding).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from riskengine.vocabulary import BoolArray, FloatArray, IntArray

_FLOOR = 1e-9


@dataclass(frozen=True)
class Experience:
    """What a fit learns from, row by row (n,).

    `outcome` per unit of `weight`; `part` from 0, at least as fine as folds; `may_see` (models,
    parts) says which parts each model may learn from.
    """

    outcome: FloatArray
    weight: FloatArray
    part: IntArray
    may_see: np.ndarray[Any, np.dtype[np.bool_]]

    @property
    def mean(self) -> float:
        return float(np.average(self.outcome, weights=self.weight))


def credibility_constant(
    outcome: FloatArray, weight: FloatArray, level: IntArray, levels: int
) -> float:
    """Buehlmann-Straub's k = s^2 / a: the weight at which a level is half credible.

    `s^2` is the expected process variance for one unit of weight, `a` the variance of the levels'
    true means, both by their unbiased estimators. Infinite where the levels do not differ by more
    than chance: nothing is credible then.

    >>> outcome, level = np.array([0.0, 2.0, 3.0, 5.0]), np.array([0, 0, 1, 1])
    >>> round(credibility_constant(outcome, np.ones(4), level, 2), 6)
    0.571429
    """
    return _Totals(*_by_cell(outcome, weight, level, levels)).constant


def variance_components(
    outcome: FloatArray, weight: FloatArray, level: IntArray, levels: int
) -> tuple[float, float]:
    """`s^2`, the variance within levels for one unit of weight, and `a`, that between them.

    With m the weights, x the outcomes and bars for weighted means, over levels i and rows j:
    `s^2 = sum_ij m_ij (x_ij - xbar_i)^2 / sum_i (n_i - 1)` and
    `a = (sum_i m_i (xbar_i - xbar)^2 - (levels - 1) s^2) / (m - sum_i m_i^2 / m)`, both unbiased
    (Buehlmann and Straub, 1970), so `a` may be negative: the levels differ by no more than chance.
    NaN where there are fewer than two levels or no level with two rows.
    """
    return _Totals(*_by_cell(outcome, weight, level, levels)).components


def _by_cell(
    outcome: FloatArray, weight: FloatArray, cell: IntArray, cells: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """What `_Totals` holds, by the number of a cell: each (cells,)."""
    here = (weight > 0).astype(np.float64)
    totals = (here, weight, weight * outcome, weight * outcome**2)
    rows, weights, costs, squares = (
        np.bincount(cell, total, cells).astype(np.float64) for total in totals
    )
    return rows, weights, costs, squares


@dataclass(frozen=True, eq=False)
class _Totals:
    """Number of rows, weight, cost and squares of outcomes times weight, by level, (levels,)."""

    rows: FloatArray
    weight: FloatArray
    cost: FloatArray
    squares: FloatArray

    @property
    def components(self) -> tuple[float, float]:
        """`s^2` and `a` by their unbiased estimators; `a` may come out below 0, or be NaN."""
        there = self.weight > 0
        mean = self.cost / np.where(there, self.weight, 1.0)
        freedom = int(self.rows[there].sum() - there.sum())
        if freedom <= 0 or there.sum() < 2:
            return float("nan"), float("nan")
        process = max(float(np.sum(self.squares - self.cost * mean)), 0.0) / freedom
        total = self.weight.sum()
        collective = self.cost.sum() / total
        between = np.sum(self.weight * (mean - collective) ** 2) - (there.sum() - 1) * process
        return process, float(between / (total - np.sum(self.weight**2) / total))

    @property
    def constant(self) -> float:
        process, spread = self.components
        return max(float(process / spread), _FLOOR) if spread > 0 else float("inf")

    @property
    def relativities(self) -> FloatArray:
        """Credible log relativities of the levels; 0 where there is no experience at all."""
        total = float(self.weight.sum())
        if total <= 0:
            return np.zeros(len(self.weight))
        collective = max(float(self.cost.sum()) / total, _FLOOR)
        return credible_relativity(self.cost, self.weight, collective, self.constant)


def credible_relativity(
    cost: FloatArray, weight: FloatArray, collective: float, constant: float
) -> FloatArray:
    """`log(z * own / collective + 1 - z)`, `z = weight / (weight + constant)`; any shape.

    `cost` is a level's total outcome, `weight` its total weight, `collective` the mean outcome.

    >>> credible_relativity(np.array([30.0]), np.array([10.0]), 1.0, 10.0).round(6).tolist()
    [0.693147]
    """
    if np.isinf(constant):
        return np.zeros(np.shape(cost))
    ratio = (cost / collective + constant) / (weight + constant)
    return np.log(np.maximum(ratio, _FLOOR))


@dataclass(frozen=True, eq=False)
class Encoding:
    """One feature, or two crossed, as log relativities of their levels.

    `levels` are the known ones, sorted; those of a cross are pairs. `values`
    (models, levels + 1, 2) are what each model sees: the log relativity, and the logarithm of 1
    plus the experience it rests on, in average rows. The last level is one never seen.
    """

    features: tuple[str, ...]
    levels: tuple[str, ...]
    values: FloatArray

    @property
    def name(self) -> str:
        return " x ".join(self.features)


def fit_encoding(level: IntArray, levels: int, data: Experience) -> tuple[FloatArray, FloatArray]:
    """What each model sees: of new rows (models, levels + 1, 2), of its own (models, n, 2).

    `level` (n,) is the position of each row's level. Of its training rows a model sees the
    encoding without the row's own part.
    """
    models, parts = data.may_see.shape
    index = data.part * levels + level
    totals = _by_cell(data.outcome, data.weight, index, parts * levels)
    by_part = [total.reshape(parts, levels) for total in totals]
    a_row = data.weight.sum() / max(np.count_nonzero(data.weight), 1)
    served = np.zeros((models, levels + 1, 2))
    seen = np.zeros((models, len(level), 2))
    for model in range(models):
        inside = data.may_see[model]
        everything = _encoded(by_part, inside, a_row)
        served[model, :levels] = everything
        own = np.repeat(everything[None], parts, axis=0)
        for part in np.flatnonzero(inside):
            own[part] = _encoded(by_part, inside & (np.arange(parts) != part), a_row)
        seen[model] = own[data.part, level]
    return served, seen


def _encoded(by_part: list[FloatArray], parts: BoolArray, a_row: float) -> FloatArray:
    """Relativity and experience of the levels (levels, 2) by some parts alone."""
    totals = _Totals(*(total[parts].sum(axis=0) for total in by_part))
    return np.column_stack([totals.relativities, np.log1p(totals.weight / a_row)])
