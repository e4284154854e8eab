"""How sure a statistic is: bootstrap over members, one set of draws for all metrics of a report.

Whole members are drawn, so years of one person stay together (the cluster bootstrap; Davison and
Hinkley, 1997, section 3.8; Field and Welsh, 2007). A statistic of totals (A/E, a mean, a
difference of deviances) needs only a matrix product; one that sorts (Gini) is computed anew on
reweighted rows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from riskengine.errors import InputError
from riskengine.risk.diagnostics.contract import require_one_length, require_rows
from riskengine.vocabulary import AnyArray, FloatArray, IntArray

DRAWS = 500
DRAWS_OF_ROWS = 200
MOST_BLOCKS = 10_000
"""Above so many members, members are dealt at random into so many blocks, and blocks are drawn."""
MOST_ROWS = 200_000
"""Of more rows, a statistic that sorts is drawn from a random part of the members."""


@dataclass(frozen=True)
class Interval:
    """A statistic of the data, `mean`, with the ends of its percentile interval (95 %)."""

    mean: float
    low: float
    high: float

    @property
    def distance_from_one(self) -> float:
        """How far from 1 the near end of the interval is; 0 where the interval holds 1.

        >>> round(Interval(1.2, 1.1, 1.3).distance_from_one, 6)
        0.1
        """
        return max(self.low - 1, 1 - self.high, 0.0)


@dataclass(frozen=True, eq=False)
class MemberDraws:
    """One set of bootstrap draws, to be shared by every statistic of the same rows.

    `block` (n,) is the position of each row's block (a member, or a random group of members where
    there are very many); `counts` (draws, blocks) says how often each draw holds each block.
    """

    block: IntArray
    counts: FloatArray

    def totals(self, values: FloatArray, segment: IntArray, segments: int) -> FloatArray:
        """Total of `values` (n,) by segment (n,) in each draw, (draws, segments).

        >>> draws = MemberDraws(np.array([0, 1, 1]), np.array([[2.0, 0.0], [1.0, 1.0]]))
        >>> draws.totals(np.array([1.0, 10.0, 100.0]), np.array([0, 0, 1]), 2).tolist()
        [[2.0, 0.0], [11.0, 100.0]]
        """
        require_one_length(values=values, segment=segment, block=self.block)
        blocks = self.counts.shape[1]
        by_block = np.bincount(self.block * segments + segment, values, blocks * segments)
        totals: FloatArray = self.counts @ by_block.reshape(blocks, segments)
        return totals

    def statistic(
        self, statistic: Callable[[FloatArray], FloatArray], parts: FloatArray
    ) -> Interval:
        """Interval of any statistic of totals.

        `parts` (n, k) are what is summed over rows; `statistic` maps totals (..., k) to (...).

        >>> draws = draw_members(np.arange(3), np.random.default_rng(1))
        >>> draws.statistic(lambda t: t[..., 0] / t[..., 1], np.array([[2.0, 1.0]] * 3))
        Interval(mean=2.0, low=2.0, high=2.0)
        """
        everything = np.zeros(len(self.block), dtype=np.int64)
        totals = np.hstack([self.totals(part, everything, 1) for part in parts.T])
        with np.errstate(divide="ignore", invalid="ignore"):
            return interval_of(float(statistic(parts.sum(axis=0))), statistic(totals))

    def ratio(self, numerator: FloatArray, denominator: FloatArray) -> Interval:
        """Interval of total `numerator` (n,) over total `denominator` (n,).

        >>> draws = draw_members(np.arange(3), np.random.default_rng(1))
        >>> draws.ratio(np.full(3, 2.0), np.ones(3))
        Interval(mean=2.0, low=2.0, high=2.0)
        """
        parts = np.column_stack([numerator, denominator])
        return self.statistic(lambda totals: totals[..., 0] / totals[..., 1], parts)

    def ratios(
        self, numerator: FloatArray, denominator: FloatArray, segment: IntArray
    ) -> list[Interval]:
        """`ratio` within each segment 0, 1, ... of the rows (n,).

        Draws without a denominator in a segment (0 / 0) do not count there.

        >>> draws = draw_members(np.arange(2), np.random.default_rng(1))
        >>> draws.ratios(np.array([2.0, 3.0]), np.ones(2), np.array([0, 1]))[1]
        Interval(mean=3.0, low=3.0, high=3.0)
        """
        size = int(segment.max()) + 1
        above, below = (np.bincount(segment, part, size) for part in (numerator, denominator))
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = self.totals(numerator, segment, size) / self.totals(denominator, segment, size)
            estimates = above / below
        return [interval_of(float(estimates[s]), drawn[:, s]) for s in range(size)]


def draw_members(member: AnyArray, rng: np.random.Generator, draws: int = DRAWS) -> MemberDraws:
    """Multinomial draws of as many members as there are among `member` (n,), with replacement.

    Above `MOST_BLOCKS` members they are dealt at random into that many blocks of equal size and
    blocks are drawn. That leaves the variance of a total unchanged on average, and a million rows
    cost what ten thousand do.

    >>> draws = draw_members(np.array(["a", "b", "a"]), np.random.default_rng(1), draws=10)
    >>> draws.block.tolist(), draws.counts.sum(axis=1).tolist() == [2.0] * 10
    ([0, 1, 0], True)
    """
    require_one_length(member=member)
    names, owner = np.unique(member, return_inverse=True)
    size = len(names)
    if size > MOST_BLOCKS:
        dealt = rng.permutation(size) % MOST_BLOCKS
        owner, size = dealt[owner], MOST_BLOCKS
    drawn = rng.integers(0, size, (draws, size)) + np.arange(draws)[:, None] * size
    counts = np.bincount(drawn.ravel(), minlength=draws * size).reshape(draws, size)
    return MemberDraws(np.asarray(owner, dtype=np.int64), counts.astype(np.float64))


def interval_of(estimate: float, drawn: FloatArray, coverage: float = 0.95) -> Interval:
    """The percentile interval of drawn statistics (draws,); those that are NaN do not count.

    >>> interval_of(50.0, np.arange(101.0), coverage=0.5)
    Interval(mean=50.0, low=25.0, high=75.0)
    """
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return Interval(estimate, float("nan"), float("nan"))
    ends = np.array([(1 - coverage) / 2, (1 + coverage) / 2])
    if np.isfinite(known).all():
        low, high = np.quantile(known, ends)
    else:
        # Between an infinite draw and its neighbour lies no number: take the draw itself.
        low, high = np.quantile(known, ends, method="closest_observation")
    return Interval(estimate, float(low), float(high))


def bootstrap_mean(
    values: FloatArray, exposure: FloatArray, member: AnyArray, rng: np.random.Generator
) -> Interval:
    """Exposure-weighted mean of `values` (n,) with its interval by bootstrap over members.

    >>> bootstrap_mean(np.ones(3), np.ones(3), np.arange(3), np.random.default_rng(1))
    Interval(mean=1.0, low=1.0, high=1.0)
    """
    require_rows(exposure, values=values, member=member)
    return draw_members(member, rng).ratio(exposure * values, exposure)


def bootstrap_ratio(
    numerator: FloatArray, denominator: FloatArray, member: AnyArray, rng: np.random.Generator
) -> Interval:
    """Total `numerator` (n,) over total `denominator` (n,), with its interval over members.

    Raises `InputError` when the denominator is negative somewhere or 0 in all.

    >>> two, one = np.full(3, 2.0), np.ones(3)
    >>> bootstrap_ratio(two, one, np.arange(3), np.random.default_rng(1))
    Interval(mean=2.0, low=2.0, high=2.0)
    """
    require_rows(denominator, numerator=numerator, member=member)
    return draw_members(member, rng).ratio(numerator, denominator)


def bootstrap_rows(
    statistic: Callable[[IntArray, FloatArray], float],
    member: AnyArray,
    rng: np.random.Generator,
    most_rows: int = MOST_ROWS,
    draws: int = DRAWS_OF_ROWS,
) -> Interval:
    """Interval of any statistic of reweighted rows, for those that are no function of totals.

    `statistic(rows, counts)` gets positions of rows (k,) and how often each is drawn (k,), and
    multiplies the exposure by that. `mean` is the statistic of all rows. Where there are more than
    `most_rows`, members are drawn from a random part of them and deviations are scaled by
    sqrt(members drawn / members): right for any statistic whose error falls with the square root
    of the members (the m out of n bootstrap; Bickel, Götze and van Zwet, 1997). Raises
    `InputError` when fewer than 2 members are there.

    >>> mean = lambda rows, counts: float(np.average(np.ones(3)[rows], weights=counts))
    >>> bootstrap_rows(mean, np.arange(3), np.random.default_rng(1))
    Interval(mean=1.0, low=1.0, high=1.0)
    """
    names, owner = np.unique(member, return_inverse=True)
    if len(names) < 2:
        message = f"{len(names)} member cannot be drawn again: give two or more"
        raise InputError(message)
    estimate = statistic(np.arange(len(owner)), np.ones(len(owner)))
    kept = min(len(names), max(2, len(names) * most_rows // len(owner)))
    if kept < len(names):
        place = rng.permutation(len(names))
        rows = np.flatnonzero(place[owner] < kept)
        owner = place[owner[rows]]
    else:
        rows = np.arange(len(owner))
    drawn = np.empty(draws)
    for draw in range(draws):
        counts = np.bincount(rng.integers(0, kept, kept), minlength=kept)
        drawn[draw] = statistic(rows, counts[owner].astype(np.float64))
    centre = estimate if kept == len(names) else statistic(rows, np.ones(len(rows)))
    scale = np.sqrt(kept / len(names))
    return interval_of(estimate, estimate + scale * (drawn - centre))
