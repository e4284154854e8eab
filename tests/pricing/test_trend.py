from collections.abc import Callable
from datetime import date

import numpy as np
import pytest

from riskengine.errors import InputError
from riskengine.pricing.offered import edition_loadings, technical_premium
from riskengine.pricing.trend import (
    CoverCost,
    ReportedCost,
    UltimateCost,
    cover_end,
    develop,
    middle,
    to_cover,
    trend_factor,
)
from tests.pricing.rate_books import CN, US

COST = np.array([90.0])


def test_cost_is_developed_once_and_trended_once() -> None:
    cost = to_cover(develop(ReportedCost(COST), 0.9), 1.07)
    assert cost.values == pytest.approx([107.0])
    technical_premium(cost, 0.0, edition_loadings(CN, 1.07))


@pytest.mark.parametrize(
    ("twice", "message"),
    [
        (lambda: develop(UltimateCost(COST), 0.9), "cannot develop UltimateCost"),
        (lambda: develop(CoverCost(COST), 0.9), "cannot develop CoverCost"),
        (lambda: to_cover(CoverCost(COST), 1.07), "cannot trend CoverCost"),
        (lambda: to_cover(ReportedCost(COST), 1.07), "cannot trend ReportedCost"),
        (
            lambda: technical_premium(UltimateCost(COST), 0.0, edition_loadings(CN, 1.07)),
            "cannot price UltimateCost: it must be CoverCost",
        ),
        (
            lambda: technical_premium(COST, 0.0, edition_loadings(CN, 1.07)),
            "cannot price ndarray",
        ),
        (lambda: develop(ReportedCost(COST), 0.0), "from above 0 to 1, not 0.0"),
        (lambda: develop(ReportedCost(COST), 1.1), "from above 0 to 1, not 1.1"),
        (lambda: to_cover(UltimateCost(COST), np.nan), "a number above 0, not nan"),
    ],
)
def test_twice_too_early_or_not_at_all_is_refused(
    twice: Callable[[], object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        twice()


def test_trend_runs_from_middle_to_middle() -> None:
    experience = middle(date(2024, 1, 1), date(2024, 12, 31))
    start = date(2026, 1, 1)
    cover = middle(start, cover_end(US, start, 12))
    assert (experience, cover) == (date(2024, 7, 2), date(2026, 7, 2))
    assert trend_factor(US, experience, cover) == pytest.approx((1.05 * 1.02) ** 2, rel=1e-12)
    later = middle(date(2026, 7, 1), cover_end(US, date(2026, 7, 1), 12))
    assert later == date(2026, 12, 30)
    half = trend_factor(US, cover, later)
    assert half == pytest.approx((1.05 * 1.02) ** (181 / 365.25), rel=1e-12)
    assert trend_factor(US, cover, cover) == 1.0
    with pytest.raises(InputError, match="is before the experience's 2026-07-02"):
        trend_factor(US, cover, experience)


def test_a_cover_lasts_as_long_as_the_edition_allows() -> None:
    assert cover_end(CN, date(2026, 1, 31), 1) == date(2026, 2, 27)
    assert cover_end(CN, date(2026, 3, 1), 12) == date(2027, 2, 28)
    with pytest.raises(InputError, match="a cover of 13 months is not sold: 1 to 12 are"):
        cover_end(CN, date(2026, 3, 1), 13)
