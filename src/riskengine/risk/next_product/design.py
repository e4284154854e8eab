"""Features of a customer as the learners read them: numbers, codes of levels, ramps.

Trees read numbers as they are and levels as codes, which LightGBM groups itself, however many there
are; the multinomial logistic reads ramps between quantiles and one effect a level. A level that few
customers have is read as one never seen is: it has no effect of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

from riskengine.risk.spec import FeatureSection
from riskengine.vocabulary import AnyArray, Columns, FloatArray, IntArray

LEAST_CUSTOMERS = 10
"""A level that fewer customers have is read as one that was never seen."""
_SEGMENTS = 6


@dataclass(frozen=True, eq=False)
class Design:
    """How columns become matrices, as learnt from customers.

    `knots` of each number (rising, two or more, or none for a constant), `medians` for what is
    missing where training never lacked it (`learnt_missing` has the others), `levels` by feature.
    """

    knots: Mapping[str, FloatArray]
    medians: Mapping[str, float]
    learnt_missing: frozenset[str]
    levels: Mapping[str, tuple[str, ...]]

    @property
    def width(self) -> int:
        """How many columns `ramps` has."""
        return sum(max(len(k) - 1, 0) + (n in self.learnt_missing) for n, k in self.knots.items())

    def numbers(self, columns: Columns) -> FloatArray:
        """The numbers (n, numbers); NaN only where training had missing values too."""
        found = np.empty((_rows(columns), len(self.knots)))
        for place, name in enumerate(self.knots):
            values = np.asarray(columns[name], dtype=np.float64)
            if name not in self.learnt_missing:
                values = np.where(np.isnan(values), self.medians[name], values)
            found[:, place] = values
        return found

    def codes(self, columns: Columns) -> IntArray:
        """The place of each level (n, categorical features); the number of levels if unknown."""
        found = np.empty((_rows(columns), len(self.levels)), dtype=np.int64)
        for place, (name, known) in enumerate(self._places.items()):
            values = columns[name]
            found[:, place] = [known.get(value, len(known)) for value in values]
        return found

    def ramps(self, numbers: FloatArray) -> FloatArray:
        """The numbers as ramps between knots, and where they are missing (n, width)."""
        found = np.empty((len(numbers), self.width))
        at = 0
        for place, (name, knots) in enumerate(self.knots.items()):
            values = numbers[:, place]
            if len(knots) > 1:
                ramp = np.clip((values[:, None] - knots[:-1]) / np.diff(knots), 0.0, 1.0)
                found[:, at : at + len(knots) - 1] = np.nan_to_num(ramp)
                at += len(knots) - 1
            if name in self.learnt_missing:
                found[:, at] = np.isnan(values)
                at += 1
        return found

    def for_trees(self, numbers: FloatArray, codes: IntArray) -> FloatArray:
        """Numbers, then codes, NaN where a level is unknown (n, features)."""
        sizes = np.array([len(known) for known in self.levels.values()])
        return np.hstack([numbers, np.where(codes == sizes, np.nan, codes)])

    @cached_property
    def _places(self) -> dict[str, dict[object, int]]:
        return {
            name: {level: place for place, level in enumerate(known)}
            for name, known in self.levels.items()
        }


def fit_design(features: FeatureSection, columns: Columns) -> Design:
    """The design of customers' columns."""
    knots, medians = {}, {}
    for name in features.numeric:
        values = np.asarray(columns[name], dtype=np.float64)
        known = values[~np.isnan(values)]
        shares = np.linspace(0.01, 0.99, _SEGMENTS + 1)
        found = np.unique(np.quantile(known, shares)) if len(known) else np.empty(0)
        if len(found) == 1 and known.min() < known.max():
            found = np.array([known.min(), known.max()])
        knots[name] = found if len(found) > 1 else np.empty(0)
        medians[name] = float(np.median(known)) if len(known) else 0.0
    missing = {n for n in features.numeric if bool(np.isnan(columns[n]).any())}
    return Design(
        knots,
        medians,
        frozenset(missing | (set(features.optional) & set(features.numeric))),
        {name: _common(columns[name]) for name in features.categorical},
    )


def one_hot(codes: IntArray, sizes: IntArray) -> sparse.csr_matrix:
    """Codes (n, features) as indicators (n, all levels); none for an unknown level."""
    starts = np.cumsum(sizes) - sizes
    known = codes < sizes
    rows = np.repeat(np.arange(len(codes)), known.sum(axis=1))
    places = (codes + starts)[known]
    shape = (len(codes), int(sizes.sum()))
    return sparse.csr_matrix((np.ones(len(rows)), (rows, places)), shape=shape)


def _common(values: AnyArray) -> tuple[str, ...]:
    counts = pd.Series(values, dtype=object).value_counts()
    least = min(LEAST_CUSTOMERS, max(1, len(values) // 50))
    return tuple(sorted(str(level) for level in counts.index[counts >= least]))


def _rows(columns: Columns) -> int:
    return len(next(iter(columns.values())))
