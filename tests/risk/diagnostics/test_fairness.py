import numpy as np
import pytest

from riskengine.errors import InputError
from riskengine.risk.diagnostics import (
    actual_over_expected,
    calibration_by_group,
    decision_parity,
    draw_members,
    mean_by_group,
    proxy_strength,
)

RNG = np.random.default_rng(5)
SIZE = 900
SEX = np.where(RNG.random(SIZE) < 0.4, "female", "male")
EXPECTED = RNG.gamma(2, 50, SIZE) * np.where(SEX == "male", 0.5, 1.0)
ACTUAL = EXPECTED * RNG.gamma(0.5, 2, SIZE)
EXPOSURE = RNG.uniform(0.2, 1, SIZE)


def test_calibration_within_each_group() -> None:
    draws = draw_members(np.arange(SIZE), np.random.default_rng(1))
    rows = calibration_by_group(ACTUAL, EXPECTED, EXPOSURE, SEX, draws)
    assert [row.levels[0] for row in rows] == ["female", "male"]
    for row in rows:
        inside = row.levels[0] == SEX
        ratio = actual_over_expected(ACTUAL[inside], EXPECTED[inside], EXPOSURE[inside])
        assert row.ratio.mean == pytest.approx(ratio)
        assert row.ratio.low < 1 < row.ratio.high


def test_means_by_group_are_weighted() -> None:
    found = mean_by_group(EXPECTED, EXPOSURE, SEX)
    overall = np.average(EXPECTED, weights=EXPOSURE)
    for name in ("female", "male"):
        inside = name == SEX
        mean = np.average(EXPECTED[inside], weights=EXPOSURE[inside])
        assert found.means[name] == pytest.approx(mean)
        assert found.relative[name] == pytest.approx(mean / overall)
    assert found.least_over_greatest == pytest.approx(found.means["male"] / found.means["female"])
    assert found.least_over_greatest == pytest.approx(0.5, rel=0.15)


def test_groups_without_exposure_and_missing_groups() -> None:
    group = np.array(["a", "b", None, "c"], dtype=object)
    found = mean_by_group(np.array([1.0, 2.0, 4.0, 9.0]), np.array([1.0, 1.0, 1.0, 0.0]), group)
    assert found.means == {"a": 1.0, "b": 2.0, "missing": 4.0}
    assert found.least_over_greatest == 0.25


def test_parity_of_decisions_by_hand() -> None:
    """Of 4 women 1 is accepted, of 4 men 2; with the outcome 1/2 and 2/2, without 0/2 and 0/2."""
    group = np.repeat(np.array(["female", "male"]), 4)
    actual = np.array([1.0, 1.0, 0.0, 0.0] * 2)
    decision = np.array([True, False, False, False, True, True, False, False])
    found = decision_parity(actual, decision, np.ones(8), group)
    assert found.demographic == 0.5
    assert found.equalised_odds == 0.5
    doubled = decision_parity(
        actual, decision, np.repeat([3.0, 1.0, 1.0, 1.0], [1, 3, 1, 3]), group
    )
    # Weighted: 3/6 of women, 2/4 of men.
    assert doubled.demographic == pytest.approx(1)


def test_proxy_strength_tells_a_proxy_from_noise() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(SIZE, 3))
    member = np.arange(SIZE)
    nothing = proxy_strength(noise, SEX, member, np.random.default_rng(1))
    assert set(nothing.by_group) == {"female", "male"}
    assert nothing.greatest == pytest.approx(0.5, abs=0.07)
    given_away = np.column_stack([noise, (SEX == "male") + 0.3 * rng.normal(size=SIZE)])
    found = proxy_strength(given_away, SEX, member, np.random.default_rng(1))
    assert found.greatest > 0.95
    again = proxy_strength(given_away, SEX, member, np.random.default_rng(1))
    assert again.by_group == found.by_group


def test_proxy_strength_never_learns_from_the_member_itself() -> None:
    """Ten rows of one member share a number that names the member and nothing else."""
    rng = np.random.default_rng(4)
    member = np.repeat(np.arange(200), 10)
    sex = np.where(rng.random(200) < 0.5, "female", "male")[member]
    own = rng.normal(size=200)[member][:, None]
    by_member = proxy_strength(own, sex, member, np.random.default_rng(1))
    by_row = proxy_strength(own, sex, np.arange(2000), np.random.default_rng(1))
    assert by_member.greatest < 0.65
    assert by_row.greatest > 0.8


def test_what_has_no_groups() -> None:
    ones = np.ones(3)
    with pytest.raises(InputError, match="one group only, 'x'"):
        mean_by_group(ones, ones, np.array(["x", "x", "x"]))
    with pytest.raises(InputError, match="needs outcomes of 0 or 1"):
        decision_parity(2 * ones, ones > 0, ones, np.array(["x", "x", "y"]))
    with pytest.raises(InputError, match="3 members are too few"):
        proxy_strength(
            np.ones((3, 1)), np.array(["x", "x", "y"]), np.arange(3), np.random.default_rng(1)
        )
