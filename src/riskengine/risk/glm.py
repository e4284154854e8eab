"""A GLM in the form of a rate book: one table a feature, added on the scale of the link.

Numbers enter as ramps between quantiles (piecewise linear, flat outside), levels as indicators,
missing values as a level of their own. Ridge penalties hold every table back towards nothing by a
number of expected events (`Penalty`), which makes thin levels as credible as their experience. A
promised direction is kept by the sign of the ramps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from glum import GeneralizedLinearRegressor, TweedieDistribution
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from riskengine.risk.terms import FactorTable
from riskengine.risk.trees import Objective, Sample
from riskengine.vocabulary import FloatArray

MOST_COLUMNS = 350
MOST_SEGMENTS = 7
PENALTIES = (300.0, 30.0, 3.0, 0.3)
"""Ridge penalties that are tried, in expected events, heaviest first."""


@dataclass(frozen=True, eq=False)
class Ramps:
    """How the columns of a matrix become those of the GLM.

    `knots` of each number (two or more, rising; none for a constant), `levels` the number of levels
    of each column that holds codes; `missing` says which columns may be missing.
    """

    knots: Mapping[int, FloatArray]
    levels: Mapping[int, int]
    missing: frozenset[int]

    def expand(self, matrix: FloatArray) -> FloatArray:
        """The GLM's columns of a matrix, (n, width), in the order of the matrix."""
        found = np.zeros((len(matrix), self.width))
        for place, start in self.starts().items():
            self._fill(found, matrix[:, place], place, start)
        return found

    def _fill(self, found: FloatArray, values: FloatArray, place: int, start: int) -> None:
        absent = np.isnan(values)
        if place in self.levels:
            rows = np.flatnonzero(~absent)
            found[rows, start + values[rows].astype(np.int64)] = 1.0
        else:
            knots = self.knots[place]
            for segment in range(len(knots) - 1):
                low, high = knots[segment], knots[segment + 1]
                ramp = np.clip((values - low) / (high - low), 0.0, 1.0)
                found[:, start + segment] = np.where(absent, 0.0, ramp)
        if place in self.missing:
            found[absent, start + self.size(place) - 1] = 1.0

    def size(self, place: int) -> int:
        """How many of the GLM's columns the column at `place` has."""
        plain = self.levels[place] if place in self.levels else max(len(self.knots[place]) - 1, 0)
        return plain + (place in self.missing)

    def starts(self) -> dict[int, int]:
        """Where the GLM's columns of each column begin."""
        starts, at = {}, 0
        for place in sorted({*self.knots, *self.levels}):
            starts[place] = at
            at += self.size(place)
        return starts

    @property
    def width(self) -> int:
        return sum(self.size(place) for place in {*self.knots, *self.levels})


