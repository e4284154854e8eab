"""How far a member's annual cost may lie from its expectation: split-conformal intervals.

The score of a year is actual / expected, by a model that did not see the member; within bands of
expected cost (Mondrian), its quantiles bound the year of a new member with at least the coverage
asked for, whatever the distribution. Members, not rows, are exchangeable: each counts once in a
band, shared among its rows, and the finite-sample correction is that of members + 1.

The guarantee is exact for scores of one model on members it has not seen. Out-of-fold predictions
come from one model a fold; that these differ a little is not in the theory, so `coverage_by_decile`
measures what was covered.

A conformal interval is for one year of one member, not for the mean: it is wide, and its upper end
is infinite where a band has too few members for the coverage. Left out: probabilities, whose
outcome is 0 or 1 and has no such interval.

References: Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World" (2005), section
4.5 for Mondrian; Lei, G'Sell, Rinaldo, Tibshirani and Wasserman (2018), split conformal; Romano,
Patterson and Candès (2019) for two tails; Lee, Barber and Willett (2023), "Distribution-free
inference with hierarchical data", for members with several rows; Wilson (1927) for the interval
of a share.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np

from riskengine.errors import InputError
from riskengine.risk.diagnostics import Interval, equal_exposure_bands
from riskengine.risk.diagnostics.contract import refuse, require_rows
from riskengine.vocabulary import AnyArray, BoolArray, FloatArray, IntArray

BANDS = 10
_TAILS = np.array([0.0005, 0.001, 0.0025, 0.005])
SHARES = np.concatenate([_TAILS, np.arange(1, 100) / 100, 1 - _TAILS[::-1], [0.025, 0.975]])
SHARES.sort()
SHARES.flags.writeable = False
COMMON_ZERO = 0.01
"""Where more members than this share cost nothing, intervals start at 0 and have one tail."""
_ABOUT_95 = 1.959963984540054
_HAIR = 1e-9


class Side(StrEnum):
    """Which ends of an interval are bounded."""

    UPPER = "upper"
    TWO_SIDED = "two_sided"


@dataclass(frozen=True, eq=False)
class ConformalTable:
    """Quantiles of actual / expected in bands of expected cost.

    `edges` (bands - 1,) are the least expected cost of every band but the first, in its unit;
    `shares` (shares,) rise between 0 and 1; `lower` and `upper` (bands, shares) bound the score
    of a new member from below and above: at least `share` of them lie at or below `upper`, at
    most `share` lie below `lower`. `members` (bands,) are how many members a band was learnt from.
    """

    edges: FloatArray
    shares: FloatArray
    lower: FloatArray
    upper: FloatArray
    members: IntArray

    @property
    def from_zero(self) -> BoolArray:
        """Bands (bands,) whose intervals start at 0: a year without cost is no rarity there."""
        return np.asarray(self.lower[:, self._at_most(COMMON_ZERO, COMMON_ZERO)] == 0)

    def interval(self, expected: FloatArray, coverage: float) -> tuple[FloatArray, FloatArray]:
        """Ends (n,) of intervals of annual cost, in the unit of `expected` (n,).

        As much lies beyond one end as beyond the other, except in bands of `from_zero`: nothing
        lies below 0, so what may lie outside lies above (`upper_bound`). The upper end is infinite
        where a band has too few members. Shares between those of the table are rounded outwards.
        Raises `InputError` for a coverage outside 0 to 1, beyond what the table holds, or an
        expected cost that is not above 0.

        >>> table = fit_conformal(
        ...     np.arange(1.0, 200.0) / 100, np.ones(199), np.arange(199), bands=1)
        >>> [end.tolist() for end in table.interval(np.array([100.0]), 0.9)]
        [[10.0], [190.0]]
        """
        band = self._band(expected)
        tail = (1 - coverage) / 2
        one_tail = self.from_zero[band]
        low = self.lower[band, self._at_most(tail, coverage)]
        high = self.upper[band, self._at_least(1 - tail, coverage)]
        above = self.upper[band, self._at_least(coverage, coverage)]
        return np.where(one_tail, 0.0, expected * low), expected * np.where(one_tail, above, high)

    def upper_bound(self, expected: FloatArray, coverage: float) -> FloatArray:
        """Upper ends (n,) of one-sided intervals from 0; units and errors as of `interval`.

        >>> table = fit_conformal(
        ...     np.arange(1.0, 100.0) / 50, np.ones(99), np.arange(99), bands=1)
        >>> table.upper_bound(np.array([100.0]), 0.9).tolist()
        [180.0]
        """
        bound: FloatArray = self.upper[self._band(expected), self._at_least(coverage, coverage)]
        return expected * bound

    def to_json(self) -> str:
        """The table as JSON; infinite bounds become null.

        >>> table = fit_conformal(np.arange(1.0, 10.0), np.ones(9), np.arange(9), bands=1)
        >>> ConformalTable.from_json(table.to_json()).members.tolist()
        [9]
        """
        arrays = {name: getattr(self, name) for name in ("edges", "shares", "lower", "members")}
        content = {name: array.tolist() for name, array in arrays.items()}
        content["upper"] = [
            [bound if np.isfinite(bound) else None for bound in row] for row in self.upper.tolist()
        ]
        return json.dumps(content)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The table that `to_json` wrote, bit for bit. Raises `InputError` for other texts."""
        try:
            content = json.loads(text)
            upper = [[np.inf if v is None else float(v) for v in row] for row in content["upper"]]
            return cls(
                edges=np.array(content["edges"], dtype=np.float64),
                shares=np.array(content["shares"], dtype=np.float64),
                lower=np.array(content["lower"], dtype=np.float64),
                upper=np.array(upper, dtype=np.float64),
                members=np.array(content["members"], dtype=np.int64),
            )
        except (KeyError, TypeError, ValueError) as error:
            message = f"not a conformal table ({error}): fit it again"
            raise InputError(message) from error

    def _band(self, expected: FloatArray) -> IntArray:
        refuse(~(expected > 0), expected, "expected", "an interval needs a mean above 0")
        return np.searchsorted(self.edges, expected, side="right").astype(np.int64)

    def _at_least(self, share: float, coverage: float) -> int:
        return self._held(int(np.searchsorted(self.shares, share - _HAIR)), coverage)

    def _at_most(self, share: float, coverage: float) -> int:
        return self._held(int(np.searchsorted(self.shares, share + _HAIR)) - 1, coverage)

    def _held(self, place: int, coverage: float) -> int:
        if not 0 < coverage < 1 or not 0 <= place < len(self.shares):
            message = (
                f"a coverage of {coverage} is not in the table, whose shares go from"
                f" {self.shares[0]} to {self.shares[-1]}: ask for one between"
            )
            raise InputError(message)
        return place


