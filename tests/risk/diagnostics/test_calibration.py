import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskengine.errors import InputError
from riskengine.risk.diagnostics import (
    actual_expected_table,
    actual_over_expected,
    actual_over_expected_by_period,
    balance,
    draw_members,
    equal_exposure_bands,
    predictive_ratios_by_condition,
    predictive_ratios_by_decile,
)
from riskengine.risk.diagnostics.levels import levels_of

RNG = np.random.default_rng(5)
SIZE = 600
ACTUAL = RNG.gamma(0.5, 200, SIZE)
EXPECTED = RNG.gamma(2, 50, SIZE)
EXPOSURE = RNG.uniform(0.2, 1, SIZE)
DRAWS = draw_members(np.arange(SIZE) // 2, np.random.default_rng(6))
AGE = RNG.uniform(0, 90, SIZE)
SEX = np.where(RNG.random(SIZE) < 0.5, "female", "male")
ROWS = ACTUAL, EXPECTED, EXPOSURE


def test_balance_of_the_book() -> None:
    found = balance(*ROWS, DRAWS)
    assert found.actual == pytest.approx(np.sum(EXPOSURE * ACTUAL))
    ratio = found.actual_over_expected
    assert ratio.mean == pytest.approx(actual_over_expected(*ROWS))
    assert ratio.low < ratio.mean < ratio.high
    assert found.bias.mean == pytest.approx(np.average(EXPECTED - ACTUAL, weights=EXPOSURE))
    mended = balance(ACTUAL, ratio.mean * EXPECTED, EXPOSURE, DRAWS)
    assert mended.actual_over_expected.mean == pytest.approx(1)
    assert mended.bias.mean == pytest.approx(0, abs=1e-9)
    assert mended.holds
    assert not balance(ACTUAL, 10 * EXPECTED, EXPOSURE, DRAWS).holds


def test_one_way_table_by_hand() -> None:
    rows = actual_expected_table(
        np.array([1.0, 5.0, 2.0]),
        np.array([2.0, 2.0, 4.0]),
        np.array([3.0, 1.0, 1.0]),
        np.array(["b", "b", "a"]),
        draw_members(np.arange(3), np.random.default_rng(1)),
    )
    assert [row.levels for row in rows] == [("a",), ("b",)]
    assert [row.exposure for row in rows] == [1.0, 4.0]
    assert [row.actual for row in rows] == [2.0, 2.0]
    assert [row.expected for row in rows] == [4.0, 2.0]
    assert [row.ratio.mean for row in rows] == [0.5, 1.0]


def test_a_table_holds_all_exposure_and_all_cost() -> None:
    for by in (AGE, SEX, [AGE, SEX], [SEX, np.round(AGE, -1)]):
        rows = actual_expected_table(*ROWS, by, DRAWS)
        assert sum(row.exposure for row in rows) == pytest.approx(EXPOSURE.sum())
        for name, column in (("actual", ACTUAL), ("expected", EXPECTED)):
            total = sum(row.exposure * getattr(row, name) for row in rows)
            assert total == pytest.approx(np.sum(EXPOSURE * column))
        assert all(row.ratio.low <= row.ratio.mean <= row.ratio.high for row in rows)


def test_two_way_is_one_way_within_one_way() -> None:
    inside = SEX == "male"
    both = actual_expected_table(*ROWS, [SEX, np.floor(AGE / 30)], DRAWS)
    male = actual_expected_table(
        *(column[inside] for column in ROWS),
        np.floor(AGE / 30)[inside],
        draw_members(np.arange(inside.sum()), np.random.default_rng(1)),
    )
    assert [row.levels[1] for row in both if row.levels[0] == "male"] == ["0", "1", "2"]
    assert [row.ratio.mean for row in both if row.levels[0] == "male"] == pytest.approx(
        [row.ratio.mean for row in male]
    )


def test_numbers_are_banded_by_equal_exposure_and_missing_ones_apart() -> None:
    age = AGE.copy()
    age[:60] = np.nan
    rows = actual_expected_table(*ROWS, age, DRAWS, bands=5)
    assert [row.levels[0] for row in rows][-1] == "missing"
    assert rows[-1].exposure == pytest.approx(EXPOSURE[:60].sum())
    share = EXPOSURE[60:].sum() / 5
    assert [row.exposure for row in rows[:-1]] == pytest.approx([share] * 5, rel=0.03)
    ends = [float(end) for row in rows[:-1] for end in row.levels[0].split(" to ")]
    assert sorted(ends) == ends


@given(st.lists(st.sampled_from([0.0, 1.0, 2.5, np.nan]), min_size=1, max_size=30))
def test_few_numbers_are_levels_as_they_are(values: list[float]) -> None:
    column = np.array(values)
    found = levels_of(column, np.ones(len(column)), 3)
    known = sorted({f"{v:g}" for v in values if v == v})
    assert list(found.names) == known + ["missing"] * bool(np.isnan(column).any())
    assert [found.names[code] for code in found.code] == [
        "missing" if np.isnan(v) else f"{v:g}" for v in values
    ]


def test_objects_with_none_and_mixed_kinds_have_levels() -> None:
    mixed = np.array([True, None, "yes", 3], dtype=object)
    assert levels_of(mixed, np.ones(4), 10).names == ("3", "True", "yes", "missing")


def test_periods_come_in_order_and_are_never_banded() -> None:
    month = np.arange(SIZE) % 24
    rows = actual_over_expected_by_period(*ROWS, month, DRAWS)
    assert [row.levels[0] for row in rows] == [str(n) for n in range(24)]
    inside = month == 7
    assert rows[7].ratio.mean == pytest.approx(
        actual_over_expected(ACTUAL[inside], EXPECTED[inside], EXPOSURE[inside])
    )


def test_predictive_ratio_is_the_inverse_of_actual_over_expected() -> None:
    rows = predictive_ratios_by_decile(*ROWS, DRAWS)
    band = equal_exposure_bands(EXPECTED, EXPOSURE, 10)
    assert [row.levels[0] for row in rows] == [str(n) for n in range(1, 11)]
    for place, row in enumerate(rows):
        inside = band == place
        ratio = actual_over_expected(ACTUAL[inside], EXPECTED[inside], EXPOSURE[inside])
        assert row.ratio.mean == pytest.approx(1 / ratio)
    mean = np.full(SIZE, np.average(ACTUAL, weights=EXPOSURE))
    (flat,) = predictive_ratios_by_decile(ACTUAL, mean, EXPOSURE, DRAWS)
    assert flat.ratio.mean == pytest.approx(1)


def test_conditions_may_overlap() -> None:
    rows = predictive_ratios_by_condition(
        np.array([1.0, 2.0, 1.0]),
        np.array([1.0, 1.0, 2.0]),
        np.ones(3),
        {
            "diabetes": np.array([True, True, False]),
            "asthma": np.array([False, True, True]),
            "nobody": np.zeros(3, dtype=bool),
        },
        draw_members(np.arange(3), np.random.default_rng(1)),
    )
    found = {row.levels[0]: row.ratio.mean for row in rows}
    assert found == pytest.approx({"diabetes": 2 / 3, "asthma": 1.0})


def test_a_decile_without_cost_is_overpaid_without_limit() -> None:
    draws = draw_members(np.arange(2), np.random.default_rng(1))
    low, _ = predictive_ratios_by_decile(
        np.array([0.0, 1.0]), np.array([1.0, 2.0]), np.ones(2), draws, count=2
    )
    assert (low.ratio.mean, low.ratio.low, low.ratio.high) == (np.inf, np.inf, np.inf)


def test_what_makes_no_table() -> None:
    with pytest.raises(InputError, match="3 factors to break down by"):
        actual_expected_table(*ROWS, [SEX, SEX, SEX], DRAWS)
    with pytest.raises(InputError, match="factor 1 599"):
        actual_expected_table(*ROWS, SEX[1:], DRAWS)
    with pytest.raises(InputError, match="no condition given"):
        predictive_ratios_by_condition(*ROWS, {}, DRAWS)
