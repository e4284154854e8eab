"""A model of the next product judged on a table: beside a champion, yardsticks, and by group.

Of the table a model was trained on its held-out predictions are judged; of any other, what it
serves. Yardsticks learn from the same table, each row left to a fold that did not see its customer.
Left out: files, and what came of offers (`riskengine.recommendation.off_policy`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as arrow

from riskengine.errors import InputError, TableError
from riskengine.risk.columns import as_table, feature_columns, levels, numbers, training_columns
from riskengine.risk.diagnostics.bootstrap import DRAWS_OF_ROWS, Interval, draw_members
from riskengine.risk.diagnostics.headline import SEED
from riskengine.risk.diagnostics.judged import MODEL
from riskengine.risk.diagnostics.levels import levels_of
from riskengine.risk.diagnostics.reliability import ReliabilityBin, reliability_bins
from riskengine.risk.fit import digest_of
from riskengine.risk.next_product.baskets import flags_of
from riskengine.risk.next_product.book import Book, book_of, thinned
from riskengine.risk.next_product.diagnosis import asked_of
from riskengine.risk.next_product.held_out import held_out_logistic
from riskengine.risk.next_product.labelled import left_of
from riskengine.risk.next_product.measures import (
    BINS,
    Asked,
    Figures,
    figures_of,
    first_choice,
    log_losses,
    ranks,
)
from riskengine.risk.next_product.model import NextProductModel
from riskengine.risk.next_product.yardsticks import has_als, yardsticks
from riskengine.tables import is_number
from riskengine.vocabulary import AnyArray, FloatArray, IntArray

CHAMPION = "champion"
PLACES = 3
AGE_BANDS = 5


@dataclass(frozen=True)
class Paired:
    """What a model is ahead of another by, on the same rows: above 0 the model is better.

    `log_loss` is the other's less the model's, `hit_3` the model's less the other's.
    """

    log_loss: Interval
    hit_3: Interval


@dataclass(frozen=True)
class GroupFigures:
    """Customers of one level of a column: how good the model is for them, and what it shows them.

    `coverage` is the share of all products among the first three of anybody in the group,
    `niche_share` the share of their first three places that niche products take.
    """

    column: str
    level: str
    customers: int
    log_loss: Interval
    hit_3: Interval
    calibration_gap: Interval
    coverage: float
    niche_share: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that is told of a model on a table; `headline`, `coverage` and `ahead_of` are by side.

    `held_out` says whether the table is the one the model was trained on. `places` (products,) is
    the share of all first three places that each product takes under the model.
    """

    model: str
    held_out: bool
    rows: int
    customers: int
    draws: int
    headline: Mapping[str, Figures]
    ahead_of: Mapping[str, Paired]
    coverage: Mapping[str, float]
    places: Mapping[str, float]
    reliability: tuple[ReliabilityBin, ...]
    groups: tuple[GroupFigures, ...]
    als: bool

    def as_record(self) -> dict[str, object]:
        """The same for a JSON file; figures that there are none of are null."""
        sides = {
            side: {name: _ends(one) for name, one in figures.figures().items()}
            for side, figures in self.headline.items()
        }
        ahead = {
            side: {name: _ends(one) for name, one in vars(paired).items()}
            for side, paired in self.ahead_of.items()
        }
        groups = [
            {name: _ends(v) if isinstance(v, Interval) else v for name, v in vars(one).items()}
            for one in self.groups
        ]
        bins = [{"expected": one.expected, "actual": _ends(one.actual)} for one in self.reliability]
        return {
            "model": self.model,
            "held_out": self.held_out,
            "rows": self.rows,
            "customers": self.customers,
            "draws": self.draws,
            "figures": sides,
            "ahead_of": ahead,
            "coverage": dict(self.coverage),
            "share_of_places": dict(self.places),
            "groups": groups,
            "reliability": bins,
        }


def evaluate_next_product(
    model: NextProductModel,
    frame: arrow.Table,
    champion: NextProductModel | None = None,
    by: Sequence[str] = (),
) -> Evaluation:
    """Judge `model` on a table of customers, beside a champion where there is one.

    `by` are columns whose levels are told apart; numbers are in bands of equal weight. Raises
    `TableError` as training does, and `InputError` for models of different products.
    """
    sides = {MODEL: model} if champion is None else {MODEL: model, CHAMPION: champion}
    _require_same_products(sides)
    whole = as_table(frame)
    table = _kept(model, whole)
    book = book_of(model.spec, training_columns(model.spec, table))
    found = {name: _chances(one, whole, table, book) for name, one in sides.items()}
    chances = {name: one for name, (one, _) in found.items()}
    chances |= yardsticks(book, held_out_logistic(book), als=has_als())
    drawn = draw_members(
        book.member[book.hidden.customer], np.random.default_rng(SEED), DRAWS_OF_ROWS
    )
    asked = asked_of(book, drawn)
    said, right = first_choice(chances[MODEL], asked.place)
    first = {name: first_places(one) for name, one in chances.items()}
    share = _share_of_places(first[MODEL], asked.weight, book.products)
    return Evaluation(
        model=model.spec.model.name,
        held_out=found[MODEL][1],
        rows=len(asked.place),
        customers=len(np.unique(book.member[book.hidden.customer])),
        draws=len(drawn.counts),
        headline={name: figures_of(one, asked) for name, one in chances.items()},
        ahead_of={
            name: _paired(chances[MODEL], one, asked)
            for name, one in chances.items()
            if name != MODEL
        },
        coverage={name: _coverage(one, book.products) for name, one in first.items()},
        places=dict(zip(model.classes, share.tolist(), strict=True)),
        reliability=reliability_bins(right, said, asked.weight, drawn, BINS),
        groups=tuple(
            group
            for column in by
            for group in _groups(column, _values(table, column), book, asked, chances[MODEL])
        ),
        als=has_als(),
    )


