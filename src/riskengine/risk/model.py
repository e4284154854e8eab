"""A fitted risk model: what is expected of a member, why, and how widely a year can turn out.

The linear predictors of its parts are on the scale of a link. Where that is the logarithm, the
mean is `balance_factor * exp(sum of the parts)`, and what each feature adds is a relativity:
`base * product = mean`, exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as arrow
from scipy.special import expit, softmax

from riskengine.errors import InputError, SpecError
from riskengine.risk.columns import feature_columns
from riskengine.risk.conformal import ConformalTable
from riskengine.risk.continuance import Continuance
from riskengine.risk.design import check_known
from riskengine.risk.predictor import Predictor
from riskengine.risk.spec import Kind, ModelSpec
from riskengine.vocabulary import Columns, FloatArray, IntArray

if TYPE_CHECKING:
    from riskengine.risk.diagnose import Diagnosis

Frame: TypeAlias = arrow.Table | pd.DataFrame | Columns
"""Rows to predict: a table, a data frame, or columns that were read already."""


@dataclass(frozen=True, eq=False)
class Relativities:
    """`base * factors.prod(axis=1)` is the mean, of `binary` the odds; `factors` is (n, names)."""

    base: float
    names: tuple[str, ...]
    factors: FloatArray

    def by_family(self, spec: ModelSpec) -> "Relativities":
        """The same with one factor a family of features, as the spec groups them."""
        families = tuple(dict.fromkeys(spec.features.family_of(name) for name in self.names))
        factors = np.ones((len(self.factors), len(families)))
        for place, name in enumerate(self.names):
            factors[:, families.index(spec.features.family_of(name))] *= self.factors[:, place]
        return replace(self, names=families, factors=factors)


@dataclass(frozen=True, eq=False)
class Trained:
    """What the training rows (n,) were predicted by models that did not see their member.

    `actual` is per unit of `weight`, for `multiclass` the place of the class; `expected` is (n,),
    for `multiclass` (n, classes), NaN where no model could be held out (the earliest rows of folds
    by time). `member` and `fold` number the groups and folds. `digest` is that of the columns.
    `rounds` and `shares` tell what each part of the model was made of.
    """

    actual: FloatArray
    weight: FloatArray
    expected: FloatArray
    member: IntArray
    fold: IntArray
    digest: str
    rounds: tuple[int, ...] = ()
    shares: tuple[dict[str, float], ...] = ()

    @property
    def held_out(self) -> IntArray:
        """The rows that have a held-out prediction."""
        first = self.expected if self.expected.ndim == 1 else self.expected[:, 0]
        return np.flatnonzero(~np.isnan(first))


@dataclass(frozen=True, eq=False)
class RiskModel:
    """What is expected per unit of exposure, in the unit of the target.

    `parts` has one linear predictor, or two (frequency and severity; chance and amount), each as
    one predictor a seed. `classes` are those of `multiclass`. `pooling_charge` is what the pooled
    part of large claims adds to everyone's mean, as a factor that `balance_factor` contains.
    """

    spec: ModelSpec
    parts: tuple[tuple[Predictor, ...], ...]
    balance_factor: float = 1.0
    pooling_charge: float = 1.0
    classes: tuple[str, ...] = ()
    kept_continuance: Continuance | None = None
    conformal: ConformalTable | None = None
    trained: Trained | None = field(default=None, repr=False)

    def predict(self, frame: Frame) -> FloatArray:
        """The mean, or the probability, of each row (n,); of each class (n, classes).

        Raises `TableError`, and where the model prices `InputError` and `UnknownNameError` for what
        training did not have: see `riskengine.risk.design.check_known`.
        """
        columns = self.read(frame)
        return self._mean([self._score(part, columns) for part in self.parts])

    def explain(self, frame: Frame) -> Relativities:
        """Exact relativities of each feature (TreeSHAP and tables on the scale of the link).

        Raises `SpecError` for a kind whose mean is no base times relativities.
        """
        kind = self.spec.model.kind
        if not kind.multiplicative and kind is not Kind.BINARY:
            message = (
                f"a {kind} model has no relativities: its mean is no base times factors. Use"
                " importance or partial dependence, or a kind with a log link"
            )
            raise SpecError(message)
        base, parts = self.contributions(frame)
        level = self.balance_factor * np.exp(base[0])
        names = self.spec.features.names
        return Relativities(float(level), names, np.exp(parts[:, :, 0]))

    def contributions(self, frame: Frame) -> tuple[FloatArray, FloatArray]:
        """What each feature adds on the scale of the link, in the order of the spec.

        `base` (classes,) and `parts` (n, features, classes), summed over the model's parts; of
        `two_part` this is the logarithm of the odds plus that of the amount.
        """
        columns = self.read(frame)
        names = self.spec.features.names
        size = len(next(iter(columns.values())))
        classes = max(len(self.classes), 1)
        base, found = np.zeros(classes), np.zeros((size, len(names), classes))
        for part in self.parts:
            for predictor in part:
                level, told = predictor.contributions(columns)
                base = base + level / len(part)
                for place, name in enumerate(predictor.design.features):
                    found[:, names.index(name)] += told[:, place] / len(part)
        return base, found

    def stability(self, frame: Frame) -> tuple[FloatArray, FloatArray]:
        """The lowest and the highest prediction of the seeds, each (n,).

        How far the answer depends on chance in the fit; not how a year turns out (`interval`).
        Raises `SpecError` unless the model was fitted with two seeds or more.
        """
        if len(self.parts[0]) < 2 or self.classes:
            message = "stability needs a model of one prediction with [bagging] seeds = 2 or more"
            raise SpecError(message)
        columns = self.read(frame)
        alone = [
            self._mean([part[seed].score(columns) for part in self.parts])
            for seed in range(len(self.parts[0]))
        ]
        return np.min(alone, axis=0), np.max(alone, axis=0)

    def interval(self, frame: Frame, coverage: float) -> tuple[FloatArray, FloatArray]:
        """Conformal ends of a member's annual outcome, each (n,): `ConformalTable.interval`.

        Raises `InputError` when the model has no conformal table.
        """
        if self.conformal is None:
            message = (
                f"model {self.spec.model.name} has no intervals: they need whole years of an amount"
                " or a count of a hundred members or more"
            )
            raise InputError(message)
        return self.conformal.interval(self.predict(frame), coverage)

    def diagnose(
        self, frame: Frame | None = None, *, groups: Sequence[str] = (), time: str | None = None
    ) -> "Diagnosis":
        """What actuaries look at: held-out predictions of the training rows, or any labelled table.

        See `riskengine.risk.diagnose.diagnose`, which has more options. Raises `InputError` when
        there is neither.
        """
        from riskengine.risk.diagnose import diagnose

        return diagnose(self, frame, groups=groups, time=time)

    def read(self, frame: Frame) -> Columns:
        """The rows as columns the model can predict; raises as `predict` does."""
        columns = frame if isinstance(frame, Mapping) else feature_columns(self.spec, frame)
        for part in self.parts:
            check_known(self.spec, part[0].design, columns)
        return columns

    @property
    def continuance(self) -> Continuance:
        """How annual outcomes spread around the mean; raises `SpecError` where there is none."""
        if self.kept_continuance is None:
            message = f"a {self.spec.model.kind} model has no continuance: no benefit can be priced"
            raise SpecError(message)
        return self.kept_continuance

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """The levels that training had, by categorical feature."""
        return self.parts[0][0].design.known_levels()

    @property
    def learnt_missing(self) -> frozenset[str]:
        """The features of which a missing value was learnt."""
        return frozenset.intersection(*(part[0].design.learnt_missing for part in self.parts))

    def to_files(self) -> dict[str, bytes]:
        """The model as text files by name; equal models give equal bytes."""
        from riskengine.risk.artefact import to_files

        return to_files(self)

    def save(self, folder: Path) -> None:
        """Write the model's files to `folder`, made where it does not exist."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.to_files().items():
            (folder / name).write_bytes(content)

    @classmethod
    def load(cls, folder: Path) -> "RiskModel":
        """The model whose files are in `folder`; raises `ReleaseError` when it is broken."""
        from riskengine.risk.artefact import from_files

        return from_files(folder)

    @staticmethod
    def _score(part: tuple[Predictor, ...], columns: Columns) -> FloatArray:
        total = part[0].score(columns)
        for predictor in part[1:]:
            total = total + predictor.score(columns)
        return total / len(part)

    def _mean(self, scores: list[FloatArray]) -> FloatArray:
        return mean_of(self.spec.model.kind, scores, self.balance_factor)


def mean_of(kind: Kind, scores: list[FloatArray], balance_factor: float) -> FloatArray:
    """The mean from the linear predictors of the parts, each (n, classes): (n,) or (n, classes)."""
    if kind is Kind.MULTICLASS:
        return np.asarray(softmax(scores[0], axis=1))
    if kind is Kind.BINARY:
        return np.asarray(expit(scores[0][:, 0]))
    if kind is Kind.TWO_PART:
        chance, amount = (score[:, 0] for score in scores)
        return np.asarray(balance_factor * expit(chance) * np.exp(amount))
    total = scores[0][:, 0]
    for score in scores[1:]:
        total = total + score[:, 0]
    return np.asarray(balance_factor * np.exp(total))
