"""Who learns from whom: folds by group or by time, dealt so that each holds as much to learn from.

Groups are dealt in order of their outcomes, back and forth over the folds, so that no fold is
without events where events are rare. By time, each fold is predicted from earlier rows alone.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskengine.risk.spec import ModelSpec
from riskengine.vocabulary import AnyArray, BoolArray, Columns, FloatArray, IntArray

PARTS = 6
"""Of a fold: few rows are hidden from the levels that a model learns, so it learns them well."""


@dataclass(frozen=True, eq=False)
class Split:
    """Positions of the rows to learn from and of those held out."""

    train: IntArray
    test: IntArray


@dataclass(frozen=True, eq=False)
class Folds:
    """`fold` (n,) from 0; each model learns from the folds it `may_see` (models, folds) and is
    held against the fold in `held_out` (models,).

    `part` (n,) divides the folds further: what a model learns of levels leaves one part out.
    `refit` says that one more model, the last of `may_see`, sees every fold and alone serves.
    """

    fold: IntArray
    part: IntArray
    may_see: BoolArray
    held_out: tuple[int, ...]
    refit: bool = False

    def splits(self) -> list[Split]:
        """One split a held-out fold."""
        return [
            Split(np.flatnonzero(self.may_see[m][self.fold]), np.flatnonzero(self.fold == held))
            for m, held in enumerate(self.held_out)
        ]


def deal_folds(spec: ModelSpec, columns: Columns, total: FloatArray, seed: int) -> Folds:
    """Folds for training columns; `total` (n,) is what each row brings to learn from."""
    if spec.folds.time:
        block = _blocks(columns[spec.folds.time], spec.folds.count)
        return folds_of(spec, block, block)
    owner = members(spec, columns)
    count = spec.folds.count
    part = _dealt(owner, total, count * PARTS, seed)[owner]
    return folds_of(spec, part % count, part)


def folds_of(spec: ModelSpec, fold: IntArray, part: IntArray) -> Folds:
    """Who learns from whom where the fold and part of each row (n,) are known."""
    count = int(fold.max()) + 1
    if spec.folds.time:
        see = np.tri(count, dtype=bool)
        return Folds(fold, part, see, tuple(range(1, count)), refit=True)
    return Folds(fold, part, ~np.eye(count, dtype=bool), tuple(range(count)))


def members(spec: ModelSpec, columns: Columns) -> IntArray:
    """Whose each row is, as numbers from 0, (n,): the spec's group, or each row its own."""
    if spec.folds.group is None:
        return np.arange(len(next(iter(columns.values()))))
    return np.asarray(pd.factorize(columns[spec.folds.group])[0], dtype=np.int64)


def _dealt(owner: IntArray, total: FloatArray, count: int, seed: int) -> IntArray:
    """The part of each owner, (owners,)."""
    brought = np.bincount(owner, total)
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(brought)), -brought))
    turn = np.arange(len(order)) % (2 * count)
    fold = np.empty(len(order), dtype=np.int64)
    fold[order] = np.where(turn < count, turn, 2 * count - 1 - turn)
    return fold


def _blocks(time: AnyArray, count: int) -> IntArray:
    """Blocks of about equal size in order of time, rows of one time together."""
    _, place, rows = np.unique(time, return_inverse=True, return_counts=True)
    before = np.cumsum(rows) - rows
    block = np.minimum(before * (count + 1) // rows.sum(), count)
    # Every block has a time of its own, also where one time has most of the rows.
    least = np.minimum(np.arange(len(rows)), count)
    most = np.maximum(count - (len(rows) - 1 - np.arange(len(rows))), 0)
    return _stepwise(np.maximum(np.minimum(block, least), most))[place]


def _stepwise(block: IntArray) -> IntArray:
    """Blocks from 0 that rise by one at most."""
    found = block.copy()
    for place in range(1, len(found)):
        found[place] = min(max(found[place], found[place - 1]), found[place - 1] + 1)
    return found
