"""Claims brought to the level of the cover: developed once, trended once, in types that say so.

A cost is `ReportedCost` as it is known, `UltimateCost` once run-out is allowed for, `CoverCost`
once it is at the level of the mid-point of the cover. Each step takes one type and gives the next,
so to apply it twice, or to forget it, is a type error, and at run time an `InputError`.
"""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from riskengine.errors import InputError
from riskengine.products.benefit import Peril, Unit
from riskengine.products.rate_book_edition import Edition
from riskengine.vocabulary import FloatArray

_DAYS = 365.25


@dataclass(frozen=True, eq=False)
class ReportedCost:
    """Cost known by now, currency a year, (n,)."""

    values: FloatArray


@dataclass(frozen=True, eq=False)
class UltimateCost:
    """Cost with all claims still to come, at the level of the experience, currency a year, (n,)."""

    values: FloatArray


@dataclass(frozen=True, eq=False)
class CoverCost:
    """Ultimate cost at the level of the mid-point of the cover, currency a year, (n,)."""

    values: FloatArray


def develop(cost: ReportedCost, completion_factor: FloatArray | float) -> UltimateCost:
    """Cost divided by the share of it that is known: the completion factor, above 0 up to 1.

    Raises `InputError` for a cost that is developed already and a factor out of range.

    >>> develop(ReportedCost(np.array([90.0])), 0.9).values.tolist()
    [100.0]
    """
    _check_type(cost, ReportedCost, "develop", "reported")
    share = np.asarray(completion_factor, dtype=np.float64)
    if not ((share > 0) & (share <= 1)).all():
        message = f"completion factors are from above 0 to 1, not {completion_factor}"
        raise InputError(message)
    return UltimateCost(cost.values / share)


def to_cover(cost: UltimateCost, trend_factor: float) -> CoverCost:
    """Cost at the level of the mid-point of the cover.

    Raises `InputError` for a cost that is trended already or not yet developed, and for a factor
    that is not above 0.

    >>> to_cover(UltimateCost(np.array([100.0])), 1.07).values.tolist()
    [107.0]
    """
    _check_type(cost, UltimateCost, "trend", "ultimate")
    if not (np.isfinite(trend_factor) and trend_factor > 0):
        message = f"a trend factor is a number above 0, not {trend_factor}"
        raise InputError(message)
    return CoverCost(cost.values * trend_factor)


def check_cover_cost(cost: CoverCost) -> None:
    """Raise `InputError` where `cost` has not been brought to the level of the cover."""
    _check_type(cost, CoverCost, "price", "trended")


def _check_type(cost: object, wanted: type, verb: str, state: str) -> None:
    if type(cost) is not wanted:
        message = (
            f"cannot {verb} {type(cost).__name__}: it must be {wanted.__name__}, a cost that is"
            f" {state}; development and trend apply once each, in that order"
        )
        raise InputError(message)


def trend_factor(edition: Edition, experience_middle: date, cover_middle: date) -> float:
    """Growth of cost from the middle of the experience to the middle of the cover.

    `((1 + cost trend) * (1 + utilisation trend)) ^ years`; what is left of a whole year counts in
    days of 1 / 365.25. Raises `InputError` for a cover before the experience.
    """
    a_year = (1 + edition.trend.cost.value) * (1 + edition.trend.utilisation.value)
    return float(a_year ** _years_between(experience_middle, cover_middle))


def peril_trends(
    edition: Edition, experience_middle: date, cover_middle: date
) -> dict[Peril, float]:
    """The trend factor of every peril, as `trend_factor` counts the years.

    Money grows by cost and utilisation. Days and events are counts: what is paid for each stands
    in the contract, so they grow by utilisation alone. Raises as `trend_factor`.
    """
    money = trend_factor(edition, experience_middle, cover_middle)
    years = _years_between(experience_middle, cover_middle)
    count = float((1 + edition.trend.utilisation.value) ** years)
    return {peril: money if peril.unit is Unit.CURRENCY else count for peril in Peril}


def _years_between(experience_middle: date, cover_middle: date) -> float:
    whole = cover_middle.year - experience_middle.year
    left = cover_middle - years_later(experience_middle, whole)
    years = whole + left.days / _DAYS
    if years < 0:
        message = (
            f"the cover's middle {cover_middle} is before the experience's {experience_middle}:"
            " swap them, or price with the edition of that time"
        )
        raise InputError(message)
    return years


def middle(first: date, last: date) -> date:
    """The middle day of a period, both ends included.

    >>> middle(date(2026, 1, 1), date(2026, 12, 31))
    datetime.date(2026, 7, 2)
    """
    return first + timedelta(days=((last - first).days + 1) // 2)


def years_later(day: date, years: int) -> date:
    """The same day so many years later; 29 February becomes 28 where there is none.

    >>> years_later(date(2024, 2, 29), 1)
    datetime.date(2025, 2, 28)
    """
    year = day.year + years
    return day.replace(year=year, day=min(day.day, calendar.monthrange(year, day.month)[1]))


def cover_end(edition: Edition, start: date, months: int) -> date:
    """The last day of a cover of so many months.

    Raises `InputError` for a length that the edition does not allow.
    """
    most = edition.most_months
    if not 1 <= months <= most.value:
        message = (
            f"a cover of {months} months is not sold: 1 to {most.value:g} are, by {most.reference}"
        )
        raise InputError(message)
    total = start.month - 1 + months
    year, month = start.year + total // 12, total % 12 + 1
    day = min(start.day, calendar.monthrange(year, month)[1])
    return date(year, month, day) - timedelta(days=1)
