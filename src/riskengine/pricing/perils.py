"""How the annual outcome of a peril spreads around its mean, beyond one total a year.

A `Continuance` knows the total of a year; that prices a share of all of it. Three more are needed.
`PersonYears` keeps what each service cost and how often it was used in the same year, for plans
whose services have terms of their own; `Stays` keeps the single stays in hospital of a year;
`Incidence` splits events by stage. The first two are empirical: weighted years of the experience
by risk band. A member's cost is a year of the band times the member's mean, days are years that
occur as often as the member's mean asks, and events are Poisson.
Left out: what a plan pays of a year (`benefit_rules`), and its expectation (`benefit_table`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from riskengine.errors import InputError
from riskengine.risk.continuance import Continuance
from riskengine.risk.diagnostics import equal_exposure_bands
from riskengine.vocabulary import FloatArray, IntArray, Service

MOST_ROWS = 20_000
_KNOTS = 1024
_BELOW, _ABOVE = 1000.0, 100.0
"""Means so many times below the lowest and above the highest risk band are tabulated."""
_RAREST, _MOST_EVENTS = 1e-7, 4.0


@dataclass(frozen=True, eq=False)
class PersonYears:
    """Weighted years with cost by risk band, as ratios to the mean: a joint continuance.

    `centres` (bands,) are rising means. Each year has its `band` and `weight` (rows,), its cost
    by service as ratios to the mean (`amounts`) and how often the service was used for each unit
    of the mean (`visits`): higher risk means more visits, not dearer ones. The weights of a band
    add up to the share of years with any cost, and its cost to a ratio of 1.
    """

    centres: FloatArray
    band: IntArray
    weight: FloatArray
    amounts: Mapping[Service, FloatArray]
    visits: Mapping[Service, FloatArray]


@dataclass(frozen=True, eq=False)
class Stays:
    """Years with at least one stay in hospital, by risk band.

    Each year has its `band` and `weight` (rows,), how often it occurs for each expected day; each
    stay its year (`row`) and `days` (stays,). In each band weights times days add up to 1.
    """

    centres: FloatArray
    band: IntArray
    weight: FloatArray
    row: IntArray
    days: FloatArray


@dataclass(frozen=True)
class Incidence:
    """Events of a peril by stage: `shares` of all events, which add up to 1."""

    shares: Mapping[str, float]

    def __post_init__(self) -> None:
        total = sum(self.shares.values())
        if min(self.shares.values(), default=-1.0) < 0 or abs(total - 1) > 1e-9:
            message = f"shares of events by stage are {dict(self.shares)}: they must add up to 1"
            raise InputError(message)


PerilModel: TypeAlias = Continuance | PersonYears | Stays | Incidence


@dataclass(frozen=True)
class MeanGrid:
    """Means at equal steps of their logarithm, from `low` to `high`, on which plans are tabulated.

    All plans share the grid of their peril, so that between its knots they keep their order.
    """

    low: float
    high: float

    @property
    def step(self) -> float:
        return float(np.log(self.high / self.low)) / (_KNOTS - 1)

    @property
    def reach(self) -> tuple[float, float]:
        """The least and the greatest mean that is priced: the ends, but for rounding."""
        slack = 1 + 1e-9
        return self.low / slack, self.high * slack

    def means(self) -> FloatArray:
        """The knots, (knots,)."""
        return _knots(self.low, self.high)

    def place(self, mean: FloatArray) -> tuple[IntArray, FloatArray]:
        """The knot below each mean (n,), and how far the mean is on the way to the next, linearly.

        Raises `InputError` for a mean off the grid: no plan is priced there.
        """
        lowest, highest = self.reach
        outside = (~((mean >= lowest) & (mean <= highest))).nonzero()[0]
        if len(outside):
            row = int(outside[0])
            message = (
                f"row {row}: an annual mean of {mean[row]:g} cannot be priced: the experience"
                f" reaches from {self.low:g} to {self.high:g}; check the answers of this member"
            )
            raise InputError(message)
        knots = self.means()
        knot = np.clip(np.searchsorted(knots, mean, side="right") - 1, 0, _KNOTS - 2)
        return knot, (mean / knots[knot] - 1) / np.expm1(self.step)


@lru_cache(maxsize=1024)
def _knots(low: float, high: float) -> FloatArray:
    knots = np.geomspace(low, high, _KNOTS)
    knots.flags.writeable = False
    return knots


def mean_grid(model: PerilModel) -> MeanGrid:
    """The means that a peril's model can price; beyond the outer bands their shapes are kept."""
    if isinstance(model, Incidence):
        return MeanGrid(_RAREST, _MOST_EVENTS)
    return MeanGrid(float(model.centres[0]) / _BELOW, float(model.centres[-1]) * _ABOVE)


