"""Where a model is most wrong: the segment whose A/E is furthest from 1 as far as it is credible.

Among many segments some A/E is always far from 1 by chance. So each is shrunk to the book's A/E by
its credibility, and the furthest of what is left is the worst. How much true A/E differ between
segments is estimated from all cuts of the book together: from each alone, the cut that chance made
most varied would be believed most. Reference: Bühlmann and Straub (1970); Bühlmann and Gisler, "A
Course in Credibility Theory", section 4.8, for the estimators.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from riskengine.errors import InputError
from riskengine.risk.diagnostics.bootstrap import MemberDraws
from riskengine.risk.diagnostics.calibration import Segment, segments_of
from riskengine.risk.diagnostics.contract import require_one_length, require_rows
from riskengine.risk.diagnostics.levels import Levels, crossed, levels_of, require_known
from riskengine.vocabulary import AnyArray, BoolArray, FloatArray, IntArray

SEARCH_BANDS = 5


@dataclass(frozen=True)
class WorstSegment:
    """The segment furthest from A/E 1 after shrinkage.

    `factors` name what it is defined by, `segment.levels` the level of each. `credibility` is the
    weight of its own A/E; `shrunk` is A/E after shrinkage to that of the book; `searched` how many
    segments were compared. The interval of `segment.ratio` is that of its own A/E and knows
    nothing of the search: judge by `shrunk`.
    """

    factors: tuple[str, ...]
    segment: Segment
    credibility: float
    shrunk: float
    searched: int


@dataclass(frozen=True, eq=False)
class _Cut:
    """The book by one or two factors, (segments,) each.

    `volume` is expected cost, `own` A/E, `share` that of exposure. `within` is the sum of squares
    of members' A/E around `own`, on their volume, and `freedom` its degrees.
    """

    factors: tuple[str, ...]
    volume: FloatArray
    own: FloatArray
    share: FloatArray
    within: float
    freedom: int


def worst_segment(
    actual: FloatArray,
    expected: FloatArray,
    exposure: FloatArray,
    factors: Mapping[str, AnyArray],
    draws: MemberDraws,
    least_share: float = 0.02,
) -> WorstSegment:
    """Search the one- and two-way segments of `factors` with at least `least_share` of exposure.

    A segment's A/E r, on the volume E of its expected cost, is shrunk to `Z r + (1 - Z) R` with
    `Z = E / (E + k)`, R the A/E of the book and k by Bühlmann and Straub from the members' A/E in
    all cuts. The worst has the greatest |log| of that, so that 1/2 is as bad as 2. Arrays (n,);
    numbers are in 5 bands of equal exposure. Ties go to fewer factors, then to the order of
    `factors`. Raises `InputError` without factors, or when no segment is large enough.

    >>> from riskengine.risk.diagnostics import draw_members
    >>> draws = draw_members(np.arange(8), np.random.default_rng(1))
    >>> region = np.repeat(np.array(["east", "west"]), 4)
    >>> found = worst_segment(np.array([1.0, 1.1, 0.9, 1.0, 2.9, 3.1, 3.0, 3.0]), np.full(8, 2.0),
    ...     np.ones(8), {"region": region}, draws)
    >>> found.factors, found.segment.levels, found.segment.ratio.mean, found.searched
    (('region',), ('east',), 0.5, 2)
    """
    require_known(factors, "factor")
    require_rows(exposure, actual=actual, expected=expected)
    require_one_length(exposure=exposure, **{f"factor {name}": factors[name] for name in factors})
    rows = actual, expected, exposure
    levels = {name: levels_of(values, exposure, SEARCH_BANDS) for name, values in factors.items()}
    cuts = [_cut(rows, names, _segments(levels, names), draws) for names in _searched(levels)]
    book = float(np.sum(exposure * actual) / np.sum(exposure * expected))
    k = _credibility_constant(cuts, book)
    searched = sum(int(_allowed(cut, least_share).sum()) for cut in cuts)
    if not searched:
        message = f"no segment has {least_share:.1%} of the exposure: ask for a smaller share"
        raise InputError(message)
    distances = [_distance(cut, book, k, least_share) for cut in cuts]
    furthest = np.array([distance.max() for distance in distances])
    # A hair above, so that a tie goes to the cut that comes first.
    chosen = int(np.flatnonzero(furthest >= furthest.max() - 1e-12)[0])
    cut, place = cuts[chosen], int(np.argmax(distances[chosen]))
    labels, code = _segments(levels, cut.factors)
    inside = np.where(code == place, 0, 1).astype(np.int64)
    return WorstSegment(
        factors=cut.factors,
        segment=segments_of(rows, (labels[place], ("",)), inside, draws)[0],
        credibility=float(_credibility(cut, k)[place]),
        shrunk=float(_shrunk(cut, book, k)[place]),
        searched=searched,
    )


def _searched(levels: Mapping[str, Levels]) -> Iterator[tuple[str, ...]]:
    """The names of each factor, then of each pair."""
    yield from ((name,) for name in levels)
    yield from combinations(levels, 2)


def _segments(
    levels: Mapping[str, Levels], names: tuple[str, ...]
) -> tuple[tuple[tuple[str, ...], ...], IntArray]:
    """The levels of each segment, and the position of each row's segment (n,)."""
    if len(names) == 1:
        one = levels[names[0]]
        return tuple((level,) for level in one.names), one.code
    return crossed(levels[names[0]], levels[names[1]])


