"""Learning one linear predictor: trees of a few sizes, a GLM, and their shares, out-of-fold.

Every model of the ensemble learns from some folds and is held against another; only held-out rows
decide anything: when trees stop, how large they are, how much the GLM is held back, how the two
are blended. Features that may be missing are hidden at random in a second copy of the data, so that
"not answered" is a value both have learnt.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from riskengine.risk.blend import Blend, fit_blend, mean_loss, null_intercept
from riskengine.risk.credibility import Experience
from riskengine.risk.design import Design, fit_design
from riskengine.risk.folds import Folds
from riskengine.risk.glm import (
    PENALTIES,
    Coefficients,
    Penalty,
    Ramps,
    factor_tables,
    fit_glm,
    fit_ramps,
)
from riskengine.risk.predictor import Predictor, Share, average_tables
from riskengine.risk.spec import Direction, ModelSpec
from riskengine.risk.terms import FactorTable
from riskengine.risk.trees import (
    Forest,
    Growth,
    Layout,
    Objective,
    Sample,
    grow,
    grow_once,
    raw_scores,
)
from riskengine.vocabulary import Columns, FloatArray, IntArray

_HIDE_EACH, _HIDE_ALL = 0.5, 0.25
_GLM_ROWS = 150_000
_TRIED_BY_ALL = 50_000
"""Rows: with more, the penalties of the GLM are tried by one model of the ensemble."""


@dataclass(frozen=True, eq=False)
class Task:
    """One linear predictor to learn: `outcome` per unit of `weight`, (n,), from `columns`.

    A row of weight 0 is predicted, not learnt from.
    """

    spec: ModelSpec
    objective: Objective
    columns: Columns
    outcome: FloatArray
    weight: FloatArray
    folds: Folds


@dataclass(frozen=True, eq=False)
class Learnt:
    """A predictor, and the scores (n, classes) of rows that were held out; NaN where none was.

    `rounds` and `shares` say how many trees and how much of each learner serve.
    """

    predictor: Predictor
    out_of_fold: FloatArray
    rounds: int
    shares: dict[str, float]


@dataclass(frozen=True, eq=False)
class _Data:
    """A task with its design: what each model reads, and the `unit_of` its penalties."""

    task: Task
    design: Design
    plain: FloatArray
    own: list[FloatArray]
    hidden: FloatArray | None
    unit: float

    def matrix(self, model: int, rows: IntArray) -> FloatArray:
        if not self.own[model].shape[1]:
            return self.plain[rows]
        return np.column_stack([self.plain[rows], self.own[model][rows]])

    def training(self, model: int, rows: IntArray) -> Sample:
        """Rows for model to learn from, and their hidden copy."""
        outcome, weight = self.task.outcome[rows], self.task.weight[rows]
        matrix = self.matrix(model, rows)
        if self.hidden is None:
            return Sample(matrix, outcome, weight)
        copy = np.column_stack([self.hidden[rows], self.own[model][rows]])
        return Sample(np.vstack([matrix, copy]), np.tile(outcome, 2), np.tile(weight, 2) / 2)

    def seen(self, model: int) -> IntArray:
        """The rows that a model learns from."""
        inside = self.task.folds.may_see[model][self.task.folds.fold]
        return np.flatnonzero(inside & (self.task.weight > 0))

    def held_out(self, model: int) -> IntArray:
        """The rows that a model is held against."""
        outside = self.task.folds.fold == self.task.folds.held_out[model]
        return np.flatnonzero(outside & (self.task.weight > 0))

    def predicted(self, model: int) -> IntArray:
        """The rows whose held-out prediction is this model's."""
        return np.flatnonzero(self.task.folds.fold == self.task.folds.held_out[model])

    def pairs(self) -> Iterator[tuple[Sample, Sample]]:
        for model in range(len(self.task.folds.held_out)):
            rows = self.held_out(model)
            held = Sample(self.matrix(model, rows), self.task.outcome[rows], self.task.weight[rows])
            yield self.training(model, self.seen(model)), held

    def for_glm(self, matrix: FloatArray) -> FloatArray:
        """A matrix with the columns of pairs, which trees find by themselves."""
        plain = matrix[:, : self.plain.shape[1]]
        return np.hstack([matrix, self.design.pair_columns(plain)])

    def levels_of_glm(self) -> dict[int, int]:
        """The number of levels of each of the GLM's columns that hold codes."""
        design = self.design
        sizes = [len(known) for known in design.levels.values()]
        found = dict(zip(design.categorical, sizes, strict=True))
        width = len(design.numeric)
        for column, (one, two, level) in enumerate(design.paired, start=len(design.names)):
            if level < 0:
                found[column] = sizes[one - width] * sizes[two - width]
        return found

    @property
    def layout(self) -> Layout:
        return Layout(self.design.names, self.design.categorical)


