import numpy as np
import pytest

from riskengine.errors import InputError
from riskengine.risk.diagnostics import (
    Interval,
    bootstrap_mean,
    bootstrap_ratio,
    bootstrap_rows,
    draw_members,
)


def test_bootstrap_draws_whole_members() -> None:
    member = np.repeat(np.arange(50), 10)
    level = np.repeat(np.random.default_rng(1).normal(0, 1, 50), 10)
    by_member = bootstrap_mean(level, np.ones(500), member, np.random.default_rng(2))
    by_row = bootstrap_mean(level, np.ones(500), np.arange(500), np.random.default_rng(2))
    assert by_member.mean == pytest.approx(level.mean())
    assert by_member.high - by_member.low > 2 * (by_row.high - by_row.low)


def test_draws_are_those_of_the_definition() -> None:
    """Each draw of a ratio is that of the rows repeated as often as their member was drawn."""
    rng = np.random.default_rng(3)
    member = rng.integers(0, 20, 100)
    above, below = rng.gamma(1, 1, 100), rng.gamma(2, 1, 100)
    draws = draw_members(member, rng, draws=40)
    ratios = []
    for counts in draws.counts:
        rows = np.repeat(np.arange(100), counts[draws.block].astype(int))
        ratios.append(above[rows].sum() / below[rows].sum())
    low, high = np.quantile(ratios, [0.025, 0.975])
    found = draws.ratio(above, below)
    assert (found.mean, found.low, found.high) == pytest.approx(
        (above.sum() / below.sum(), low, high), rel=1e-12
    )


def test_the_same_draws_serve_every_metric() -> None:
    rng = np.random.default_rng(3)
    values = rng.gamma(1, 1, 300)
    draws = draw_members(np.arange(300) // 2, rng)
    once, doubled = draws.ratio(values, np.ones(300)), draws.ratio(2 * values, np.ones(300))
    assert (doubled.low, doubled.high) == pytest.approx((2 * once.low, 2 * once.high))
    halves = np.arange(300) % 2
    parts = draws.ratios(values, np.ones(300), halves)
    assert parts[1].mean == pytest.approx(values[1::2].mean())
    both = draws.statistic(
        lambda t: t[..., 0] / t[..., 1] - t[..., 2] / t[..., 3],
        np.column_stack([values * halves, halves, values * (1 - halves), 1 - halves]),
    )
    assert both.mean == pytest.approx(values[1::2].mean() - values[::2].mean())
    assert both.low < both.mean < both.high


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    """200 books of 200 members with up to three correlated years each; true A/E is 1."""
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(200):
        member = np.repeat(np.arange(200), rng.integers(1, 4, 200))
        expected = rng.uniform(50, 150, len(member))
        own = rng.gamma(4, 1 / 4, 200)[member]
        actual = expected * own * rng.gamma(2, 1 / 2, len(member))
        found = bootstrap_ratio(actual, expected, member, rng)
        covered += found.low <= 1 <= found.high
    assert 0.90 <= covered / 200 <= 0.985


def test_blocks_of_members_are_as_wide_as_members() -> None:
    """30,000 members are drawn in 10,000 blocks: the interval is still 2 x 1.96 standard errors."""
    rng = np.random.default_rng(4)
    values = rng.gamma(1, 1, 30_000)
    draws = draw_members(np.arange(30_000), rng)
    assert draws.counts.shape == (500, 10_000)
    assert (np.bincount(draws.block) == 3).all()
    found = draws.ratio(values, np.ones(30_000))
    error = values.std() / np.sqrt(30_000)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.12)


def test_statistics_of_rows_agree_with_statistics_of_totals() -> None:
    rng = np.random.default_rng(5)
    values, member = rng.gamma(1, 1, 6000), np.arange(6000) // 3
    weights = rng.uniform(0.5, 1, 6000)

    def mean(rows: np.ndarray, counts: np.ndarray) -> float:
        return float(np.average(values[rows], weights=counts * weights[rows]))

    by_totals = bootstrap_mean(values, weights, member, np.random.default_rng(6))
    whole = bootstrap_rows(mean, member, np.random.default_rng(7))
    part = bootstrap_rows(mean, member, np.random.default_rng(7), most_rows=1500)
    width = by_totals.high - by_totals.low
    for found in (whole, part):
        assert found.mean == pytest.approx(by_totals.mean)
        assert found.high - found.low == pytest.approx(width, rel=0.25)
        assert found.low < found.mean < found.high


def test_draws_without_a_segment_do_not_count_there() -> None:
    draws = draw_members(np.array([0, 1]), np.random.default_rng(1))
    lone = draws.ratios(np.array([2.0, 3.0]), np.ones(2), np.array([0, 1]))
    assert lone == [Interval(2.0, 2.0, 2.0), Interval(3.0, 3.0, 3.0)]


def test_infinite_draws_stay_infinite() -> None:
    """One member of ten has all of the denominator: about a third of the draws lack it."""
    below = np.zeros(10)
    below[0] = 1.0
    found = draw_members(np.arange(10), np.random.default_rng(1)).ratio(np.ones(10), below)
    assert found.mean == 10
    assert np.isfinite(found.low)
    assert found.high == np.inf


def test_distance_of_an_interval_from_one() -> None:
    assert Interval(0.9, 0.8, 1.1).distance_from_one == 0
    assert Interval(0.5, 0.4, 0.7).distance_from_one == pytest.approx(0.3)


def test_what_cannot_be_drawn() -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(InputError, match="1 member cannot be drawn again"):
        bootstrap_rows(lambda rows, _: float(len(rows)), np.zeros(5), rng)
    with pytest.raises(InputError, match="columns need equal lengths above 0, got member 0"):
        draw_members(np.array([]), rng)
    with pytest.raises(InputError, match="columns need equal lengths"):
        draw_members(np.arange(3), rng).ratio(np.ones(2), np.ones(2))
