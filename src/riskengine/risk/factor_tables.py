"""Factor tables of a rate book: a base and, for each feature, what it is multiplied by.

`base * product of the relativities = mean`. A factor has a row for each band of a number or each
level, where it applies one for missing values and one for levels that are not listed; the row of
most exposure has relativity 1. What is in no row is refused, as a rate book must. Left out: how
tables are made of a model (`riskengine.risk.distil`), and their files
(`riskengine.risk.factor_files`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
import pandas as pd

from riskengine.errors import InputError, TableError, UnknownNameError
from riskengine.risk.columns import as_table, levels, numbers
from riskengine.risk.design import positions
from riskengine.risk.model import Frame
from riskengine.vocabulary import AnyArray, Columns, FloatArray, IntArray

MISSING, OTHER = "missing", "other"


@dataclass(frozen=True, eq=False)
class Factor:
    """The table of one feature.

    A number has `edges` (bands - 1,), rising: a band begins at its edge and ends below the next. A
    category has `edges` None and `levels`, sorted. `extra` are further rows, of `missing` and
    `other` in this order. `relativities` and `exposure` (rows,), a share, are of bands or levels,
    then of `extra`.
    """

    feature: str
    edges: FloatArray | None
    levels: tuple[str, ...]
    extra: tuple[str, ...]
    relativities: FloatArray
    exposure: FloatArray

    @property
    def plain(self) -> int:
        """How many bands or levels there are."""
        return len(self.levels) if self.edges is None else len(self.edges) + 1

    @property
    def labels(self) -> tuple[str, ...]:
        """What each row is called."""
        return (*(self.levels if self.edges is None else band_names(self.edges)), *self.extra)

    def rows(self, values: AnyArray) -> IntArray:
        """The row of each value (n,), NaN or None for missing.

        Raises `InputError` for a missing value and `UnknownNameError` for a level without a row.
        """
        missing = np.asarray(pd.isna(values))
        if self.edges is None:
            found = positions(self.levels, values)
        else:
            found = np.searchsorted(self.edges, values, side="right").astype(np.int64)
        strange = (found < 0) & ~missing
        if strange.any():
            if OTHER not in self.extra:
                known = ", ".join(sorted(set(map(str, values[strange])))[:5])
                message = f"{self.feature} has levels that its factor table does not list: {known}"
                raise UnknownNameError(message)
            found = np.where(strange, self.plain + self.extra.index(OTHER), found)
        if missing.any():
            if MISSING not in self.extra:
                row = int(np.flatnonzero(missing)[0])
                message = (
                    f"{self.feature} is missing in row {row}: its factor table has no such row"
                )
                raise InputError(message)
            found = np.where(missing, self.plain + self.extra.index(MISSING), found)
        return found


@dataclass(frozen=True, eq=False)
class PairFactor:
    """What two features together add to the tables of each: `relativities` (rows, rows)."""

    first: str
    second: str
    relativities: FloatArray


class Judging(StrEnum):
    """By what rows tables and model are judged: those they serve, which training may have had;
    training rows by each fold's own model, held out; the same by models fitted anew without them.
    """

    SERVED = "as served"
    FOLDS = "held out"
    REFITTED = "held out and refitted"


@dataclass(frozen=True)
class Fidelity:
    """Mean deviances on outcomes, per unit of exposure: of the mean, the tables and the model.

    How near they are to the truth depends on `judging` (see `riskengine.risk.fidelity`).
    """

    mean: float
    tables: float
    model: float
    judging: Judging

    @property
    def kept(self) -> float:
        """The share of the model's gain over the mean that the tables keep; NaN without a gain."""
        gain = self.mean - self.model
        return (self.mean - self.tables) / gain if gain > 0 else float("nan")


@dataclass(frozen=True, eq=False)
class FactorTables:
    """A rate book's tables of the model `model`: `base` is the mean where every relativity is 1.

    `agreement` is the share of the variance of the model's logarithm that the tables reproduce.
    """

    model: str
    base: float
    factors: tuple[Factor, ...]
    agreement: float
    pair: PairFactor | None = None

    def relativities(self, frame: Frame) -> FloatArray:
        """What the base is multiplied by, (n, factors), with one more column for a pair.

        Raises `TableError` for a column that is missing, and as `Factor.rows`.
        """
        columns = self._read(frame)
        rows = [factor.rows(columns[factor.feature]) for factor in self.factors]
        found = [factor.relativities[at] for factor, at in zip(self.factors, rows, strict=True)]
        if self.pair is not None:
            names = [factor.feature for factor in self.factors]
            first, second = rows[names.index(self.pair.first)], rows[names.index(self.pair.second)]
            found.append(self.pair.relativities[first, second])
        return np.column_stack(found)

    def mean(self, frame: Frame) -> FloatArray:
        """The mean per unit of exposure (n,), from the tables alone; raises as `relativities`."""
        return np.asarray(self.base * self.relativities(frame).prod(axis=1))

    def _read(self, frame: Frame) -> Columns:
        names = [factor.feature for factor in self.factors]
        table = frame if isinstance(frame, Mapping) else as_table(frame)
        there = table if isinstance(table, Mapping) else table.schema.names
        absent = [name for name in names if name not in there]
        if absent:
            message = f"the factor tables need columns that are missing: {', '.join(absent)}"
            raise TableError(message)
        if isinstance(table, Mapping):
            return table
        return {
            one.feature: (levels if one.edges is None else numbers)(table, one.feature)
            for one in self.factors
        }


def band_names(edges: FloatArray) -> tuple[str, ...]:
    """What bands are called.

    >>> band_names(np.array([30.0, 45.5]))
    ('below 30', '30 to below 45.5', '45.5 and above')
    >>> band_names(np.empty(0))
    ('all',)
    """
    texts = [repr(edge).removesuffix(".0") for edge in edges.tolist()]
    if not texts:
        return ("all",)
    inner = [f"{low} to below {high}" for low, high in pairwise(texts)]
    return (f"below {texts[0]}", *inner, f"{texts[-1]} and above")
