"""What a model of the next product learns from: customers, and their products hidden in turn.

Some rows are learnt from a second time with flags hidden at random, each row at its own rate, so
that "not known whether owned" is a value the trees have learnt.
"""

from dataclasses import dataclass

import numpy as np

from riskengine.errors import TableError
from riskengine.risk.folds import deal_folds, members
from riskengine.risk.next_product.baskets import Hidden, flags_of, hide_each
from riskengine.risk.next_product.cold_start import Owners
from riskengine.risk.next_product.design import Design, fit_design, one_hot
from riskengine.risk.next_product.logit import NEVER, Choices, Logit, fit_logit
from riskengine.risk.spec import ModelSpec
from riskengine.risk.trees import Layout, Sample
from riskengine.vocabulary import Columns, FloatArray, IntArray

MOST_ROWS = 500_000
"""Rows to learn from; of more, customers are drawn at random."""
LEAST_ROWS = 50
_UNKNOWN = 0.1
"""Share of rows that are learnt from again with flags hidden."""


@dataclass(frozen=True, eq=False)
class Book:
    """Customers' flags, numbers and codes, and their products hidden in turn.

    `fold` and `member` (customers,) number the folds and the groups that stay together.
    """

    spec: ModelSpec
    design: Design
    flags: FloatArray
    numbers: FloatArray
    codes: IntArray
    fold: IntArray
    member: IntArray
    hidden: Hidden

    @property
    def sizes(self) -> IntArray:
        return np.array([len(known) for known in self.design.levels.values()], dtype=np.int64)

    @property
    def products(self) -> int:
        return len(self.spec.model.products)

    @property
    def fold_of_rows(self) -> IntArray:
        return self.fold[self.hidden.customer]

    def choices(self, rows: IntArray) -> Choices:
        hidden = self.hidden
        return Choices(hidden.flags[rows] != 1, hidden.place[rows], hidden.weight[rows])

    def logit(self, rows: IntArray, start: Logit | None = None) -> Logit:
        """The logistic learnt from rows, beginning at another one where that is given."""
        who = self.hidden.customer[rows]
        return fit_logit(
            self.hidden.flags[rows],
            self.design.ramps(self.numbers[who]),
            one_hot(self.codes[who], self.sizes),
            self.sizes,
            self.choices(rows),
            start,
        )

    def logit_score(self, logit: Logit, rows: IntArray, flags: FloatArray) -> FloatArray:
        """The logistic's score (rows, products) of customers with some flags."""
        who = self.hidden.customer[rows]
        return logit.score(flags, self.design.ramps(self.numbers[who]), self.codes[who])

    def matrix(self, rows: IntArray, flags: FloatArray) -> FloatArray:
        """What trees read (rows, products + features)."""
        who = self.hidden.customer[rows]
        return np.hstack([flags, self.design.for_trees(self.numbers[who], self.codes[who])])

    def sample(self, rows: IntArray, logit: Logit, unknown: int | None = None) -> Sample:
        """Rows for trees on a logistic's score; with a seed, some again with `unknown` flags."""
        flags = self.hidden.flags[rows]
        if unknown is not None:
            again, holed = _with_unknown(flags, unknown)
            rows, flags = np.concatenate([rows, rows[again]]), np.vstack([flags, holed])
        offset = np.where(flags == 1, NEVER, self.logit_score(logit, rows, flags))
        place = self.hidden.place[rows].astype(np.float64)
        return Sample(self.matrix(rows, flags), place, self.hidden.weight[rows], offset)

    @property
    def layout(self) -> Layout:
        first = self.products + self.numbers.shape[1]
        width = first + self.codes.shape[1]
        return Layout(tuple(map(str, range(width))), list(range(first, width)))

    @property
    def owners(self) -> Owners:
        matrix = self.design.for_trees(self.numbers, self.codes)
        first = self.numbers.shape[1]
        return Owners(matrix, self.flags, list(range(first, matrix.shape[1])))


def book_of(spec: ModelSpec, columns: Columns) -> Book:
    """What there is to learn from; raises `TableError` where that is too little."""
    flags = flags_of(spec.model.products, columns)
    owned = np.nansum(flags, axis=1)
    _require_enough(spec, owned)
    kept = thinned(owned, spec.lightgbm.seed)
    columns = {name: values[kept] for name, values in columns.items()}
    flags = flags[kept]
    design = fit_design(spec.features, columns)
    return Book(
        spec,
        design,
        flags,
        design.numbers(columns),
        design.codes(columns),
        deal_folds(spec, columns, _rarest(flags), spec.lightgbm.seed).fold,
        members(spec, columns),
        hide_each(flags),
    )


def _require_enough(spec: ModelSpec, owned: FloatArray) -> None:
    rows = int(owned.sum())
    if rows < LEAST_ROWS:
        message = (
            f"the customers of model {spec.model.name} own {rows} products in all: there is too"
            f" little to learn from, {LEAST_ROWS} are needed"
        )
        raise TableError(message)


def _rarest(flags: FloatArray) -> FloatArray:
    """By customer (n,), how rare the rarest product owned is: folds share out each rank evenly."""
    commonest_first = np.argsort(np.argsort(-np.nansum(flags, axis=0), kind="stable"))
    found: FloatArray = np.max((flags == 1) * (commonest_first + 1.0), axis=1)
    return found


def thinned(owned: FloatArray, seed: int) -> IntArray:
    """All customers, or as many at random as own `MOST_ROWS` products."""
    order = np.random.default_rng(seed).permutation(len(owned))
    enough = np.cumsum(owned[order]) <= MOST_ROWS
    return np.sort(order[enough])


def _with_unknown(flags: FloatArray, seed: int) -> tuple[IntArray, FloatArray]:
    """Some rows (m,) of `flags` (n, products), and their flags with holes (m, products)."""
    rng = np.random.default_rng(seed)
    again = np.flatnonzero(rng.random(len(flags)) < _UNKNOWN)
    holes = rng.random((len(again), flags.shape[1])) < rng.random((len(again), 1))
    return again, np.where(holes, np.nan, flags[again])
