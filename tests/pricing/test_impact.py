"""Dislocation, reasons, bounds, loss ratio and volume, on books small enough to check by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskengine.errors import InputError
from riskengine.pricing.impact import (
    RateChange,
    TwoPrices,
    by_segment,
    contributions,
    main_reasons,
    reason_counts,
    totals_at,
)


def book() -> TwoPrices:
    """Three policies: the base rate rises by 10 %, age by 1.2 for the second, area halves for the
    third, which alone has a minimum premium in the new price."""
    ones = np.ones(3)
    return TwoPrices(
        np.array(["a", "a", "b"], dtype=object),
        np.array([100.0, 100.0, 200.0]),
        np.array([110.0, 132.0, 121.0]),
        np.array([80.0, 100.0, 90.0]),
        {"base_rate": 100 * np.array([1.0, 1.0, 2.0]), "age": ones, "rating_area": ones},
        {
            "base_rate": 110 * np.array([1.0, 1.0, 2.0]),
            "age": np.array([1.0, 1.2, 1.0]),
            "rating_area": np.array([1.0, 1.0, 0.5]),
            "minimum_premium": np.array([1.0, 1.0, 1.1]),
        },
    )


def test_contributions_add_up_to_the_logarithm_of_the_change() -> None:
    prices = book()
    total = np.sum(list(contributions(prices).values()), axis=0)
    np.testing.assert_allclose(total, np.log(prices.new / prices.old), rtol=1e-12)


def test_reasons_are_the_largest_steps_in_the_direction_of_the_change() -> None:
    assert main_reasons(book()).tolist() == [
        ["base_rate", None, None],
        ["age", "base_rate", None],
        ["rating_area", None, None],
    ]


def test_reasons_are_counted_by_direction() -> None:
    counted = reason_counts(book()).set_index(["direction", "reason"])
    assert counted["policies"].to_dict() == {
        ("fall", "rating_area"): 1,
        ("rise", "age"): 1,
        ("rise", "base_rate"): 1,
    }
    assert counted.loc[("fall", "rating_area"), "premium"] == pytest.approx(-79)


def test_segments_have_totals_change_and_loss_ratio() -> None:
    prices = book()
    table = by_segment(prices, prices.new, {"plan": prices.plan}).set_index("level")
    assert table["policies"].tolist() == [2, 1]
    assert table.loc["a", "change"] == pytest.approx(0.21)
    assert table.loc["a", "loss_ratio"] == pytest.approx(180 / 242)
    assert table["rising"].tolist() == [1.0, 0.0]
    assert table["falling"].tolist() == [0.0, 1.0]


def test_a_missing_level_is_a_segment_of_its_own() -> None:
    prices = book()
    table = by_segment(prices, prices.new, {"sex": np.array(["f", None, "f"], dtype=object)})
    assert table["level"].tolist() == ["f", "missing"]


def test_loss_ratio_and_volume_at_a_stated_elasticity() -> None:
    old, new, expected = np.array([100.0]), np.array([144.0]), np.array([90.0])
    kept, left = totals_at(new, expected, old, 0.0), totals_at(new, expected, old, -0.5)
    assert kept.volume == 1
    assert kept.loss_ratio == pytest.approx(0.625)
    assert left.volume == pytest.approx(1 / 1.2)
    assert left.premium == pytest.approx(120)
    assert left.loss_ratio == pytest.approx(0.625)


@given(st.floats(0, 2), st.floats(0, 0.99), st.lists(st.floats(1, 1e5), min_size=2, max_size=2))
def test_no_bounded_premium_moves_further_than_allowed(
    cap: float, collar: float, premiums: list[float]
) -> None:
    old, new = np.array(premiums[:1]), np.array(premiums[1:])
    bounded = RateChange(cap, collar).bound(old, new)
    assert old * (1 - collar) * (1 - 1e-12) <= bounded <= old * (1 + cap) * (1 + 1e-12)
    assert min(old, new) <= bounded <= max(old, new) or bounded == pytest.approx(new)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match=r"elasticity=0.3: give 0 or a negative number"):
        totals_at(np.ones(1), np.ones(1), np.ones(1), 0.3)
    with pytest.raises(InputError, match="collar=1"):
        RateChange(collar=1.0)
    with pytest.raises(InputError, match="the old premium of row 0 is 0"):
        TwoPrices(np.array(["a"]), np.zeros(1), np.ones(1), np.ones(1), {}, {})