def learn(task: Task, candidates: Sequence[dict[str, object]]) -> Learnt:
    """Learn a predictor; `candidates` are settings of LightGBM to choose from, or to blend."""
    data = _prepare(task)
    parameters, forest = min(
        (_grown(data, candidate) for candidate in candidates), key=lambda pair: pair[1].loss
    )
    scores = [_held_out_scores(data, forest)]
    names = ["trees"]
    glm = None
    if task.spec.blend.glm:
        glm = _fit_tables(data)
        scores.append(glm.scores)
        names.append("glm")
    rows = np.flatnonzero(~np.isnan(scores[0][:, 0]))
    held = np.stack(scores)[:, rows]
    counts = task.weight[rows] > 0
    judged = rows[counts]
    blend = fit_blend(task.objective, task.outcome[judged], task.weight[judged], held[:, counts])
    return Learnt(
        _serve(data, blend, (parameters, forest), glm),
        _placed(blend.score(held), rows, len(task.outcome)),
        forest.rounds,
        dict(zip(names, blend.shares.tolist(), strict=True)),
    )


def held_out_losses(task: Task) -> Callable[[dict[str, object]], float]:
    """A function from settings to the mean held-out loss of their trees at their best round."""
    data = _prepare(task)
    return lambda candidate: _grown(data, candidate)[1].loss


def mean_alone(task: Task) -> Learnt:
    """The mean as a predictor: what is left where there is too little to learn from."""
    intercept = null_intercept(task.objective, task.outcome, task.weight)
    design, *_ = fit_design(task.spec, task.columns, _experience(task))
    return Learnt(
        Predictor(design, len(task.folds.may_see), intercept),
        np.tile(intercept, (len(task.outcome), 1)),
        0,
        {"trees": 0.0, "glm": 0.0},
    )


def unit_of(objective: Objective, outcome: FloatArray, weight: FloatArray) -> float:
    """Information on the mean, on the scale of the link, that one event brings.

    Total information at the mean over the number of rows with an outcome (for a yes or no: with
    the rarer answer).
    """
    mean = float(np.average(outcome, weights=weight))
    if objective.name == "multiclass":
        return 1.0
    if objective.name == "binary":
        events = min(float((outcome > 0).sum()), float((outcome == 0).sum()))
        return float(weight.sum()) * mean * (1 - mean) / max(events, 1.0)
    information = {"poisson": mean, "gamma": 1.0}.get(objective.name, 1.0)
    return float(weight.sum()) * information / max(float((outcome > 0).sum()), 1.0)


def _prepare(task: Task) -> _Data:
    design, plain, own = fit_design(task.spec, task.columns, _experience(task))
    optional = [n for n in task.spec.features.optional if n in (*design.numeric, *design.levels)]
    hidden = _hide(plain, optional, design, task.spec.lightgbm.seed) if optional else None
    unit = unit_of(task.objective, task.outcome, task.weight)
    return _Data(task, design, plain, own, hidden, unit)


def _experience(task: Task) -> Experience:
    folds = task.folds
    fold_of = np.zeros(int(folds.part.max()) + 1, dtype=np.int64)
    fold_of[folds.part] = folds.fold
    return Experience(_coded(task), task.weight, folds.part, folds.may_see[:, fold_of])


def _coded(task: Task) -> FloatArray:
    """The outcome that levels are encoded by: of classes, whether it is the commonest."""
    if task.objective.name != "multiclass":
        return task.outcome
    commonest = np.argmax(np.bincount(task.outcome.astype(np.int64)))
    return np.asarray(task.outcome == commonest, dtype=np.float64)


def _hide(plain: FloatArray, optional: list[str], design: Design, seed: int) -> FloatArray:
    """A copy with optional features hidden: each at random, and all at once in some rows."""
    rng = np.random.default_rng(seed)
    names = (*design.numeric, *design.levels)
    hide = rng.random((len(plain), len(optional))) < _HIDE_EACH
    hide |= (rng.random(len(plain)) < _HIDE_ALL)[:, None]
    hidden = plain.copy()
    for place, name in enumerate(optional):
        hidden[hide[:, place], names.index(name)] = np.nan
    return hidden


def _grown(data: _Data, candidate: dict[str, object]) -> tuple[dict[str, object], Forest]:
    """LightGBM's parameters of a candidate and what grew by them."""
    settings = data.task.spec.lightgbm
    parameters = _parameters(data, candidate)
    growth = Growth(settings.rounds, settings.early_stopping_rounds)
    return parameters, grow(parameters, data.pairs(), data.layout, growth)


