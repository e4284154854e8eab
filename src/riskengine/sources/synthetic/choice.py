"""Offers, choices and cover: what each member is shown before a year, takes, and holds.

A member weighs premium and expected own cost by what the member knows of the own health, leans to
what the pages seen were about, and stays with what is held more often than not.
"""

from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np

from riskengine.sources.synthetic.assumptions import (
    LAPSE_A_YEAR,
    LAST_DAY,
    LOADING,
    OFFERED_DAYS_BEFORE,
    USE_BY_MEMBER_SHARE,
    YEARS,
    PlanDesign,
)
from riskengine.sources.synthetic.care import MEAN, expected_lines
from riskengine.sources.synthetic.population import People
from riskengine.vocabulary import BoolArray, FloatArray, IntArray

_QUANTILES = 64
_STARTS = [date(year, 1, 1).toordinal() - date(1970, 1, 1).toordinal() for year in YEARS]
YEAR_BOUNDS = tuple(pairwise([*_STARTS, LAST_DAY + 1]))
"""First day of each year and of the next, in days since 1970."""


@dataclass(frozen=True)
class YearOfCover:
    """One year of one block: what was shown, chosen and held; arrays by member, (n,).

    `premium` is (n, plans), `chosen` a plan's position, -1 for none; `start` and `end` are days,
    where `offered`. `place` is (n, plans), the position of each plan on the list from 1.
    """

    year: int
    offered: BoolArray
    premium: FloatArray
    place: IntArray
    leaning: IntArray
    chosen: IntArray
    start: IntArray
    end: int

    @property
    def covered(self) -> BoolArray:
        return self.chosen >= 0


def draw_years(
    rng: np.random.Generator, people: People, plans: tuple[PlanDesign, ...]
) -> list[YearOfCover]:
    """Offers and cover of all years of one block."""
    years = []
    held = np.full(people.size, -1)
    gone = np.zeros(people.size, dtype=bool)
    for year, (first, following) in zip(YEARS, YEAR_BOUNDS, strict=True):
        start = np.maximum(people.joined, first)
        offered = (people.joined < following) & ~gone
        cost = expected_spend(people, start.astype(np.float64))
        premium = _premiums(people, start, plans)
        own = own_cost(cost, plans)
        money = -people.price_sensitivity[:, None] * (premium + 1.2 * own) / 250
        leaning = np.argmax(money + rng.gumbel(size=money.shape), axis=1)
        liked = np.arange(len(plans)) == leaning[:, None]
        stays = np.arange(len(plans)) == held[:, None]
        wish = money + 1.5 * liked + 2.0 * stays + rng.gumbel(size=money.shape)
        lapses = (rng.random(people.size) < LAPSE_A_YEAR) & (held >= 0)
        chosen = np.where(offered & ~lapses, np.argmax(wish, axis=1), -1)
        place = np.argsort(np.argsort(rng.random(money.shape), axis=1), axis=1) + 1
        years.append(
            YearOfCover(year, offered, premium, place, leaning, chosen, start, following - 1)
        )
        gone |= offered & (chosen < 0)
        held = np.where(offered, chosen, held)
    return years


def expected_spend(people: People, day: FloatArray) -> FloatArray:
    """Expected allowed amount of a year under free care, around one day each, (n,)."""
    spend: FloatArray = expected_lines(people, day) @ MEAN
    return spend


def own_cost(cost: FloatArray, plans: tuple[PlanDesign, ...]) -> FloatArray:
    """Expected annual out-of-pocket cost under each plan for an expected cost, (n, plans).

    A year's cost is taken as lognormal around its mean, by its quantiles.
    """
    ranks = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    shape = np.exp(1.6 * np.sqrt(2) * _inverse_error(2 * ranks - 1))
    years = cost[:, None] * (shape / shape.mean())
    return np.column_stack([plan.member_share(years).mean(axis=1) for plan in plans])


def use_of_care(plans: tuple[PlanDesign, ...]) -> FloatArray:
    """Use under each plan against free care, (plans,): less, the more of it the member pays."""
    average = np.full(1, 190.0)
    share = own_cost(average, plans)[0] / average[0]
    use: FloatArray = 1 - USE_BY_MEMBER_SHARE * share
    return use


def _premiums(people: People, start: IntArray, plans: tuple[PlanDesign, ...]) -> FloatArray:
    """The insurer's crude tariff: by age band and sex, the same for the healthy and the ill."""
    band = np.minimum(np.floor(people.age(start) / 10), 6)
    cost = 95 + 24 * band + 30 * (people.female & (band >= 2) & (band < 5))
    premium: FloatArray = np.round(LOADING * (cost[:, None] - own_cost(cost, plans)), 2)
    return premium


def _inverse_error(x: FloatArray) -> FloatArray:
    """Inverse error function to 2e-3 (Winitzki 2008): enough for a planning assumption."""
    a = 0.147
    log = np.log(1 - x**2)
    term = 2 / (np.pi * a) + log / 2
    found: FloatArray = np.sign(x) * np.sqrt(np.sqrt(term**2 - log / a) - term)
    return found


def shown_on(year: YearOfCover) -> IntArray:
    """The day on which a year's list was shown, by member."""
    return year.start - OFFERED_DAYS_BEFORE
