"""What one linear predictor learns from: the task, its folds, and the matrices models read.

Features that may be missing are hidden at random in a second copy of the data, so that "not
answered" is a value that trees and GLM have learnt.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from riskengine.risk.credibility import Experience
from riskengine.risk.design import Design, fit_design
from riskengine.risk.folds import Folds
from riskengine.risk.spec import ModelSpec
from riskengine.risk.trees import Layout, Objective, Sample
from riskengine.vocabulary import Columns, FloatArray, IntArray

_HIDE_EACH, _HIDE_ALL = 0.5, 0.25


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
class Data:
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


def prepare(task: Task) -> Data:
    design, plain, own = fit_design(task.spec, task.columns, experience_of(task))
    optional = [n for n in task.spec.features.optional if n in (*design.numeric, *design.levels)]
    hidden = _hide(plain, optional, design, task.spec.lightgbm.seed) if optional else None
    unit = unit_of(task.objective, task.outcome, task.weight)
    return Data(task, design, plain, own, hidden, unit)


def experience_of(task: Task) -> Experience:
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
