"""The means of several models for one member, from plain values: `RiskModel.predict`, bit for bit.

A live quote asks several models about one member. Their forests are one here, evaluated in a
single call, and nothing is laid out by column. Models that do not price, or that read a feature of
many levels by its experience, are left to `predict`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from riskengine.risk.fast_trees import FastTrees, fast_trees
from riskengine.risk.model import RiskModel
from riskengine.risk.predictor import Predictor
from riskengine.risk.spec import ModelPurpose
from riskengine.vocabulary import FloatArray, Value

_NO_CODES = np.empty((1, 0), dtype=np.int64)


@dataclass(frozen=True)
class _Column:
    """A column of the common row: a constant, a number, or the code of a level.

    Two models share a column where they read it alike; `missing` says whether it may be.
    """

    name: str
    missing: bool
    constant: float | None = None
    levels: tuple[str, ...] | None = None


class _Score:
    """One predictor: what it makes of a row, and of the raw scores of its boosters from `first`."""

    def __init__(self, predictor: Predictor, reads: Sequence[int], first: int) -> None:
        self._predictor, self._reads = predictor, np.array(reads, dtype=np.int64)
        self._intercept = float(predictor.intercept[0])
        ends = np.cumsum([first, *(len(share.boosters) for share in predictor.forests)]).tolist()
        self._shares = [
            (share.weight, slice(*places))
            for share, places in zip(predictor.forests, pairwise(ends), strict=True)
        ]
        self._members = max((len(share.boosters) for share in predictor.forests), default=1)

    def of(self, row: FloatArray, raw: Sequence[float]) -> float:
        """As `Predictor.score`, in its order of adding up; `row` is (1, columns)."""
        found = [0.0] * self._members
        for weight, places in self._shares:
            for at, value in enumerate(raw[places]):
                found[at] += weight * value
        if self._predictor.table_weight:
            tabled = self._predictor.table_weight * self._tabled(row)
            found = [value + tabled for value in found]
        total = 0.0
        for value in found:
            total += value
        return self._intercept + total / self._members

    def _tabled(self, row: FloatArray) -> float:
        parts = self._predictor.table_parts(row[:, self._reads], _NO_CODES)
        told = 0.0
        for one in parts[0, :, 0].tolist():
            told += one
        return told


class OneRow:
    """Compiled for some models; make it with `one_row`."""

    def __init__(
        self,
        columns: Sequence[_Column],
        trees: FastTrees,
        parts: Sequence[Sequence[Sequence[_Score]]],
        balance: FloatArray,
    ) -> None:
        asked = [(place, one) for place, one in enumerate(columns) if one.constant is None]
        self._start: list[Any] = [
            np.nan if one.constant is None else one.constant for one in columns
        ]
        self._numbers = [(at, one.name) for at, one in asked if one.levels is None]
        self._levels = [
            (at, one.name, _codes(one.levels)) for at, one in asked if one.levels is not None
        ]
        self._needed = frozenset(one.name for _, one in asked if not one.missing)
        self._trees, self._parts, self._balance = trees, parts, balance

    def means(self, values: Mapping[str, Value]) -> list[float] | None:
        """The mean of each model; None where a model would refuse a value, as `predict` tells."""
        row = self._start.copy()
        for place, name in self._numbers:
            value = values[name]
            if value is not None:
                row[place] = value
            elif name in self._needed:
                return None
        for place, name, codes in self._levels:
            code = codes.get(values[name])
            if code is not None:
                row[place] = code
            elif values[name] is not None or name in self._needed:
                return None
        matrix = np.array(row).reshape(1, -1)
        raw = self._trees.by_slot(matrix)[0].tolist()
        scores = []
        for model in self._parts:
            total = 0.0
            for first, part in enumerate(model):
                score = part[0].of(matrix, raw)
                for seed in part[1:]:
                    score = score + seed.of(matrix, raw)
                told = score / len(part)
                total = total + told if first else told
            scores.append(total)
        means: list[float] = (self._balance * np.exp(np.array(scores))).tolist()
        return means


def one_row(models: Sequence[RiskModel], known: frozenset[str]) -> OneRow | None:
    """Compile models for members whose values are those `known`; None where one cannot be."""
    columns: dict[_Column, int] = {}
    texts: list[str] = []
    places: list[list[int]] = []
    found = []
    for model in models:
        features = model.spec.features
        asked = {*features.names} - features.cover.keys()
        # Those that price have a log link.
        if model.spec.model.purpose is not ModelPurpose.PRICING or not asked <= known:
            return None
        parts = []
        for part in model.parts:
            seeds = []
            for predictor in part:
                if not _is_plain(predictor):
                    return None
                reads = _reads(model, predictor, columns)
                seeds.append(_Score(predictor, reads, len(texts)))
                boosters = [text for share in predictor.forests for text in share.boosters]
                texts += boosters
                places += [reads] * len(boosters)
            parts.append(seeds)
        found.append(parts)
    if not texts:
        return None
    balance = np.array([model.balance_factor for model in models])
    return OneRow([*columns], fast_trees(texts, places), found, balance)


def _is_plain(predictor: Predictor) -> bool:
    """Whether it reads one matrix that is the same for all its boosters, with fast trees."""
    width = len(predictor.design.names)
    fast = all(share.is_fast(width) for share in predictor.forests)
    return fast and not predictor.design.encodings and predictor.classes == 1


def _reads(model: RiskModel, predictor: Predictor, columns: dict[_Column, int]) -> list[int]:
    """The place in the common row of each column that a predictor reads; adds the new ones."""
    design, cover = predictor.design, model.spec.features.cover
    found = []
    for name in (*design.numeric, *design.levels):
        levels = design.levels.get(name)
        column = _Column(name, name in design.learnt_missing, cover.get(name), levels)
        found.append(columns.setdefault(column, len(columns)))
    return found


def _codes(levels: tuple[str, ...]) -> Mapping[Value, float]:
    return {level: float(at) for at, level in enumerate(levels)}
