import numpy as np
import pytest

from riskengine.risk.glm import (
    Coefficients,
    Penalty,
    Ramps,
    factor_tables,
    fit_glm,
    fit_ramps,
)
from riskengine.risk.trees import Objective, Sample

ROWS = 2000
OBJECTIVES = (
    Objective("poisson"),
    Objective("gamma"),
    Objective("tweedie", 1.5),
    Objective("binary"),
    Objective("multiclass", classes=3),
)


def matrix(seed: int = 0) -> np.ndarray:
    """A number, a number with holes, a constant, and codes of three levels with holes."""
    rng = np.random.default_rng(seed)
    found = np.column_stack(
        [
            rng.normal(size=ROWS),
            rng.exponential(size=ROWS),
            np.full(ROWS, 4.0),
            rng.integers(0, 3, ROWS).astype(float),
        ]
    )
    found[rng.random(ROWS) < 0.1, 1] = np.nan
    found[rng.random(ROWS) < 0.1, 3] = np.nan
    return found


def outcome(objective: Objective, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mean = np.exp(0.5 * matrix()[:, 0])
    if objective.name == "gamma":
        return mean * rng.gamma(2, 0.5, ROWS)
    if objective.name == "binary":
        return (rng.random(ROWS) < mean / (1 + mean)).astype(float)
    if objective.name == "multiclass":
        return np.where(rng.random(ROWS) < mean / (1 + mean), 2, rng.integers(0, 2, ROWS)) * 1.0
    return rng.poisson(mean).astype(float)


def ramps() -> Ramps:
    return fit_ramps(matrix(), {3: 3}, 4)


def fitted(objective: Objective, events: float = 3.0, sign: float = 0.0) -> Coefficients:
    expanded = ramps().expand(matrix())
    signs = np.zeros(expanded.shape[1])
    signs[: ramps().size(0)] = sign
    sample = Sample(expanded, outcome(objective), np.ones(ROWS))
    return fit_glm(objective, sample, Penalty(events, 1.0), signs)


def test_ramps_have_a_column_for_each_segment_level_and_hole() -> None:
    found = ramps()
    assert [found.size(place) for place in range(4)] == [7, 8, 0, 4]
    assert found.starts() == {0: 0, 1: 7, 2: 15, 3: 15}
    assert found.width == 19
    expanded = found.expand(matrix())
    assert expanded.shape == (ROWS, 19)
    assert expanded.min() == 0.0
    assert expanded.max() == 1.0
    absent = np.isnan(matrix()[:, 3])
    np.testing.assert_array_equal(expanded[absent, 18], 1.0)
    np.testing.assert_array_equal(expanded[absent, 15:18], 0.0)
    np.testing.assert_array_equal(expanded[:, 15:19].sum(axis=1), 1.0)


def test_ramps_are_flat_outside_their_knots() -> None:
    found = ramps()
    far = np.array([[-1e9, 1e9, 4.0, 0.0], [-1e12, 1e12, 9.0, 0.0]])
    expanded = found.expand(far)
    np.testing.assert_array_equal(expanded[0], expanded[1])
    np.testing.assert_array_equal(expanded[0, :7], 0.0)
    np.testing.assert_array_equal(expanded[0, 7:14], 1.0)


def test_a_rare_number_still_has_a_ramp_and_many_columns_fewer_segments() -> None:
    rare = np.zeros((1000, 1))
    rare[0] = 5.0
    found = fit_ramps(rare, {}, 1)
    assert found.knots[0].tolist() == [0.0, 5.0]
    wide = fit_ramps(np.random.default_rng(0).normal(size=(100, 200)), {}, 200)
    assert wide.width == 200


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda one: one.name)
def test_tables_add_up_to_the_linear_predictor(objective: Objective) -> None:
    coefficients = fitted(objective)
    tables = factor_tables(ramps(), coefficients)
    values = np.vstack([matrix(), [[-99, 99, 4, 2], [np.nan] * 4]])
    values[-1, [0, 2]] = 0.0
    told = sum(table.score(values[:, place]) for place, table in enumerate(tables))
    linear = (coefficients.intercept + told).reshape(len(values), -1)
    expected = coefficients.score(ramps().expand(values)).reshape(len(values), -1)
    np.testing.assert_allclose(linear, expected, atol=1e-12)
    one = sum(t.score(values[5:6, place]) for place, t in enumerate(tables))
    np.testing.assert_array_equal(one[0], told[5], "a row alone is the same row")


@pytest.mark.parametrize("objective", OBJECTIVES[:4], ids=lambda one: one.name)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_signs_are_kept(objective: Objective, sign: float) -> None:
    slopes = fitted(objective, sign=sign).slopes[: ramps().size(0), 0]
    assert (sign * slopes).min() >= 0.0
    if sign < 0:
        np.testing.assert_allclose(slopes, 0.0, atol=1e-9)
    else:
        assert slopes.sum() > 1.0, "the true slope is upward"


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda one: one.name)
def test_a_heavy_penalty_leaves_the_mean(objective: Objective) -> None:
    found = fitted(objective, events=1e9)
    assert np.abs(found.slopes).max() < 1e-4
    told = outcome(objective)
    if objective.name == "multiclass":
        odds = np.exp(found.intercept - found.intercept[0])
        shares = np.bincount(told.astype(int)) / ROWS
        np.testing.assert_allclose(odds / odds.sum(), shares, atol=0.005)
    else:
        mean = told.mean()
        level = np.log(mean / (1 - mean)) if objective.name == "binary" else np.log(mean)
        assert found.intercept[0] == pytest.approx(level, abs=1e-3)


def test_penalties_count_events() -> None:
    """Twice the data, twice the weight of the data against the same number of events."""
    objective = Objective("poisson")
    expanded, told = ramps().expand(matrix()), outcome(objective)
    signs = np.zeros(expanded.shape[1])
    twice = Sample(np.vstack([expanded] * 2), np.tile(told, 2), np.ones(2 * ROWS))
    heavy = fit_glm(objective, Sample(expanded, told, 2 * np.ones(ROWS)), Penalty(30, 1.0), signs)
    np.testing.assert_allclose(
        fit_glm(objective, twice, Penalty(30, 1.0), signs).slopes, heavy.slopes, atol=1e-4
    )
    norms = [np.linalg.norm(fitted(objective, events).slopes) for events in (300.0, 30.0, 3.0)]
    assert norms == sorted(norms)


def test_the_true_relation_is_recovered() -> None:
    found = fitted(Objective("poisson"), events=0.3)
    table = factor_tables(ramps(), found)[0]
    low, high = table.score(np.array([-1.0, 1.0]))[:, 0]
    assert high - low == pytest.approx(1.0, abs=0.15)


def test_a_class_without_rows_is_next_to_impossible() -> None:
    objective = Objective("multiclass", classes=3)
    expanded = ramps().expand(matrix())
    two = Sample(expanded, (outcome(objective) > 1) * 2.0, np.ones(ROWS))
    score = fit_glm(objective, two, Penalty(3, 1.0), np.zeros(19)).score(expanded)
    chance = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    assert chance[:, 1].max() < 1e-6
    assert chance[:, 2].mean() == pytest.approx(two.outcome.mean() / 2, abs=0.005)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda one: one.name)
def test_equal_input_gives_equal_bits(objective: Objective) -> None:
    found = {fitted(objective).slopes.tobytes() for _ in range(6)}
    assert len(found) == 1
