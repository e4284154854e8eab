"""Columns to the matrices that trees and GLM read: float64, levels as codes, missing as NaN.

Features with few levels stay categories. Those with many, and crosses of them, become credibility
relativities (`riskengine.risk.credibility`), which differ by the model of the ensemble: each saw
other folds. What was never seen is refused where a price hangs on it; elsewhere a level never seen
has the collective's value, and a number never missing in training takes its median.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from riskengine.errors import InputError, TableError, UnknownNameError
from riskengine.risk.credibility import Encoding, Experience, fit_encoding
from riskengine.risk.spec import ModelPurpose, ModelSpec
from riskengine.vocabulary import AnyArray, Columns, FloatArray, IntArray

MANY_LEVELS = 25
"""A feature with more levels than this is encoded by credibility."""
MOST_CROSSES = 6
MOST_PAIRED = 200
"""Columns that the GLM may have for interactions; where they would be more it has none."""
_FEW = 64
"""Values looked up one by one: an index costs a live quote more than it saves."""
_SEGMENTS = 7
_PAIR = "\x1f"
_MISSING = "\x00"


@dataclass(frozen=True, eq=False)
class Design:
    """How columns become matrices, as learnt from training data.

    `levels` are those of the features that stay categories; `medians` of the numbers, for those
    outside `learnt_missing`; `pairs` of plain features whose interaction the GLM reads, the second
    a category.
    """

    numeric: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]
    encodings: tuple[Encoding, ...]
    learnt_missing: frozenset[str]
    medians: dict[str, float]
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of a matrix, in order."""
        encoded = (n for e in self.encodings for n in (e.name, f"{e.name} experience"))
        return (*self.numeric, *self.levels, *encoded)

    @property
    def owners(self) -> tuple[tuple[str, ...], ...]:
        """The features that each column of a matrix is made of, then those of the pairs."""
        plain = (*self.numeric, *self.levels)
        encoded = (e.features for e in self.encodings for _ in range(2))
        paired = ((plain[one], plain[two]) for one, two, _ in self.paired)
        return (*((n,) for n in plain), *encoded, *paired)

    @property
    def categorical(self) -> list[int]:
        """The columns of a matrix that hold codes of levels."""
        return list(range(len(self.numeric), len(self.numeric) + len(self.levels)))

    @property
    def features(self) -> tuple[str, ...]:
        """The features it reads, each once."""
        single = tuple(e.features[0] for e in self.encodings if len(e.features) == 1)
        return (*self.numeric, *self.levels, *single)

    def matrix(self, columns: Columns, model: int = 0) -> FloatArray:
        """The matrix (n, names) that `model` of the ensemble reads."""
        return self.with_encodings(self.plain(columns), self.codes(columns), model)

    def plain(self, columns: Columns) -> FloatArray:
        """The columns that are the same for every model, (n, numbers + categories)."""
        rows = len(next(iter(columns.values())))
        found = np.empty((rows, len(self.numeric) + len(self.levels)))
        for place, name in enumerate(self.numeric):
            values = np.asarray(columns[name], dtype=np.float64)
            if name not in self.learnt_missing:
                values = np.where(np.isnan(values), self.medians[name], values)
            found[:, place] = values
        for place, (name, known) in enumerate(self.levels.items(), start=len(self.numeric)):
            code = positions(known, columns[name])
            found[:, place] = np.where(code < 0, np.nan, code)
        return found

    def codes(self, columns: Columns) -> IntArray:
        """The position of each row's level in each encoding, (n, encodings); the last is unseen."""
        rows = len(next(iter(columns.values())))
        found = np.empty((rows, len(self.encodings)), dtype=np.int64)
        for place, encoding in enumerate(self.encodings):
            code = positions(encoding.levels, crossed(columns, encoding.features))
            found[:, place] = np.where(code < 0, len(encoding.levels), code)
        return found

    def with_encodings(self, plain: FloatArray, codes: IntArray, model: int) -> FloatArray:
        """The matrix of one model from `plain` and `codes`."""
        if not self.encodings:
            return plain
        encoded = [e.values[model][codes[:, place]] for place, e in enumerate(self.encodings)]
        return np.hstack([plain, *encoded])

    @property
    def widths(self) -> tuple[int, ...]:
        """How many levels each plain column has; a number has none."""
        return (*(0 for _ in self.numeric), *(len(known) for known in self.levels.values()))

    @property
    def paired(self) -> tuple[tuple[int, int, int], ...]:
        """The GLM's columns of `pairs`: places of both, and a level of the second for a number.

        The level is -1 where both are categories.
        """
        plain = (*self.numeric, *self.levels)
        found = []
        for first, second in self.pairs:
            levels = [-1] if first in self.levels else range(len(self.levels[second]))
            found += [(plain.index(first), plain.index(second), level) for level in levels]
        return tuple(found)

    def pair_columns(self, plain: FloatArray) -> FloatArray:
        """The GLM's columns of `pairs`, (n, paired).

        A number where the category has its level, else missing; the code of two categories.
        """
        found, widths = np.empty((len(plain), len(self.paired))), self.widths
        for column, (first, second, level) in enumerate(self.paired):
            if level < 0:
                found[:, column] = plain[:, first] * widths[second] + plain[:, second]
            else:
                found[:, column] = np.where(plain[:, second] == level, plain[:, first], np.nan)
        return found

    def unseen(self, columns: Columns) -> dict[str, list[str]]:
        """By feature, the levels that training did not have; `missing` where that was never so."""
        found = {name: [*strange] for name, strange in self.strangers(columns).items()}
        for name in self.features:
            if name not in self.learnt_missing and bool(np.any(pd.isna(columns[name]))):
                found.setdefault(name, []).append("missing")
        return found

    def strangers(self, columns: Columns) -> dict[str, list[str]]:
        """By categorical feature, the levels that training did not have, sorted."""
        found = {
            name: sorted({str(one) for one in {*columns[name].tolist()}.difference(known, (None,))})
            for name, known in self.known_levels().items()
        }
        return {name: strange for name, strange in found.items() if strange}

    def known_levels(self) -> dict[str, tuple[str, ...]]:
        """By categorical feature, the levels that training had."""
        single = {
            e.features[0]: tuple(level for level in e.levels if level != _MISSING)
            for e in self.encodings
            if len(e.features) == 1
        }
        return self.levels | single