def _cut(
    rows: tuple[FloatArray, FloatArray, FloatArray],
    factors: tuple[str, ...],
    segments: tuple[tuple[tuple[str, ...], ...], IntArray],
    draws: MemberDraws,
) -> _Cut:
    actual, expected, exposure = rows
    labels, code = segments
    size, blocks = len(labels), draws.counts.shape[1]
    cell = draws.block * size + code
    by_cell = [np.bincount(cell, exposure * part, blocks * size) for part in (actual, expected)]
    cost, volume = (np.asarray(part, dtype=np.float64).reshape(blocks, size) for part in by_cell)
    total = volume.sum(axis=0)
    own = cost.sum(axis=0) / np.where(total > 0, total, 1.0)
    there = volume > 0
    safe = np.where(there, volume, 1.0)
    within = np.sum(np.where(there, (cost - volume * own) ** 2 / safe, 0.0))
    share = np.bincount(code, exposure, size) / exposure.sum()
    freedom = int(there.sum() - np.count_nonzero(total))
    return _Cut(factors, total, own, share, float(within), freedom)


def _credibility_constant(cuts: Sequence[_Cut], book: float) -> float:
    """k = s^2 / a of all cuts together; infinite where segments differ by no more than chance."""
    freedom = sum(cut.freedom for cut in cuts)
    if not freedom:
        return float("inf")
    process = sum(cut.within for cut in cuts) / freedom
    between, spread = 0.0, 0.0
    for cut in cuts:
        total = cut.volume.sum()
        between += float(np.sum(cut.volume * (cut.own - book) ** 2))
        between -= (np.count_nonzero(cut.volume) - 1) * process
        spread += float(total - np.sum(cut.volume**2) / total)
    return process * spread / between if between > 0 else float("inf")


def _credibility(cut: _Cut, k: float) -> FloatArray:
    return np.asarray(cut.volume / np.where(cut.volume > 0, cut.volume + k, 1.0))


def _shrunk(cut: _Cut, book: float, k: float) -> FloatArray:
    return np.asarray(book + _credibility(cut, k) * (cut.own - book))


def _allowed(cut: _Cut, least_share: float) -> BoolArray:
    return np.asarray((cut.share >= least_share) & (cut.volume > 0))


def _distance(cut: _Cut, book: float, k: float, least_share: float) -> FloatArray:
    """|log| of shrunk A/E, -1 where the segment is too small."""
    with np.errstate(divide="ignore"):
        far = np.abs(np.log(_shrunk(cut, book, k)))
    return np.where(_allowed(cut, least_share), far, -1.0)
