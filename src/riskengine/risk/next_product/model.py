"""A fitted model of the next product: the probability of each product not owned yet.

Trees and a multinomial logistic read the owned products and the customer; their pooled score makes
probabilities over what is not owned. Of a visitor whose basket is not known at all, how likely each
product is to be owned by such a person is told instead. What is owned has exactly 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

import lightgbm as lgb
import numpy as np
from scipy.special import expit

from riskengine.errors import SpecError, TableError
from riskengine.risk.model import Frame, RiskModel
from riskengine.risk.next_product.baskets import flags_of, unknown_baskets
from riskengine.risk.next_product.design import Design
from riskengine.risk.next_product.logit import Logit, probabilities
from riskengine.risk.next_product.shares import Pool
from riskengine.risk.next_product.thin import Thin
from riskengine.risk.scoring import TreeScorer, tree_scorer
from riskengine.vocabulary import Columns, FloatArray, IntArray

if TYPE_CHECKING:
    from riskengine.risk.next_product.held_out import HeldOut


@dataclass(frozen=True, eq=False)
class ColdStart:
    """One yes-or-no model a product: `prevalence` (products,) as log odds, and trees on it."""

    prevalence: FloatArray
    booster: str

    @cached_property
    def scorer(self) -> TreeScorer:
        return tree_scorer([self.booster], [lgb.Booster(model_str=self.booster)])

    def owns(self, matrix: FloatArray) -> FloatArray:
        """The probability that a customer owns each product, (n, products)."""
        found: FloatArray = expit(self.prevalence + self.scorer.raw(matrix)[0])
        return found


@dataclass(frozen=True, eq=False)
class Learnt:
    """All that was learnt: `boosters` are one a seed, each adds to the logistic's score."""

    design: Design
    logit: Logit
    boosters: tuple[str, ...]
    pool: Pool
    thin: Thin
    cold: ColdStart

    @cached_property
    def scorer(self) -> TreeScorer:
        loaded = [lgb.Booster(model_str=text) for text in self.boosters]
        return tree_scorer(self.boosters, loaded)

    def next_product(self, flags: FloatArray, numbers: FloatArray, codes: IntArray) -> FloatArray:
        """Probabilities (n, products) of rows of which something is known of the basket."""
        matrix = np.hstack([flags, self.design.for_trees(numbers, codes)])
        raw = self.scorer.raw(matrix)
        grown = raw[0]
        for of_seed in raw[1:]:
            grown = grown + of_seed
        trees = grown / len(raw)
        scores = (self.logit.score(flags, self.design.ramps(numbers), codes), trees)
        owned = flags == 1
        chances = probabilities(self.pool.score(scores), owned)
        return self.thin.shrink(chances, owned, codes)

    def first_product(self, numbers: FloatArray, codes: IntArray) -> FloatArray:
        """Probabilities (n, products) for visitors: those of owning each, made to sum to 1."""
        owns = self.cold.owns(self.design.for_trees(numbers, codes))
        found: FloatArray = owns / owns.sum(axis=1, keepdims=True)
        return found

    def predict(self, flags: FloatArray, columns: Columns) -> FloatArray:
        """Probabilities (n, products): `next_product`, of unknown baskets `first_product`."""
        numbers, codes = self.design.numbers(columns), self.design.codes(columns)
        cold = unknown_baskets(flags)
        if not cold.any():
            return self.next_product(flags, numbers, codes)
        found = np.zeros(flags.shape)
        found[cold] = self.first_product(numbers[cold], codes[cold])
        if not cold.all():
            found[~cold] = self.next_product(flags[~cold], numbers[~cold], codes[~cold])
        return found


@dataclass(frozen=True, eq=False, kw_only=True)
class NextProductModel(RiskModel):
    """The probability that each product is the next one; `classes` are the products of the spec.

    Predictions (n, products) sum to 1 over what is not owned and are exactly 0 for what is. A
    customer who owns everything has nothing left to buy: all are 0. A missing flag is not "not
    owned": that product keeps its probability. A row whose flags are all missing is a visitor's.
    """

    learnt: Learnt
    held_out: "HeldOut | None" = field(default=None, repr=False)

    def predict(self, frame: Frame) -> FloatArray:
        """Probabilities (n, products); raises `TableError` for columns that cannot be used."""
        columns = self.read(frame)
        return self.learnt.predict(flags_of(self.classes, columns), columns)

    def read(self, frame: Frame) -> Columns:
        columns = super().read(frame)
        absent = [name for name in self.spec.inputs if name not in columns]
        if absent:
            message = (
                f"model {self.spec.model.name} needs columns that are missing: {', '.join(absent)};"
                " where it is not known who owns a product, leave its column empty"
            )
            raise TableError(message)
        return columns

    def owns(self, frame: Frame) -> FloatArray:
        """The probability that such a person owns each product, (n, products)."""
        columns, design = self.read(frame), self.learnt.design
        return self.learnt.cold.owns(
            design.for_trees(design.numbers(columns), design.codes(columns))
        )

    def contributions(self, frame: Frame) -> NoReturn:  # noqa: ARG002
        self._refuse("contributions of features")

    def diagnose(
        self,
        frame: Frame | None = None,  # noqa: ARG002
        *,
        groups: Sequence[str] = (),  # noqa: ARG002
        time: str | None = None,  # noqa: ARG002
    ) -> NoReturn:
        self._refuse("such diagnosis: use `riskengine.risk.next_product.diagnosis`")

    def stability(self, frame: Frame) -> NoReturn:  # noqa: ARG002
        self._refuse("stability over seeds")

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        return dict(self.learnt.design.levels)

    @property
    def learnt_missing(self) -> frozenset[str]:
        return self.learnt.design.learnt_missing

    def to_files(self) -> dict[str, bytes]:
        from riskengine.risk.next_product.files import to_files

        return to_files(self)

    def _refuse(self, what: str) -> NoReturn:
        message = (
            f"model {self.spec.model.name} is a next_product model, which has no {what}; the report"
            " on its training tells how good it is, by product"
        )
        raise SpecError(message)
