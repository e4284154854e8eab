"""Whether predictions have the right level: A/E overall, by segment, by decile and by period.

Intervals are 95 % by bootstrap over members, from one set of draws (`draw_members`) that all
tables of a report share. Where a segment has no claims at all, every draw has none, so its
interval says nothing about it; `segments.worst_segment` shrinks such a segment instead.
References: Winkelman and Mehmud, "A Comparative Analysis of Claims-Based Tools for Health Risk
Assessment", Society of Actuaries (2007), for predictive ratios; Pope et al. (2011), Evaluation of
the CMS-HCC Risk Adjustment Model, for their deciles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.errors import InputError
from riskengine.risk.diagnostics.bootstrap import Interval, MemberDraws
from riskengine.risk.diagnostics.contract import require_one_length, require_rows
from riskengine.risk.diagnostics.levels import (
    crossed,
    equal_exposure_bands,
    levels_in_order,
    levels_of,
    require_known,
)
from riskengine.vocabulary import AnyArray, BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Segment:
    """The experience of the rows at one level, or at one level of each of two factors.

    `exposure` is a total; `actual` and `expected` are means per unit of exposure; `ratio` is A/E,
    or for predictive ratios its inverse.
    """

    levels: tuple[str, ...]
    exposure: float
    actual: float
    expected: float
    ratio: Interval


@dataclass(frozen=True)
class Balance:
    """Whether the book as a whole has its level.

    `actual` and `expected` are totals; `actual_over_expected` is what a balance factor would be;
    `bias` is the mean of expected - actual per unit of exposure, above 0 where the model is dear.
    """

    actual: float
    expected: float
    actual_over_expected: Interval
    bias: Interval

    @property
    def holds(self) -> bool:
        """Whether the interval of A/E holds 1."""
        return self.actual_over_expected.distance_from_one == 0


def actual_over_expected(actual: FloatArray, expected: FloatArray, exposure: FloatArray) -> float:
    """A/E: total actual over total expected.

    >>> actual_over_expected(np.array([1.0, 3.0]), np.array([2.0, 2.0]), np.array([1.0, 1.0]))
    1.0
    """
    return float(np.sum(exposure * actual) / np.sum(exposure * expected))


def balance(
    actual: FloatArray, expected: FloatArray, exposure: FloatArray, draws: MemberDraws
) -> Balance:
    """Totals, A/E and bias of the whole book, with intervals; arrays (n,).

    The balance property: sum of exposure x (actual - expected) = 0. Reference: Wüthrich and Merz,
    "Statistical Foundations of Actuarial Learning", section 5.1.5.

    >>> from riskengine.risk.diagnostics import draw_members
    >>> draws = draw_members(np.arange(2), np.random.default_rng(1))
    >>> found = balance(np.ones(2), np.full(2, 2.0), np.ones(2), draws)
    >>> found.actual_over_expected, found.bias.mean, found.holds
    (Interval(mean=0.5, low=0.5, high=0.5), 1.0, False)
    """
    require_rows(exposure, actual=actual, expected=expected)
    return Balance(
        actual=float(np.sum(exposure * actual)),
        expected=float(np.sum(exposure * expected)),
        actual_over_expected=draws.ratio(exposure * actual, exposure * expected),
        bias=draws.ratio(exposure * (expected - actual), exposure),
    )


def actual_expected_table(
    actual: FloatArray,
    expected: FloatArray,
    exposure: FloatArray,
    by: AnyArray | Sequence[AnyArray],
    draws: MemberDraws,
    bands: int = 10,
) -> tuple[Segment, ...]:
    """A/E by the levels of one factor (n,), or by the pairs of levels of two.

    Numbers with more than `bands` distinct values are banded by equal exposure; missing values
    (NaN, None) are a level of their own. Levels without exposure are left out. Raises `InputError`
    for more than two factors.

    >>> from riskengine.risk.diagnostics import draw_members
    >>> draws = draw_members(np.arange(4), np.random.default_rng(1))
    >>> sex = np.array(["male", "female", "male", "female"])
    >>> rows = actual_expected_table(
    ...     np.array([1.0, 2.0, 3.0, 2.0]), np.full(4, 2.0), np.ones(4), sex, draws)
    >>> [(row.levels, row.exposure, row.ratio.mean) for row in rows]
    [(('female',), 2.0, 1.0), (('male',), 2.0, 1.0)]
    """
    factors = [by] if isinstance(by, np.ndarray) else list(by)
    if len(factors) not in (1, 2):
        message = f"{len(factors)} factors to break down by: give one or two"
        raise InputError(message)
    numbered = {f"factor {place + 1}": factor for place, factor in enumerate(factors)}
    require_one_length(exposure=exposure, **numbered)
    levels = [levels_of(factor, exposure, bands) for factor in factors]
    if len(levels) == 1:
        names: tuple[tuple[str, ...], ...] = tuple((name,) for name in levels[0].names)
        code = levels[0].code
    else:
        names, code = crossed(levels[0], levels[1])
    return segments_of((actual, expected, exposure), names, code, draws)


def actual_over_expected_by_period(
    actual: FloatArray,
    expected: FloatArray,
    exposure: FloatArray,
    period: AnyArray,
    draws: MemberDraws,
) -> tuple[Segment, ...]:
    """Time consistency: A/E of each period (n,), in order, as it is and never banded.

    An A/E that rises with the periods is a trend that the model lacks.

    >>> from riskengine.risk.diagnostics import draw_members
    >>> draws = draw_members(np.arange(2), np.random.default_rng(1))
    >>> rows = actual_over_expected_by_period(
    ...     np.array([1.0, 2.0]), np.ones(2), np.ones(2), np.array([2024, 2025]), draws)
    >>> [(row.levels[0], row.ratio.mean) for row in rows]
    [('2024', 1.0), ('2025', 2.0)]
    """
    levels = levels_in_order(period)
    names = tuple((name,) for name in levels.names)
    return segments_of((actual, expected, exposure), names, levels.code, draws)


def predictive_ratios_by_decile(
    actual: FloatArray,
    expected: FloatArray,
    exposure: FloatArray,
    draws: MemberDraws,
    count: int = 10,
) -> tuple[Segment, ...]:
    """Predictive ratio, total expected over total actual, by decile of expected, lowest first.

    1 is right, above 1 the decile is overpaid. Infinite where a decile has no cost.

    >>> from riskengine.risk.diagnostics import draw_members
    >>> draws = draw_members(np.arange(2), np.random.default_rng(1))
    >>> rows = predictive_ratios_by_decile(
    ...     np.array([1.0, 4.0]), np.array([2.0, 4.0]), np.ones(2), draws, count=2)
    >>> [(row.levels[0], row.ratio.mean) for row in rows]
    [('1', 2.0), ('2', 1.0)]
    """
    require_rows(exposure, actual=actual, expected=expected)
    band = equal_exposure_bands(expected, exposure, count)
    used, code = np.unique(band, return_inverse=True)
    names = tuple((str(number + 1),) for number in used.tolist())
    rows = actual, expected, exposure
    return segments_of(rows, names, np.asarray(code, dtype=np.int64), draws, inverse=True)


def predictive_ratios_by_condition(
    actual: FloatArray,
    expected: FloatArray,
    exposure: FloatArray,
    conditions: Mapping[str, BoolArray],
    draws: MemberDraws,
) -> tuple[Segment, ...]:
    """Predictive ratio, total expected over total actual, of the members with each condition.

    `conditions` has a flag (n,) for each name; members may have several or none. Conditions
    nobody with exposure has are left out. Raises `InputError` when none is given.

    >>> from riskengine.risk.diagnostics import draw_members
    >>> draws = draw_members(np.arange(2), np.random.default_rng(1))
    >>> rows = predictive_ratios_by_condition(np.array([1.0, 4.0]), np.array([2.0, 4.0]),
    ...     np.ones(2), {"diabetes": np.array([True, False])}, draws)
    >>> [(row.levels[0], row.ratio.mean) for row in rows]
    [('diabetes', 2.0)]
    """
    require_known(conditions, "condition")
    rows = actual, expected, exposure
    result: list[Segment] = []
    for name, flag in conditions.items():
        code = np.where(flag, 0, 1).astype(np.int64)
        both = segments_of(rows, ((name,), ("",)), code, draws, inverse=True)
        result.extend(segment for segment in both if segment.levels == (name,))
    return tuple(result)


def segments_of(
    rows: tuple[FloatArray, FloatArray, FloatArray],
    names: Sequence[tuple[str, ...]],
    code: IntArray,
    draws: MemberDraws,
    inverse: bool = False,
) -> tuple[Segment, ...]:
    """Segments of `rows` (actual, expected, exposure) by `code` (n,), a position in `names`.

    `ratio` is A/E, or expected over actual where `inverse`. Segments without exposure are left
    out.
    """
    actual, expected, exposure = rows
    require_rows(exposure, actual=actual, expected=expected, level=code)
    size = len(names)
    weight = np.bincount(code, exposure, size)
    cost, mean = exposure * actual, exposure * expected
    of_actual, of_expected = np.bincount(code, cost, size), np.bincount(code, mean, size)
    ratios = draws.ratios(mean, cost, code) if inverse else draws.ratios(cost, mean, code)
    return tuple(
        Segment(
            levels=names[place],
            exposure=float(weight[place]),
            actual=float(of_actual[place] / weight[place]),
            expected=float(of_expected[place] / weight[place]),
            ratio=ratios[place],
        )
        for place in np.flatnonzero(weight).tolist()
    )