@dataclass(frozen=True)
class DecileCoverage:
    """How often intervals held the outcome, in one decile of expected cost.

    `covered` is the share of members (years of a member averaged), with Wilson's 95 % interval;
    `unbounded` the share of rows whose upper end is infinite, and which are covered for that.
    """

    decile: int
    rows: int
    members: int
    expected: float
    covered: Interval
    unbounded: float


def fit_conformal(
    actual: FloatArray, expected: FloatArray, member: AnyArray, bands: int = BANDS
) -> ConformalTable:
    """Quantiles of actual / expected, from whole years that the model did not see.

    `actual` and `expected` (n,) are annual costs of rows, `member` (n,) whose they are; bands have
    equal numbers of rows. In a band with M members, a row of a member with r rows there weighs
    1 / ((M + 1) r), and a new member the remaining 1 / (M + 1), at infinity for upper bounds and
    at 0 for lower. With one row each this is the ceil((M + 1) share)-th smallest score. Raises
    `InputError` for probabilities (all outcomes 0 or 1, or an array of classes), negative costs, or
    expected costs not above 0.

    >>> table = fit_conformal(np.arange(1.0, 10.0) / 5, np.ones(9), np.arange(9), bands=1)
    >>> table.members.tolist(), table.upper_bound(np.array([100.0]), 0.8).tolist()
    ([9], [160.0])
    """
    _require_amounts(actual, expected, member)
    band = equal_exposure_bands(expected, np.ones(len(expected)), bands)
    _, band = np.unique(band, return_inverse=True)
    lower, upper, members = [], [], []
    edges = [expected[band == number].min() for number in range(1, band.max() + 1)]
    for number in range(band.max() + 1):
        inside = band == number
        weight, count = _weights(member[inside])
        score = actual[inside] / expected[inside]
        upper.append(_bounds(score, weight))
        # By symmetry; no cost is below 0.
        lower.append(np.maximum(-_bounds(-score, weight)[::-1], 0.0))
        members.append(count)
    return ConformalTable(
        edges=np.array(edges, dtype=np.float64),
        shares=SHARES.copy(),
        lower=np.array(lower),
        upper=np.array(upper),
        members=np.array(members, dtype=np.int64),
    )


def coverage_by_decile(
    actual: FloatArray,
    expected: FloatArray,
    member: AnyArray,
    fold: IntArray,
    coverage: float,
    side: Side = Side.TWO_SIDED,
) -> tuple[DecileCoverage, ...]:
    """Coverage of held-out years by decile of expected, lowest first, calibrated on other folds.

    `fold` (n,) must be by member, as the model's own. Raises `InputError` as `fit_conformal`, for
    fewer than two folds, and when a member is in two.

    >>> cost, one = np.tile(np.arange(1.0, 100.0), 2), np.full(198, 50.0)
    >>> half = np.repeat([0, 1], 99)
    >>> (row,) = coverage_by_decile(cost, one, np.arange(198), half, 0.9, Side.UPPER)
    >>> row.rows, round(row.covered.mean, 6) == round(90 / 99, 6)
    (198, True)
    """
    _require_amounts(actual, expected, member)
    _require_folds(member, fold)
    low, high = np.zeros(len(actual)), np.empty(len(actual))
    for number in np.unique(fold):
        test = fold == number
        table = fit_conformal(actual[~test], expected[~test], member[~test])
        if side is Side.UPPER:
            high[test] = table.upper_bound(expected[test], coverage)
        else:
            low[test], high[test] = table.interval(expected[test], coverage)
    return _by_decile((actual, expected, member), low, high)


