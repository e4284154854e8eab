"""Where a model is right and where it is wrong: by feature, pair of features, period and group.

Every table is small: numbers are banded and rare levels of a category stand together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from riskengine.profiles.drift import population_stability_index
from riskengine.risk.diagnostics.bootstrap import MemberDraws
from riskengine.risk.diagnostics.calibration import Segment, actual_expected_table
from riskengine.risk.diagnostics.deviance import Family, weighted_quantile
from riskengine.risk.diagnostics.fairness import (
    DecisionParity,
    MeanByGroup,
    ProxyStrength,
    calibration_by_group,
    decision_parity,
    mean_by_group,
    proxy_strength,
)
from riskengine.risk.diagnostics.headline import SEED
from riskengine.risk.diagnostics.judged import Judged
from riskengine.risk.diagnostics.levels import equal_exposure_bands, levels_of
from riskengine.risk.diagnostics.segments import WorstSegment, worst_segment
from riskengine.vocabulary import AnyArray, Columns, FloatArray, IntArray

OTHERS = "other levels"
DECIDED_SHARE = 0.1
"""Members with the highest tenth of predictions are those decided upon in `Fairness.parity`."""
_BANDS, _PAIR_BANDS, _GROUP_BANDS = 10, 5, 5
_LEVELS, _PAIR_LEVELS, _MONTHS = 15, 6, 24
_STRONGEST, _PAIRS, _SEARCHED = 4, 4, 12
_SAMPLE, _MOVED = 20_000, 100_000


@dataclass(frozen=True)
class FeatureTable:
    """Actual and expected by the levels of one feature, or of two; `of` names the class."""

    features: tuple[str, ...]
    of: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Drift:
    """How far a feature has moved, as its population stability index (`profiles.drift`)."""

    feature: str
    index: float


@dataclass(frozen=True)
class Fairness:
    """How a model treats the groups of one column; `of` names the class.

    `is_feature` says that the model knows the column. `means` compares mean predictions. `proxy` is
    how well the other features tell the groups apart; None where there are too few members.
    `parity` is of choosing the tenth with the highest predictions, for yes-or-no outcomes.
    """

    column: str
    of: str
    is_feature: bool
    calibration: tuple[Segment, ...]
    means: MeanByGroup
    proxy: ProxyStrength | None
    parity: DecisionParity | None


def commonest_levels(values: AnyArray, exposure: FloatArray, most: int) -> AnyArray:
    """Texts (n,) with all but the `most` levels of greatest exposure as one; numbers as they are.

    >>> few = commonest_levels(np.array(["a", "b", "c", None], object), np.array([3.0, 2, 1, 1]), 1)
    >>> few.tolist()
    ['a', 'other levels', 'other levels', None]
    """
    if values.dtype != object:
        return values
    code, names = pd.factorize(values)
    if len(names) <= most:
        return values
    known = code >= 0
    total = np.bincount(code[known], exposure[known], len(names))
    rare = np.argsort(-total, kind="stable")[most:]
    texts = np.array([*names, None], dtype=object)
    texts[rare] = OTHERS
    found: AnyArray = texts[code]
    return found


def one_way(judged: Judged, columns: Columns, draws: MemberDraws) -> tuple[FeatureTable, ...]:
    """Actual and expected by each feature: numbers in ten bands, the fifteen commonest levels."""
    return tuple(
        FeatureTable(
            (name,),
            judged.of,
            actual_expected_table(
                *judged.rows, commonest_levels(values, judged.weight, _LEVELS), draws, _BANDS
            ),
        )
        for name, values in columns.items()
    )


def two_way(
    judged: Judged, columns: Columns, strength: Mapping[str, float], draws: MemberDraws
) -> tuple[FeatureTable, ...]:
    """Actual and expected by pairs of the strongest features, the strongest pair first."""
    order = sorted(columns, key=lambda name: -strength.get(name, 0.0))[:_STRONGEST]
    pairs = sorted(
        combinations(order, 2), key=lambda pair: -np.prod([strength.get(n, 0.0) for n in pair])
    )
    few = {name: commonest_levels(columns[name], judged.weight, _PAIR_LEVELS) for name in order}
    return tuple(
        FeatureTable(
            pair,
            judged.of,
            actual_expected_table(*judged.rows, [few[name] for name in pair], draws, _PAIR_BANDS),
        )
        for pair in pairs[:_PAIRS]
    )


def worst_of(
    judged: Judged, columns: Columns, strength: Mapping[str, float], draws: MemberDraws
) -> WorstSegment:
    """The worst segment among the levels, and pairs of levels, of the twelve strongest features."""
    order = sorted(columns, key=lambda name: -strength.get(name, 0.0))[:_SEARCHED]
    few = {name: commonest_levels(columns[name], judged.weight, _LEVELS) for name in order}
    return worst_segment(*judged.rows, few, draws)


def by_time(judged: Judged, time: AnyArray, draws: MemberDraws) -> tuple[Segment, ...]:
    """A/E by period, in order: dates by month, or by year where months are many; numbers of many
    values in twelve bands."""
    return actual_expected_table(*judged.rows, _periods(time), draws, 12)


def ends_of_time(time: AnyArray) -> tuple[IntArray, IntArray]:
    """The rows of the earliest and of the latest fifth; rows of one time stay together.

    >>> early, late = ends_of_time(np.arange(10))
    >>> early.tolist(), late.tolist()
    ([0, 1], [8, 9])
    """
    _, place = np.unique(time, return_inverse=True)
    fifth = equal_exposure_bands(place.astype(np.float64), np.ones(len(place)), 5)
    return np.flatnonzero(fifth == fifth.min()), np.flatnonzero(fifth == fifth.max())


def drift_of(before: Columns, after: Columns) -> tuple[Drift, ...]:
    """PSI of each feature from one set of rows to another, greatest first."""
    found = []
    for name in before:
        first, last = _thinned(before[name]), _thinned(after[name])
        both = commonest_levels(
            np.concatenate([first, last]), np.ones(len(first) + len(last)), _LEVELS
        )
        index = population_stability_index(both[: len(first)], both[len(first) :])
        found.append(Drift(name, index))
    return tuple(sorted(found, key=lambda one: -one.index))


def fairness_of(
    judged: Sequence[Judged], column: str, group: AnyArray, columns: Columns, draws: MemberDraws
) -> tuple[Fairness, ...]:
    """Calibration, means, proxies and parity of the groups of a column (n,), by class.

    Numbers of many values are put in five bands. Raises `InputError` for one group alone.
    """
    weight = judged[0].weight
    levels = levels_of(commonest_levels(group, weight, _LEVELS), weight, _GROUP_BANDS)
    names = np.array(levels.names, dtype=object)[levels.code]
    others = {name: values for name, values in columns.items() if name != column}
    proxy = _proxy(others, names, judged[0].member) if others else None
    return tuple(
        Fairness(
            column,
            one.of,
            column in columns,
            calibration_by_group(*one.rows, names, draws),
            mean_by_group(one.expected, one.weight, names),
            proxy,
            _parity(one, names),
        )
        for one in judged
    )


def _parity(judged: Judged, names: AnyArray) -> DecisionParity | None:
    if judged.loss.family is not Family.BINARY or np.ptp(judged.actual) == 0:
        return None
    cut = weighted_quantile(judged.expected, judged.weight, 1 - DECIDED_SHARE)
    return decision_parity(judged.actual, judged.expected > cut, judged.weight, names)


def _proxy(columns: Columns, names: AnyArray, member: IntArray) -> ProxyStrength | None:
    """From at most 20,000 rows, whole members; levels enter as codes."""
    rng = np.random.default_rng(SEED)
    owners = np.unique(member)
    if len(owners) < 10:
        return None
    rows = np.arange(len(member))
    if len(rows) > _SAMPLE:
        kept = rng.permutation(owners)[: max(10, len(owners) * _SAMPLE // len(rows))]
        rows = np.flatnonzero(np.isin(member, kept))
    if len(np.unique(names[rows])) < 2:
        return None
    features = [
        np.where(pd.isna(values[rows]), np.nan, pd.factorize(values[rows])[0])
        if values.dtype == object
        else values[rows]
        for values in columns.values()
    ]
    matrix = np.column_stack(features).astype(np.float64)
    return proxy_strength(matrix, names[rows], member[rows], rng)


def _periods(time: AnyArray) -> AnyArray:
    if not np.issubdtype(time.dtype, np.datetime64):
        return time
    months = time.astype("datetime64[M]")
    few = len(np.unique(months)) <= _MONTHS
    found: AnyArray = (months if few else time.astype("datetime64[Y]")).astype(str).astype(object)
    return found


def _thinned(values: AnyArray) -> AnyArray:
    """At most 100,000 values, at random."""
    if len(values) <= _MOVED:
        return values
    return values[np.random.default_rng(SEED).choice(len(values), _MOVED, replace=False)]