def first_places(chances: FloatArray) -> IntArray:
    """The likeliest three products (n, 3) by place; -1 where fewer have a probability.

    >>> first_places(np.array([[0.25, 0.75, 0.0, 0.0], [0.1, 0.2, 0.3, 0.4]])).tolist()
    [[1, 0, -1], [3, 2, 1]]
    """
    order = np.argsort(-chances, axis=1, kind="stable")[:, :PLACES]
    found: IntArray = np.where(np.take_along_axis(chances, order, axis=1) > 0, order, -1)
    return found


def _require_same_products(sides: Mapping[str, NextProductModel]) -> None:
    products = {name: one.classes for name, one in sides.items()}
    if len(set(products.values())) > 1:
        told = "; ".join(f"{name}: {', '.join(classes)}" for name, classes in products.items())
        message = f"the models tell apart different products ({told}): no figure compares them"
        raise InputError(message)


def _kept(model: NextProductModel, table: arrow.Table) -> arrow.Table:
    """The customers that a book of the table has: all, or a random part of very many."""
    flags = flags_of(model.classes, feature_columns(model.spec, table))
    kept = thinned(np.nansum(flags, axis=1), model.spec.lightgbm.seed)
    return table if len(kept) == table.num_rows else table.take(kept)


def _chances(
    model: NextProductModel, whole: arrow.Table, table: arrow.Table, book: Book
) -> tuple[FloatArray, bool]:
    """Probabilities (rows, products) of the book's hidden products, and whether held out."""
    trained, hidden = model.trained, book.hidden
    columns = training_columns(model.spec, whole)
    if trained is None or digest_of(model.spec, columns) != trained.digest:
        columns = feature_columns(model.spec, table)
        return model.predict(left_of(model, columns, hidden.flags, hidden.customer)), False
    if not np.array_equal(trained.actual, hidden.place):
        message = (
            f"model {model.spec.model.name} was trained on another part of this table: give one"
            " that it was not trained on"
        )
        raise InputError(message)
    return trained.expected, True


def _paired(own: FloatArray, other: FloatArray, asked: Asked) -> Paired:
    place = asked.place
    among = [(ranks(one, place) <= PLACES).astype(np.float64) for one in (own, other)]
    return Paired(
        asked.mean(log_losses(other, place) - log_losses(own, place)),
        asked.mean(among[0] - among[1]),
    )


def _coverage(first: IntArray, products: int) -> float:
    return len(np.unique(first[first >= 0])) / products


def _share_of_places(first: IntArray, weight: FloatArray, products: int) -> FloatArray:
    there = first >= 0
    counts = np.bincount(first[there], np.broadcast_to(weight[:, None], first.shape)[there],
                         products)  # fmt: skip
    found: FloatArray = counts / counts.sum()
    return found


def _values(table: arrow.Table, column: str) -> AnyArray:
    if column not in table.schema.names:
        message = f"the table has no column {column}; it has {', '.join(table.schema.names[:40])}"
        raise TableError(message)
    return numbers(table, column) if is_number(table[column].type) else levels(table, column)


def _groups(
    column: str, values: AnyArray, book: Book, asked: Asked, chances: FloatArray
) -> list[GroupFigures]:
    """The levels of a column that anybody with a hidden product has."""
    who = book.hidden.customer
    told = levels_of(values[who], asked.weight, AGE_BANDS)
    code, weight, draws = told.code, asked.weight, asked.draws
    first = first_places(chances)
    said, right = first_choice(chances, asked.place)
    among = (ranks(chances, asked.place) <= PLACES).astype(np.float64)
    parts = {
        "log_loss": log_losses(chances, asked.place),
        "hit_3": among,
        "calibration_gap": said - right,
    }
    figures = {name: draws.ratios(weight * part, weight, code) for name, part in parts.items()}
    found = []
    for place, level in enumerate(told.names):
        rows = code == place
        share = _share_of_places(first[rows], weight[rows], book.products)
        found.append(
            GroupFigures(
                column=column,
                level=level,
                customers=len(np.unique(book.member[who[rows]])),
                coverage=_coverage(first[rows], book.products),
                niche_share=float(share @ asked.niche),
                **{name: one[place] for name, one in figures.items()},
            )
        )
    return found


def _ends(one: Interval) -> dict[str, float | None]:
    return {name: value if np.isfinite(value) else None for name, value in vars(one).items()}
