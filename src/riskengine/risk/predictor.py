"""A linear predictor on the scale of the link: intercept + forests + GLM, each with its share.

What it adds up for one row does not depend on the other rows of a batch, so a live quote is the
batch bit for bit. Contributions of features are exact: TreeSHAP for the forests, tables for the
GLM.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import lightgbm as lgb
import numpy as np

from riskengine.risk.design import Design
from riskengine.risk.fast_trees import FastTrees
from riskengine.risk.scoring import TreeScorer, tree_scorer
from riskengine.risk.terms import FactorTable
from riskengine.vocabulary import AnyArray, Columns, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Share:
    """Boosters with their common share; the average over boosters counts.

    Booster i reads the matrix of model i modulo the number of models of the design.
    """

    weight: float
    boosters: tuple[str, ...]

    @cached_property
    def loaded(self) -> tuple[lgb.Booster, ...]:
        """Private to this share: a Booster holds state that a stranger's predict could change."""
        return tuple(lgb.Booster(model_str=text) for text in self.boosters)

    @cached_property
    def _scorers(self) -> dict[int, tuple[TreeScorer, ...]]:
        return {}

    def is_fast(self, width: int) -> bool:
        """Whether fast trees score all boosters on one matrix of `width` columns."""
        self.raw([np.zeros((1, width))])
        return all(isinstance(one, FastTrees) for one in self._scorers[1])

    def raw(self, matrices: Sequence[FloatArray]) -> FloatArray:
        """Raw scores (boosters, n, classes) of the models' matrices, (n, features) each."""
        # Without encodings all models read one matrix.
        distinct = matrices if matrices[0] is not matrices[-1] else matrices[:1]
        step = len(distinct)
        if step not in self._scorers:
            self._scorers[step] = tuple(
                tree_scorer(self.boosters[first::step], self.loaded[first::step])
                for first in range(min(step, len(self.boosters)))
            )
        told = [one.raw(matrix) for one, matrix in zip(self._scorers[step], distinct, strict=False)]
        if step == 1:
            return told[0]
        found = np.empty((len(self.boosters), *told[0].shape[1:]))
        for first, raw in enumerate(told):
            found[first::step] = raw
        return found