def _parameters(data: _Data, candidate: dict[str, object]) -> dict[str, object]:
    """LightGBM's parameters of a candidate, whose penalties count events."""
    spec = data.task.spec
    settings: dict[str, object] = {"bagging_freq": 1, "seed": spec.lightgbm.seed, **candidate}
    for name in ("lambda_l2", "min_sum_hessian_in_leaf"):
        if name in settings:
            settings[name] = float(str(settings[name])) * data.unit
    settings |= spec.lightgbm.given
    settings |= data.task.objective.parameters
    names = data.design.names
    signs = {Direction.INCREASING: 1, Direction.DECREASING: -1}
    monotone = [
        signs[spec.features.monotone[n]] if n in spec.features.monotone else 0 for n in names
    ]
    if any(monotone):
        settings["monotone_constraints"] = monotone
    if spec.features.interactions:
        settings["interaction_constraints"] = [
            [names.index(n) for n in group if n in names] for group in spec.features.interactions
        ]
    return settings


def _held_out_scores(data: _Data, forest: Forest) -> FloatArray:
    """Raw scores (n, classes) of each row by the booster that did not see it."""
    rows = [data.predicted(model) for model in range(len(data.task.folds.held_out))]
    matrices = [data.matrix(model, r) for model, r in enumerate(rows)]
    classes = data.task.objective.classes
    found = np.full((len(data.task.outcome), classes), np.nan)
    for place, raw in zip(rows, raw_scores(forest.boosters, matrices), strict=True):
        found[place] = raw.reshape(len(place), classes)
    return found


def _placed(values: FloatArray, rows: IntArray, size: int) -> FloatArray:
    found = np.full((size, values.shape[1]), np.nan)
    found[rows] = values
    return found


@dataclass(frozen=True, eq=False)
class _Tables:
    """GLMs of one penalty: held-out scores (n, classes) and each model's tables."""

    scores: FloatArray
    tables: list[list[FactorTable]]
    intercepts: list[FloatArray]


def _fit_tables(data: _Data) -> _Tables:
    """GLMs of the penalty whose held-out loss is least; the heaviest that cannot be bettered.

    Where there are many rows the first model alone tries the penalties.
    """
    rows = _thinned(np.flatnonzero(data.task.weight > 0), _GLM_ROWS)
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
    return _Tables(_scores_of(data, fits[:held_out]), tables, intercepts)


def _scores_of(data: _Data, fits: Sequence["_ModelGlm"]) -> FloatArray:
    """Held-out scores (n, classes) by the GLMs of the first models; NaN where none was held out."""
    scores = np.full((len(data.task.outcome), data.task.objective.classes), np.nan)
    for model, one in enumerate(fits):
        held = data.predicted(model)
        scores[held] = one.score(held)
    return scores


class _ModelGlm:
    """The GLM of one model of the ensemble along the penalties, each started from the last."""

    def __init__(self, data: _Data, ramps: Ramps, model: int, rows: IntArray) -> None:
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


def _signs(data: _Data, ramps: Ramps) -> FloatArray:
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


def _serve(
    data: _Data, blend: Blend, trees: tuple[dict[str, object], Forest], glm: _Tables | None
) -> Predictor:
    """The predictor that serves: fold models averaged, or the one refitted on every row."""
    task, (parameters, forest) = data.task, trees
    design, models = data.design, len(task.folds.may_see)
    boosters = forest.boosters
    tables = glm.tables if glm is not None else []
    intercepts = glm.intercepts if glm is not None else []
    if task.folds.refit:
        sample = data.training(models - 1, data.seen(models - 1))
        boosters = (grow_once(parameters, sample, data.layout, forest.rounds),)
        design, tables, models = _only(design, models - 1), tables[-1:], 1
        intercepts = intercepts[-1:]
    share = blend.shares[0]
    forests = (Share(float(share), tuple(b.model_to_string() for b in boosters)),) if share else ()
    weight = float(blend.shares[1]) if glm is not None else 0.0
    return Predictor(
        design,
        models,
        blend.intercept + (weight * np.mean(intercepts, axis=0) if weight else 0.0),
        forests,
        weight,
        average_tables(design, tables) if weight else (),
    )


def _only(design: Design, model: int) -> Design:
    """The design with the encodings of one model."""
    return replace(
        design,
        encodings=tuple(replace(e, values=e.values[model : model + 1]) for e in design.encodings),
    )
