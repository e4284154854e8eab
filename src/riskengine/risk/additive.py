"""The GLMs of an ensemble: one a model, of the ridge penalty that held-out rows choose."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.risk.blend import mean_loss
from riskengine.risk.glm import (
    MOST_COLUMNS,
    MOST_SEGMENTS,
    PENALTIES,
    Coefficients,
    Penalty,
    Ramps,
    factor_tables,
    fit_glm,
    fit_ramps,
)
from riskengine.risk.spec import Direction
from riskengine.risk.task import Data
from riskengine.risk.terms import FactorTable
from riskengine.risk.trees import Sample
from riskengine.vocabulary import FloatArray, IntArray

_MOST_ROWS = 150_000
_MOST_CELLS = 20_000_000
_TRIED_BY_ALL = 50_000
"""Rows: with more, the penalties are tried by one model of the ensemble."""


@dataclass(frozen=True, eq=False)
class Additive:
    """GLMs of one penalty: held-out scores (n, classes) and each model's tables."""

    scores: FloatArray
    tables: list[list[FactorTable]]
    intercepts: list[FloatArray]


def fit_additive(data: Data) -> Additive:
    """GLMs of the penalty whose held-out loss is least; the heaviest that cannot be bettered.

    Where there are many rows the first model alone tries the penalties.
    """
    width = min(MOST_COLUMNS, MOST_SEGMENTS * len(data.design.names))
    most = min(_MOST_ROWS, _MOST_CELLS // width)
    rows = _thinned(np.flatnonzero(data.task.weight > 0), most)
    everything = data.matrix(0, rows)
    if data.hidden is not None:
        everything = np.vstack([everything, data.training(0, rows).matrix])
    ramps = fit_ramps(data.for_glm(everything), data.levels_of_glm(), len(data.design.names))
    fits = [
        _ModelGlm(data, ramps, model, np.intersect1d(rows, data.seen(model), assume_unique=True))
        for model in range(len(data.task.folds.may_see))
    ]
    held_out = len(data.task.folds.held_out)
    trying = fits[: held_out if len(rows) <= _TRIED_BY_ALL else 1]
    tried: list[tuple[float, float, list[Coefficients]]] = []
    for events in PENALTIES:
        found = [one.fit(Penalty(events, data.unit)) for one in trying]
        scores = _scores_of(data, trying)
        known = np.flatnonzero(~np.isnan(scores[:, 0]) & (data.task.weight > 0))
        outcome, weight = data.task.outcome[known], data.task.weight[known]
        loss = mean_loss(data.task.objective, outcome, weight, scores[known])
        tried.append((loss, events, found))
        if not loss <= min(loss for loss, *_ in tried):
            break
    _, events, found = min(tried, key=lambda one: one[0])
    for one, coefficients in zip(trying, found, strict=True):
        one.fitted = coefficients
    for one in fits[len(trying) :]:
        one.fit(Penalty(events, data.unit))
    tables = [factor_tables(ramps, one.found) for one in fits]
    intercepts = [one.found.intercept for one in fits]
    return Additive(_scores_of(data, fits[:held_out]), tables, intercepts)


def _scores_of(data: Data, fits: Sequence["_ModelGlm"]) -> FloatArray:
    """Held-out scores (n, classes) by the GLMs of the first models; NaN where none was held out."""
    scores = np.full((len(data.task.outcome), data.task.objective.classes), np.nan)
    for model, one in enumerate(fits):
        held = data.predicted(model)
        scores[held] = one.score(held)
    return scores


class _ModelGlm:
    """The GLM of one model of the ensemble along the penalties, each started from the last."""

    def __init__(self, data: Data, ramps: Ramps, model: int, rows: IntArray) -> None:
        self._data, self._ramps, self._model = data, ramps, model
        sample = data.training(model, rows)
        matrix = ramps.expand(data.for_glm(sample.matrix))
        self._sample = Sample(matrix, sample.outcome, sample.weight)
        self._signs = _signs(data, ramps)
        self.fitted: Coefficients | None = None

    @property
    def found(self) -> Coefficients:
        if self.fitted is None:
            message = "the GLM was not fitted yet"
            raise RuntimeError(message)
        return self.fitted

    def fit(self, penalty: Penalty) -> Coefficients:
        objective = self._data.task.objective
        self.fitted = fit_glm(objective, self._sample, penalty, self._signs, self.fitted)
        return self.fitted

    def score(self, rows: IntArray) -> FloatArray:
        matrix = self._ramps.expand(self._data.for_glm(self._data.matrix(self._model, rows)))
        return self.found.score(matrix).reshape(len(rows), -1)


def _signs(data: Data, ramps: Ramps) -> FloatArray:
    found = np.zeros(ramps.width)
    monotone = data.task.spec.features.monotone
    owners = data.design.owners
    for place, start in ramps.starts().items():
        direction = monotone.get(owners[place][0]) if place not in ramps.levels else None
        if direction is not None:
            ramp_columns = ramps.size(place) - (place in ramps.missing)
            found[start : start + ramp_columns] = 1 if direction is Direction.INCREASING else -1
    return found


def _thinned(rows: IntArray, most: int) -> IntArray:
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