def fit_ramps(matrix: FloatArray, levels: Mapping[int, int], main: int) -> Ramps:
    """Ramps for a training matrix; fewer segments where there are many columns.

    `levels` is the number of levels of each column of codes. Columns from `main` on are
    interactions: what is missing there adds nothing.
    """
    numbers = [place for place in range(matrix.shape[1]) if place not in levels]
    room = (MOST_COLUMNS - sum(levels.values())) // max(len(numbers), 1)
    segments = int(np.clip(room, 1, MOST_SEGMENTS))
    knots = {}
    for place in numbers:
        known = matrix[~np.isnan(matrix[:, place]), place]
        if len(known) > 200_000:
            known = known[:: len(known) // 100_000]
        shares = np.linspace(0.0, 1.0, segments + 1)
        shares[[0, -1]] = (0.005, 0.995) if segments > 1 else (0.02, 0.98)
        found = np.unique(np.quantile(known, shares)) if len(known) else np.empty(0)
        if len(found) == 1 and len(known) and known.min() < known.max():
            found = np.array([known.min(), known.max()])
        knots[place] = found
    missing = frozenset(np.flatnonzero(np.isnan(matrix[:, :main]).any(axis=0)).tolist())
    return Ramps(knots, dict(levels), missing)


@dataclass(frozen=True)
class Penalty:
    """Ridge on the GLM's coefficients: the strength, in expected events, and what one weighs."""

    events: float
    unit: float

    def alpha(self, weight: FloatArray) -> float:
        """The penalty per unit of weight."""
        return self.events * self.unit / float(weight.sum())


@dataclass(frozen=True, eq=False)
class Coefficients:
    """`intercept` (classes,) and `slopes` (width, classes) of the GLM's columns."""

    intercept: FloatArray
    slopes: FloatArray

    def score(self, expanded: FloatArray) -> FloatArray:
        """Linear predictor, (n,) or (n, classes)."""
        score: FloatArray = expanded @ self.slopes + self.intercept
        return score[:, 0] if score.shape[1] == 1 else score


def fit_glm(
    objective: Objective,
    sample: Sample,
    penalty: Penalty,
    signs: FloatArray,
    start: Coefficients | None = None,
) -> Coefficients:
    """Fit the GLM to expanded rows; `sample.matrix` is (n, width).

    `signs` (width,) is 1 where a coefficient must not be negative, -1 where not positive, else 0.
    """
    if objective.name == "multiclass":
        return _fit_multinomial(objective, sample, penalty)
    bounds: dict[str, Any] = {}
    if signs.any():
        bounds["lower_bounds"] = np.where(signs > 0, 0.0, -np.inf)
        bounds["upper_bounds"] = np.where(signs < 0, 0.0, np.inf)
    model = GeneralizedLinearRegressor(
        family=_family(objective),
        link="logit" if objective.name == "binary" else "log",
        alpha=penalty.alpha(sample.weight),
        max_iter=60,
        gradient_tol=1e-5,
        warm_start=start is not None,
        **bounds,
    )
    if start is not None:
        model.coef_, model.intercept_ = start.slopes[:, 0], float(start.intercept[0])
    with threadpool_limits(1):  # threads add up in any order: equal input, unequal bits
        model.fit(sample.matrix, sample.outcome, sample_weight=sample.weight)
    return Coefficients(np.array([model.intercept_]), np.asarray(model.coef_)[:, None])


def _family(objective: Objective) -> Any:
    if objective.name == "tweedie":
        return TweedieDistribution(objective.power)
    return {"poisson": "poisson", "gamma": "gamma", "binary": "binomial"}[objective.name]


def _fit_multinomial(objective: Objective, sample: Sample, penalty: Penalty) -> Coefficients:
    weight = sample.weight / sample.weight.mean()
    model = LogisticRegression(C=1 / (penalty.events * penalty.unit), max_iter=300, tol=1e-3)
    classes = np.arange(objective.classes)
    found = set(np.unique(sample.outcome).astype(int))
    with threadpool_limits(1):
        model.fit(sample.matrix, sample.outcome.astype(int), sample_weight=weight)
    slopes = np.zeros((sample.matrix.shape[1], objective.classes))
    intercept = np.full(objective.classes, -20.0)
    there = [place for place in classes if place in found]
    if len(there) == 2:
        slopes[:, there[1]], intercept[there] = model.coef_[0], (0.0, model.intercept_[0])
    else:
        slopes[:, there], intercept[there] = model.coef_.T, model.intercept_
    return Coefficients(intercept, slopes)


def factor_tables(ramps: Ramps, coefficients: Coefficients) -> list[FactorTable]:
    """The GLM as one table for each column of the matrix."""
    tables = []
    classes = coefficients.slopes.shape[1]
    for place, start in ramps.starts().items():
        slopes = coefficients.slopes[start : start + ramps.size(place)]
        missing = np.zeros(classes)
        if place in ramps.missing:
            slopes, missing = slopes[:-1], slopes[-1]
        if place in ramps.levels:
            tables.append(FactorTable(np.empty(0), slopes, missing))
        else:
            points = ramps.knots[place] if len(ramps.knots[place]) else np.zeros(1)
            rising = np.concatenate([np.zeros((1, classes)), np.cumsum(slopes, axis=0)])
            tables.append(FactorTable(points, rising[: len(points)], missing))
    return tables