@dataclass(frozen=True, eq=False)
class Predictor:
    """`intercept` (classes,) + the forests' shares + `table_weight` times the GLM's tables.

    There is one table for each column of the matrix, then of its pairs; those of an encoded
    feature have a value for each level and a last one for a level never seen. `models` is how many
    encodings differ.
    """

    design: Design
    models: int
    intercept: FloatArray
    forests: tuple[Share, ...] = ()
    table_weight: float = 0.0
    tables: tuple[FactorTable, ...] = field(default=())

    @property
    def classes(self) -> int:
        return len(self.intercept)

    def warm(self) -> None:
        """Read trees and tables, which the first prediction would else wait for."""
        width = len(self.design.names)
        models = self.models if self.design.encodings else 1
        for share in self.forests:
            share.raw([np.zeros((1, width)) for _ in range(models)])
        if self.tables:
            codes = np.zeros((1, len(self.design.encodings)), dtype=np.int64)
            self.table_parts(np.zeros((1, len(self.design.widths))), codes)

    def score(self, columns: Columns) -> FloatArray:
        """The linear predictor, (n, classes)."""
        members = self.members(columns)
        total = np.zeros(members.shape[1:])
        # One by one: numpy's own sum of a batch of one adds in another order.
        for member in members:
            total += member
        result: FloatArray = self.intercept + total / len(members)
        return result

    def members(self, columns: Columns) -> FloatArray:
        """The linear predictor less its intercept of each member of the ensemble.

        (members, n, classes): as many as the forests have boosters. The GLM is in each.
        """
        plain, codes = self.design.plain(columns), self.design.codes(columns)
        matrices = [self.design.with_encodings(plain, codes, m) for m in range(self.models)]
        size = max((len(share.boosters) for share in self.forests), default=1)
        found = np.zeros((size, len(plain), self.classes))
        for share in self.forests:
            found[: len(share.boosters)] += share.weight * share.raw(matrices)
        if self.table_weight:
            told = np.zeros(found.shape[1:])
            for part in np.moveaxis(self.table_parts(plain, codes), 1, 0):
                told += part
            found += self.table_weight * told
        return found

    def contributions(self, columns: Columns) -> tuple[FloatArray, FloatArray]:
        """`base` (classes,) and what each feature adds to it, (n, features, classes).

        A feature crossed with another has half of what the cross adds.
        """
        plain, codes = self.design.plain(columns), self.design.codes(columns)
        matrices = [self.design.with_encodings(plain, codes, m) for m in range(self.models)]
        base = self.intercept.copy()
        parts = np.zeros((len(plain), len(self.design.owners), self.classes))
        for share in self.forests:
            for place, booster in enumerate(share.loaded):
                raw = booster.predict(
                    matrices[place % self.models], pred_contrib=True, num_threads=1
                )
                told = np.asarray(raw).reshape(len(plain), self.classes, -1)
                scale = share.weight / len(share.boosters)
                parts[:, : told.shape[2] - 1] += scale * np.moveaxis(told[:, :, :-1], 1, 2)
                base += scale * told[0, :, -1] if len(told) else 0.0
        if self.table_weight:
            added = self.table_parts(plain, codes)
            parts[:, : added.shape[1]] += self.table_weight * added
        return base, self._by_feature(parts)

    def _by_feature(self, parts: FloatArray) -> FloatArray:
        names = self.design.features
        found = np.zeros((len(parts), len(names), self.classes))
        for place, owners in enumerate(self.design.owners):
            for owner in owners:
                found[:, names.index(owner)] += parts[:, place] / len(owners)
        return found

    def table_parts(self, plain: FloatArray, codes: IntArray) -> FloatArray:
        """What each table adds to each row, (n, tables, classes), before `table_weight`."""
        from riskengine.risk.table_kernels import add_tables

        # Each encoding is two columns of the matrix.
        rows = np.hstack([plain, np.repeat(codes, 2, axis=1)]) if codes.size else plain
        found = np.empty((len(plain), len(self.tables), self.classes))
        add_tables(*self._flat_tables, np.ascontiguousarray(rows), found)
        return found

    @cached_property
    def _flat_tables(self) -> tuple[AnyArray, ...]:
        """The tables as `add_tables` reads them."""
        own, widths = len(self.design.names), self.design.widths
        columns = [(place, -1, -1, 0) for place in range(own)]
        columns += [(*pair, widths[pair[1]]) for pair in self.design.paired]
        sizes = [[len(getattr(one, part)) for one in self.tables] for part in ("points", "values")]
        starts = [np.cumsum([0, *of_part]) for of_part in sizes]
        return (
            np.array(columns, dtype=np.int64).reshape(-1, 4),
            starts[0],
            np.concatenate([one.points for one in self.tables]),
            starts[1],
            np.concatenate([one.values for one in self.tables]),
            np.stack([one.missing for one in self.tables]),
        )


def average_tables(
    design: Design, tables: Sequence[Sequence[FactorTable]]
) -> tuple[FactorTable, ...]:
    """One table a column, the average over models; `tables` has the models' own, column by column.

    Those of encoded features become tables of their levels.
    """
    width, end = len(design.numeric) + len(design.levels), len(design.names)
    found = []
    for place in range(len(tables[0])):
        own = [of_model[place] for of_model in tables]
        missing = np.mean([table.missing for table in own], axis=0)
        if not width <= place < end:
            values = np.mean([table.values for table in own], axis=0)
            found.append(FactorTable(own[0].points, values, missing))
        else:
            which, kind = divmod(place - width, 2)
            served = design.encodings[which].values[:, :, kind]
            values = np.mean([t.score(served[m]) for m, t in enumerate(own)], axis=0)
            found.append(FactorTable(np.empty(0), values, values[-1]))
    return tuple(found)