def check_known(spec: ModelSpec, design: Design, columns: Columns) -> None:
    """Raise for what the model cannot know.

    `TableError` names all features that are absent. A model for pricing also raises
    `UnknownNameError` for a level that training did not have and `InputError` for a value missing
    that never was: a price must not rest on a guess.
    """
    absent = [name for name in design.features if name not in columns]
    if absent:
        message = f"model {spec.model.name} needs columns that are missing: {', '.join(absent)}"
        raise TableError(message)
    if spec.model.purpose is not ModelPurpose.PRICING:
        return
    for name, strange in design.strangers(columns).items():
        message = f"{name} has levels the model does not know: {', '.join(strange)}"
        raise UnknownNameError(message)
    for name in design.features:
        if name in design.learnt_missing:
            continue
        values = columns[name]
        missing = np.isnan(values) if values.dtype == np.float64 else np.asarray(pd.isna(values))
        if not missing.any():
            continue
        message = (
            f"{name} is missing in row {int(np.flatnonzero(missing)[0])}, but never was in"
            " training: give a value, or list the feature as optional in the model spec"
        )
        raise InputError(message)


def fit_design(
    spec: ModelSpec, columns: Columns, data: Experience
) -> tuple[Design, FloatArray, list[FloatArray]]:
    """The design of training columns, its plain matrix, and each model's encoded columns.

    The encoded columns (n, encodings), one array a model, are those the model trains and is
    validated on; `Design.matrix` gives what it reads of new rows.
    """
    few, many = {}, []
    for name in spec.features.categorical:
        known = sorted({value for value in pd.unique(columns[name]) if value is not None})
        if len(known) > MANY_LEVELS:
            many.append(name)
        else:
            few[name] = tuple(known)
    encodings, seen = [], []
    for features in [(name,) for name in many] + _crosses(spec, columns, many, data):
        texts = crossed(columns, features)
        code, found = pd.factorize(texts, sort=True)
        served, own = fit_encoding(code, len(found), data)
        encodings.append(Encoding(features, tuple(found), served))
        seen.append(own)
    missing = {n for n in spec.features.names if bool(np.any(pd.isna(columns[n])))}
    design = Design(
        numeric=spec.features.numeric,
        levels=few,
        encodings=tuple(encodings),
        learnt_missing=frozenset(missing | set(spec.features.optional)),
        medians={n: _median(columns[n]) for n in spec.features.numeric},
        pairs=_pairs(spec.features.numeric, few) if not spec.features.interactions else (),
    )
    models = len(data.may_see)
    own_columns = [
        np.hstack([own[model] for own in seen]) if seen else np.empty((len(data.part), 0))
        for model in range(models)
    ]
    return design, design.plain(columns), own_columns