def coverage_of(
    table: ConformalTable,
    actual: FloatArray,
    expected: FloatArray,
    member: AnyArray,
    coverage: float,
) -> tuple[DecileCoverage, ...]:
    """How often the intervals of `table` held whole years that it never saw, by decile of expected.

    Arrays (n,). Raises `InputError` as `fit_conformal` and `ConformalTable.interval`.

    >>> table = fit_conformal(np.arange(1.0, 100.0), np.full(99, 50.0), np.arange(99), bands=1)
    >>> (row,) = coverage_of(table, np.array([1.0, 50.0]), np.full(2, 50.0), np.arange(2), 0.9)
    >>> row.rows, row.covered.mean
    (2, 0.5)
    """
    _require_amounts(actual, expected, member)
    low, high = table.interval(expected, coverage)
    return _by_decile((actual, expected, member), low, high)


def wilson_interval(share: float, count: int) -> Interval:
    """Wilson's 95 % interval of a share among `count` independent trials (Wilson, 1927).

    >>> found = wilson_interval(0.5, 100)
    >>> round(found.low, 3), round(found.high, 3)
    (0.404, 0.596)
    """
    square = _ABOUT_95**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = np.sqrt(share * (1 - share) / count + square / (4 * count**2)) / (1 + square / count)
    return Interval(share, float(centre - _ABOUT_95 * half), float(centre + _ABOUT_95 * half))


def _by_decile(
    rows: tuple[FloatArray, FloatArray, AnyArray], low: FloatArray, high: FloatArray
) -> tuple[DecileCoverage, ...]:
    actual, expected, member = rows
    inside = (low <= actual) & (actual <= high)
    decile = equal_exposure_bands(expected, np.ones(len(expected)), 10)
    return tuple(
        _coverage(number, decile == number, inside, high, (expected, member))
        for number in np.unique(decile).tolist()
    )


def _coverage(
    decile: int,
    rows: BoolArray,
    inside: BoolArray,
    high: FloatArray,
    columns: tuple[FloatArray, AnyArray],
) -> DecileCoverage:
    expected, member = columns
    weight, count = _weights(member[rows])
    share = float(np.average(inside[rows], weights=weight))
    return DecileCoverage(
        decile=decile + 1,
        rows=int(rows.sum()),
        members=count,
        expected=float(expected[rows].mean()),
        covered=wilson_interval(min(share, 1.0), count),
        unbounded=float(np.mean(np.isinf(high[rows]))),
    )


def _weights(member: AnyArray) -> tuple[FloatArray, int]:
    """1 / rows of its member for each row (n,), and the number of members."""
    _, owner, rows = np.unique(member, return_inverse=True, return_counts=True)
    return 1.0 / rows[owner], len(rows)


def _bounds(score: FloatArray, weight: FloatArray) -> FloatArray:
    """The least score with `share` of the weight of members + 1 at or below it, (shares,)."""
    order = np.argsort(score, kind="stable")
    reached = np.cumsum(weight[order])
    needed = SHARES * (round(reached[-1]) + 1)
    place = np.searchsorted(reached, needed - _HAIR * needed, side="left")
    result: FloatArray = np.append(score[order], np.inf)[place]
    return result


def _require_amounts(actual: FloatArray, expected: FloatArray, member: AnyArray) -> None:
    if expected.ndim != 1 or np.isin(actual, (0, 1)).all():
        message = "outcomes are 0 or 1, or classes: a probability has no interval of its outcome"
        raise InputError(message)
    require_rows(np.ones(len(actual)), actual=actual, expected=expected, member=member)
    refuse(actual < 0, actual, "actual", "an annual cost is 0 or more")
    refuse(expected <= 0, expected, "expected", "a ratio to the mean needs a mean above 0")


def _require_folds(member: AnyArray, fold: IntArray) -> None:
    if len(fold) != len(member) or len(np.unique(fold)) < 2:
        message = f"{len(fold)} folds for {len(member)} rows: give each row one, two or more in all"
        raise InputError(message)
    names, first = np.unique(member, return_index=True)
    own = fold[first][np.searchsorted(names, member)]
    refuse(fold != own, member, "member", "it is in two folds, so it calibrates its own interval")