def band_weights(centres: FloatArray, mean: FloatArray) -> FloatArray:
    """How much each risk band counts at each mean: linear in its logarithm, (bands, n).

    >>> band_weights(np.array([1.0, 100.0]), np.array([0.1, 10.0])).tolist()
    [[1.0, 0.5], [0.0, 0.5]]
    """
    place = np.interp(np.log(mean), np.log(centres), np.arange(len(centres)))
    weights: FloatArray = np.maximum(1 - np.abs(place - np.arange(len(centres))[:, None]), 0.0)
    return weights


def totals(band: IntArray, values: FloatArray, bands: int = 0) -> FloatArray:
    """The sum of `values` (rows,) in each band, (bands,).

    >>> totals(np.array([0, 2, 2]), np.array([1.0, 2.0, 3.0])).tolist()
    [1.0, 0.0, 5.0]
    """
    return np.bincount(band, values, bands).astype(np.float64)


def fit_person_years(
    amounts: Mapping[Service, FloatArray],
    visits: Mapping[Service, FloatArray],
    expected: tuple[FloatArray, FloatArray],
    bands: int,
    most_rows: int = MOST_ROWS,
) -> PersonYears:
    """The joint continuance of years by service, around out-of-fold means.

    `amounts` and `visits` (n,) by service are per year of exposure; `expected` is the mean (n,) of
    their total by a model that did not see the row, and the exposure (n,). As in
    `fit_continuance`, bands hold equal exposure, rows weigh by expected cost, and each band is
    scaled to a mean ratio of 1. Of more than `most_rows` years a systematic sample stands for all,
    dear ones more often. Raises `InputError` when a band has no cost.
    """
    mean, exposure = expected
    band = equal_exposure_bands(mean, exposure, bands)
    total = np.sum(list(amounts.values()), axis=0)
    ratio, cost = total / mean, exposure * mean
    _, band = np.unique(band, return_inverse=True)
    weight = cost / totals(band, cost)[band]
    centres = np.exp(totals(band, weight * np.log(mean)))
    kept = [
        _sample(np.flatnonzero((band == b) & (ratio > 0)), weight, ratio, most_rows // len(centres))
        for b in range(len(centres))
    ]
    rows, weight = (np.concatenate(part) for part in zip(*kept, strict=True))
    level = totals(band[rows], weight * ratio[rows], len(centres))
    if (level <= 0).any():
        message = f"risk band {int(np.argmin(level)) + 1} of {bands} has no cost: ask for fewer"
        raise InputError(message)
    scale = 1 / (mean * level[band])[rows]
    return PersonYears(
        centres,
        band[rows],
        weight,
        {service: values[rows] * scale for service, values in amounts.items()},
        {service: values[rows] * scale for service, values in visits.items()},
    )


def _sample(
    rows: IntArray, weight: FloatArray, ratio: FloatArray, most: int
) -> tuple[IntArray, FloatArray]:
    """At most `most` of the rows, spread over their cost, and the weights that make up for it.

    Systematic sampling with probability proportional to size, here to a year's weight and cost.
    Reference: Särndal, Swensson and Wretman, "Model Assisted Survey Sampling", section 3.6.
    """
    if len(rows) <= most:
        return rows, weight[rows]
    rows = rows[np.argsort(ratio[rows], kind="stable")]
    size = weight[rows] * (1 + ratio[rows])
    ends = np.cumsum(size)
    picked = np.searchsorted(ends, (np.arange(most) + 0.5) / most * ends[-1])
    kept, times = np.unique(picked, return_counts=True)
    return rows[kept], times * ends[-1] / most / (1 + ratio[rows[kept]])


def fit_stays(
    person: IntArray, days: FloatArray, expected: tuple[FloatArray, FloatArray], bands: int
) -> Stays:
    """Years with stays, from single stays: `person` (stays,) is the place in the n years.

    `expected` is the out-of-fold mean of days a year (n,) and the exposure (n,), for bands of equal
    exposure. Raises `InputError` when a band has no day or a stay has none.
    """
    mean, exposure = expected
    if not (days > 0).all():
        message = f"a stay has {days.min():g} days: a stay counts at least one"
        raise InputError(message)
    _, band = np.unique(equal_exposure_bands(mean, exposure, bands), return_inverse=True)
    cost = exposure * mean
    weight = cost / totals(band, cost)[band]
    centres = np.exp(totals(band, weight * np.log(mean)))
    total = totals(band[person], days, len(centres))
    if (total <= 0).any():
        message = f"risk band {int(np.argmin(total)) + 1} of {bands} has no day: ask for fewer"
        raise InputError(message)
    years, row = np.unique(person, return_inverse=True)
    of_year = band[years]
    return Stays(centres, of_year, 1 / total[of_year], row, np.asarray(days, dtype=np.float64))