def crossed(columns: Columns, features: Sequence[str]) -> AnyArray:
    """Texts of one feature's levels or of the pairs of two, missing among them."""
    parts = [_filled(columns[name]) for name in features]
    if len(parts) == 1:
        return parts[0]
    joined: AnyArray = parts[0] + _PAIR + parts[1]
    return joined


def _filled(values: AnyArray) -> AnyArray:
    """The values, missing ones as a text that no level is; numpy's own texts would drop it."""
    found = np.asarray(values, dtype=object).copy()
    found[pd.isna(found)] = _MISSING
    return found


def positions(known: Sequence[str], values: AnyArray) -> IntArray:
    """The place of each value among `known` sorted texts, -1 where it is not there."""
    if len(values) <= _FEW:
        place = {level: at for at, level in enumerate(known)}
        given = np.asarray(values, dtype=object).tolist()
        return np.fromiter((place.get(one, -1) for one in given), np.int64, len(given))
    # As objects: pandas would else turn both into texts of its own, which takes longer.
    index = pd.Index(np.array(known, dtype=object), dtype=object)
    asked = pd.Index(np.asarray(values, object), dtype=object)
    found: IntArray = index.get_indexer(asked).astype(np.int64)
    return found


def _pairs(
    numeric: Sequence[str], levels: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, str], ...]:
    """Every pair of plain features with a category, or none where that would be too many."""
    names = (*numeric, *levels)
    found = [(one, two) for one, two in combinations(names, 2) if two in levels]
    size = sum(len(levels[b]) * (len(levels[a]) if a in levels else _SEGMENTS) for a, b in found)
    return tuple(found) if size <= MOST_PAIRED else ()


def _crosses(
    spec: ModelSpec, columns: Columns, many: Sequence[str], data: Experience
) -> list[tuple[str, ...]]:
    """The pairs with a many-levelled feature that say more than their parts, most telling first.

    Both are measured on rows whose fold was left out: the covariance of outcome and encoding.
    """
    if spec.features.interactions:
        return []
    gains = []
    alone: dict[str, float] = {}
    for pair in combinations(spec.features.categorical, 2):
        if not set(pair) & set(many):
            continue
        for name in pair:
            alone[name] = alone.get(name) or _explained(columns, (name,), data)
        gain = _explained(columns, pair, data) - alone[pair[0]] - alone[pair[1]]
        gains.append((gain, pair))
    return [pair for gain, pair in sorted(gains, reverse=True)[:MOST_CROSSES] if gain > 0]


def _explained(columns: Columns, features: Sequence[str], data: Experience) -> float:
    """Share of the outcome's variance that a left-out-fold encoding of `features` explains."""
    code, known = pd.factorize(crossed(columns, features))
    first = Experience(data.outcome, data.weight, data.part, np.ones_like(data.may_see[:1]))
    _, seen = fit_encoding(code, len(known), first)
    ratio = np.exp(np.clip(seen[0, :, 0], -5, 5))
    centred = ratio - np.average(ratio, weights=data.weight)
    spread = np.average(centred**2, weights=data.weight)
    if not spread > 0:
        return 0.0
    outcome = data.outcome - data.mean
    covariance = np.average(centred * outcome, weights=data.weight)
    variance = np.average(outcome**2, weights=data.weight)
    return float(max(covariance, 0.0) ** 2 / (spread * variance))


def _median(values: AnyArray) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else 0.0
