import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskengine.errors import InputError
from riskengine.risk.conformal import (
    ConformalTable,
    Side,
    coverage_by_decile,
    fit_conformal,
    wilson_interval,
)


def years(
    seed: int, members: int, most: int = 3
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Costs that spread the more the smaller the mean, up to `most` correlated years a member."""
    rng = np.random.default_rng(seed)
    member = np.repeat(np.arange(members), rng.integers(1, most + 1, members))
    expected = rng.uniform(50, 400, members)[member] * rng.uniform(0.9, 1.1, len(member))
    shape = expected / 200
    own = rng.gamma(2, 1 / 2, members)[member]
    actual = expected * own * rng.gamma(shape, 1 / shape) * (rng.random(len(member)) < 0.7) / 0.7
    return actual, expected, member, member % 5


@pytest.fixture(scope="module")
def table() -> ConformalTable:
    return fit_conformal(*years(1, 3000)[:3])


def test_order_statistics_by_hand() -> None:
    """19 members, one year each: 0.9 x 20 = 18th smallest; 0.96 x 20 > 19 has no bound."""
    score = np.random.default_rng(1).permutation(np.arange(1.0, 20.0)) / 10
    found = fit_conformal(2 * score, np.full(19, 2.0), np.arange(19), bands=1)
    two = np.array([2.0])
    assert found.upper_bound(two, 0.9) == pytest.approx(2 * 1.8)
    assert found.upper_bound(two, 0.95) == pytest.approx(2 * 1.9)
    assert found.upper_bound(two, 0.96) == np.inf
    assert found.members.tolist() == [19]


def test_both_tails_by_hand() -> None:
    """199 members: 0.05 x 200 = 10th and 0.95 x 200 = 190th smallest."""
    score = np.random.default_rng(1).permutation(np.arange(1.0, 200.0)) / 100
    found = fit_conformal(2 * score, np.full(199, 2.0), np.arange(199), bands=1)
    low, high = found.interval(np.array([2.0]), 0.9)
    assert (low[0], high[0]) == pytest.approx((2 * 0.1, 2 * 1.9))
    assert not found.from_zero[0]


def test_where_zero_is_common_the_interval_has_one_tail() -> None:
    score = np.concatenate([np.zeros(10), np.arange(11.0, 200.0)]) / 100
    found = fit_conformal(2 * score, np.full(199, 2.0), np.arange(199), bands=1)
    two = np.array([2.0])
    low, high = found.interval(two, 0.9)
    assert found.from_zero[0]
    assert (low[0], high[0]) == pytest.approx((0.0, 2 * 1.8))
    assert high == found.upper_bound(two, 0.9)


def test_members_count_not_rows() -> None:
    """Ten copies of every row are the same evidence as one."""
    actual, expected = np.arange(1.0, 20.0), np.full(19, 10.0)
    once = fit_conformal(actual, expected, np.arange(19), bands=1)
    copied = fit_conformal(
        np.repeat(actual, 10), np.repeat(expected, 10), np.repeat(np.arange(19), 10), bands=1
    )
    np.testing.assert_array_equal(once.upper, copied.upper)
    np.testing.assert_array_equal(once.lower, copied.lower)
    assert copied.members.tolist() == [19]
    as_rows = fit_conformal(np.repeat(actual, 10), np.repeat(expected, 10), np.arange(190), bands=1)
    assert np.isfinite(as_rows.upper).sum() > np.isfinite(once.upper).sum()


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_few_members_still_cover(coverage: float) -> None:
    """4,000 times 19 members and a new one: coverage is exact by theory for continuous costs."""
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(4000):
        actual = 100 * rng.lognormal(0, 1, 20)
        found = fit_conformal(actual[:19], np.full(19, 100.0), np.arange(19), bands=1)
        covered += actual[19] <= found.upper_bound(np.array([100.0]), coverage)[0]
    error = 3 * np.sqrt(coverage * (1 - coverage) / 4000)
    assert covered / 4000 == pytest.approx(coverage, abs=error)


@pytest.mark.parametrize("without_cost", [0.0, 0.01, 0.3])
def test_both_ends_cover_with_and_without_years_of_no_cost(without_cost: float) -> None:
    """2,000 times 199 members and 10 new ones; a share of zeros at the switch is the hard case."""
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(2000):
        actual = 100 * rng.lognormal(0, 1, 209) * (rng.random(209) >= without_cost)
        found = fit_conformal(actual[:199], np.full(199, 100.0), np.arange(199), bands=1)
        low, high = found.interval(np.full(10, 100.0), 0.9)
        covered += np.sum((low <= actual[199:]) & (actual[199:] <= high))
    assert covered / 20_000 == pytest.approx(
        0.9, abs=3 * np.sqrt(0.9 * 0.1 * (1 + 9 / 200) / 20_000)
    )


def test_several_years_of_one_member_still_cover() -> None:
    """Members with many years have their own level: rows as evidence would not cover."""
    rng = np.random.default_rng(3)
    covered = naive = 0
    for _ in range(2000):
        own = rng.lognormal(0, 1, 20)
        member = np.repeat(np.arange(20), np.append(rng.integers(1, 30, 19), 1))
        actual = 100 * own[member] * rng.lognormal(0, 0.1, len(member))
        seen, expected = member < 19, np.full(len(member), 100.0)
        new = np.array([100.0])
        found = fit_conformal(actual[seen], expected[seen], member[seen], bands=1)
        covered += actual[-1] <= found.upper_bound(new, 0.95)[0]
        rows = fit_conformal(actual[seen], expected[seen], np.arange(seen.sum()), bands=1)
        naive += actual[-1] <= rows.upper_bound(new, 0.95)[0]
    assert covered / 2000 >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 2000)
    assert naive < covered


@given(
    expected=st.floats(0.01, 1e5), shares=st.tuples(st.floats(0.01, 0.98), st.floats(0.01, 0.98))
)
def test_intervals_are_nested(
    table: ConformalTable, expected: float, shares: tuple[float, float]
) -> None:
    mean, (less, more) = np.array([expected]), sorted(shares)
    low, high = table.interval(mean, less)
    wider_low, wider_high = table.interval(mean, more)
    assert 0 <= wider_low[0] <= low[0] <= high[0] <= wider_high[0]
    assert table.upper_bound(mean, less)[0] <= table.upper_bound(mean, more)[0]


def test_shares_between_those_of_the_table_are_rounded_outwards(table: ConformalTable) -> None:
    mean = np.array([100.0])
    assert table.upper_bound(mean, 0.901) == table.upper_bound(mean, 0.91)
    for between, outer in ((0.899, 0.9), (0.951, 0.96)):
        assert table.interval(mean, between)[0] == table.interval(mean, outer)[0]
        assert table.interval(mean, between)[1] == table.interval(mean, outer)[1]
    exact = [round(float(c), 4) for c in (0.8, 0.9, 0.95, 0.98, 0.99)]
    for coverage in exact:
        assert np.any(np.isclose(table.shares, (1 + coverage) / 2, atol=1e-12)), coverage


def test_bands_part_at_their_edges(table: ConformalTable) -> None:
    assert len(table.edges) == 9
    edge = table.edges[4]
    below, above = table.upper_bound(np.array([np.nextafter(edge, 0), edge]), 0.9) / edge
    assert below == pytest.approx(table.upper[4][np.searchsorted(table.shares, 0.9 - 1e-9)])
    assert above == pytest.approx(table.upper[5][np.searchsorted(table.shares, 0.9 - 1e-9)])
    # The cheap vary more, in relation to their mean, than the dear.
    ratio = table.upper_bound(np.array([60.0, 390.0]), 0.95) / np.array([60.0, 390.0])
    assert ratio[0] > 1.2 * ratio[1]


def test_equal_means_make_one_band() -> None:
    actual, expected, member, _ = years(4, 200)
    found = fit_conformal(actual, np.full(len(expected), 7.0), member)
    assert found.edges.tolist() == []
    assert found.upper.shape == (1, len(found.shares))


def test_another_currency_changes_nothing_but_the_currency() -> None:
    actual, expected, member, _ = years(5, 500)
    one, eight = fit_conformal(actual, expected, member), fit_conformal(
        8 * actual, 8 * expected, member
    )  # fmt: skip
    mean = np.array([60.0, 200.0])
    np.testing.assert_allclose(
        eight.interval(8 * mean, 0.9), 8 * np.array(one.interval(mean, 0.9)), rtol=1e-12
    )


def test_json_keeps_every_bit(table: ConformalTable) -> None:
    small = fit_conformal(np.arange(1.0, 20.0), np.full(19, 7.0), np.arange(19))
    assert np.isinf(small.upper).any()
    for one in (table, small):
        again = ConformalTable.from_json(one.to_json())
        for name in ("edges", "shares", "lower", "upper", "members"):
            np.testing.assert_array_equal(getattr(again, name), getattr(one, name))
    assert "Infinity" not in small.to_json()
    with pytest.raises(InputError, match="not a conformal table"):
        ConformalTable.from_json('{"edges": []}')


@pytest.mark.parametrize("side", list(Side))
def test_coverage_by_decile_on_other_folds(side: Side) -> None:
    rows = coverage_by_decile(*years(6, 6000), 0.9, side)
    assert [row.decile for row in rows] == list(range(1, 11))
    assert [row.expected for row in rows] == sorted(row.expected for row in rows)
    assert sum(row.rows for row in rows) == len(years(6, 6000)[0])
    assert sum(row.covered.low <= 0.9 <= row.covered.high for row in rows) >= 8
    for row in rows:
        assert row.covered.mean == pytest.approx(0.9, abs=0.03)
        assert row.members <= row.rows
        assert row.unbounded == 0


def test_a_fold_never_calibrates_itself() -> None:
    """Fold 0 costs its mean, fold 1 three times that: calibrated on the other, one is covered."""
    fold = np.arange(400) % 2
    actual, expected = 2.0 + 4.0 * fold, np.full(400, 2.0)
    (row,) = coverage_by_decile(actual, expected, np.arange(400), fold, 0.9, Side.UPPER)
    assert row.covered.mean == 0.5


def test_without_bands_the_cheap_are_not_covered() -> None:
    """What the bands are for: one band covers 90 % of all, but not of each decile."""
    actual, expected, member, _ = years(7, 6000)
    flat = fit_conformal(actual, expected, member, bands=1)
    inside = actual <= flat.upper_bound(expected, 0.95)
    cheap = expected < np.quantile(expected, 0.1)
    assert inside.mean() == pytest.approx(0.95, abs=0.01)
    assert inside[cheap].mean() < 0.935


def test_few_members_say_that_they_have_no_bound() -> None:
    rows = coverage_by_decile(*years(8, 60, most=1), 0.9)
    assert all(row.unbounded == 1 for row in rows)
    assert all(row.covered.mean > 0.8 for row in rows)


def test_wilson_against_known_values() -> None:
    """Newcombe (1998), table I: 81 of 263, and 0 of 20."""
    found = wilson_interval(81 / 263, 263)
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    none = wilson_interval(0.0, 20)
    assert (none.low, none.high) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_what_has_no_interval(table: ConformalTable) -> None:
    actual, expected, member, _ = years(9, 50)
    with pytest.raises(InputError, match="a probability has no interval"):
        fit_conformal((actual > 0).astype(np.float64), np.full(len(actual), 0.5), member)
    with pytest.raises(InputError, match="a probability has no interval"):
        fit_conformal(actual, np.column_stack([expected, expected]), member)
    with pytest.raises(InputError, match="an annual cost is 0 or more"):
        fit_conformal(-actual - 1, expected, member)
    with pytest.raises(InputError, match="needs a mean above 0"):
        fit_conformal(actual, 0 * expected, member)
    for coverage in (0.0, 1.0, 0.9999):
        with pytest.raises(InputError, match=f"a coverage of {coverage} is not in the table"):
            table.interval(np.ones(1), coverage)
    for wrong in (0.0, np.nan):
        with pytest.raises(InputError, match="an interval needs a mean above 0"):
            table.interval(np.array([wrong]), 0.9)
    with pytest.raises(InputError, match="two or more in all"):
        coverage_by_decile(actual, expected, member, np.zeros(len(actual)), 0.9)
    with pytest.raises(InputError, match="it is in two folds"):
        coverage_by_decile(actual, expected, member, np.arange(len(actual)) % 2, 0.9)
