import numpy as np
import pytest

from riskengine.risk.credibility import (
    Encoding,
    Experience,
    credibility_constant,
    credible_relativity,
    fit_encoding,
)

LEVELS, FOLDS, ROWS = 6, 3, 600


def experience(seed: int = 0, spread: float = 1.0) -> tuple[np.ndarray, Experience]:
    """Levels whose true means differ by `spread`, and folds; each model sees all but one."""
    rng = np.random.default_rng(seed)
    level = rng.integers(0, LEVELS, ROWS)
    truth = np.exp(spread * np.linspace(-0.5, 0.5, LEVELS))
    outcome = rng.poisson(2 * truth[level]).astype(float)
    fold = rng.integers(0, FOLDS, ROWS)
    return level, Experience(outcome, np.ones(ROWS), fold, ~np.eye(FOLDS, dtype=bool))


@pytest.mark.parametrize("fold", range(FOLDS))
def test_no_row_is_encoded_by_the_outcomes_of_its_own_fold(fold: int) -> None:
    level, data = experience()
    inside = data.part == fold
    outcome = np.where(inside, 7.0 * data.outcome[::-1], data.outcome)
    moved = Experience(outcome, data.weight, data.part, data.may_see)
    (_, before), (_, after) = fit_encoding(level, LEVELS, data), fit_encoding(level, LEVELS, moved)
    np.testing.assert_array_equal(before[:, inside], after[:, inside])
    sees = (fold + 1) % FOLDS
    others = ~inside & data.may_see[sees][data.part]
    assert np.abs(before - after)[sees, others].max() > 0.05, "the others do learn from it"


def test_a_model_is_blind_to_the_fold_it_may_not_see() -> None:
    level, data = experience()
    outcome = np.where(data.part == 2, 1000.0, data.outcome)
    moved = Experience(outcome, data.weight, data.part, data.may_see)
    (served, seen), (served_moved, seen_moved) = (
        fit_encoding(level, LEVELS, one) for one in (data, moved)
    )
    np.testing.assert_array_equal(served[2], served_moved[2])
    np.testing.assert_array_equal(seen[2], seen_moved[2])
    assert np.abs(served[0] - served_moved[0]).max() > 0.01


def test_an_outcome_of_one_row_does_not_reach_its_own_encoding() -> None:
    """A level with one row: whatever happened to it, it is encoded as the collective."""
    level, data = experience()
    level[0] = LEVELS
    for happened in (0.0, 50.0):
        outcome = data.outcome.copy()
        outcome[0] = happened
        _, seen = fit_encoding(
            level, LEVELS + 1, Experience(outcome, data.weight, data.part, data.may_see)
        )
        own = seen[:, 0, 0][data.may_see[:, data.part[0]]]
        np.testing.assert_allclose(own, 0.0, atol=1e-12)


def test_a_level_never_seen_has_the_collective_mean() -> None:
    level, data = experience()
    served, _ = fit_encoding(level, LEVELS, data)
    assert served.shape == (FOLDS, LEVELS + 1, 2)
    np.testing.assert_array_equal(served[:, -1], 0.0)


def test_true_relativities_are_recovered() -> None:
    level, data = experience(spread=2.0)
    served, _ = fit_encoding(level, LEVELS, data)
    truth = np.linspace(-1, 1, LEVELS)
    truth -= np.log(np.average(np.exp(truth), weights=np.bincount(level)))
    np.testing.assert_allclose(served[:, :-1, 0].mean(axis=0), truth, atol=0.2)


def test_levels_that_do_not_differ_are_not_believed() -> None:
    shares = []
    for seed in range(20):
        level, data = experience(seed, spread=0.0)
        served, _ = fit_encoding(level, LEVELS, data)
        shares.append(np.abs(served[:, :, 0]).max())
    assert np.median(shares) < 0.05
    assert credibility_constant(np.ones(4), np.ones(4), np.array([0, 0, 1, 1]), 2) == np.inf
    assert credibility_constant(np.arange(3.0), np.ones(3), np.arange(3), 3) == np.inf


def test_limits_of_credibility() -> None:
    cost, weight = np.array([30.0]), np.array([10.0])
    assert credible_relativity(cost, weight, 1.0, np.inf)[0] == 0.0
    assert credible_relativity(cost, weight, 1.0, 0.0)[0] == pytest.approx(np.log(3))
    assert credible_relativity(cost, weight, 1.0, 10.0)[0] == pytest.approx(np.log(2))
    nothing = credible_relativity(np.zeros(1), np.zeros(1), 1.0, 5.0)
    assert nothing[0] == pytest.approx(0.0), "no weight, no credibility"
    assert np.isfinite(credible_relativity(np.zeros(1), np.array([1e9]), 1.0, 1.0)[0])


def test_rows_without_weight_say_nothing() -> None:
    level, data = experience()
    weight = data.weight.copy()
    weight[:50] = 0.0
    loud = np.where(weight == 0, 1e6, data.outcome)
    quiet = np.where(weight == 0, 0.0, data.outcome)
    (first, _), (second, _) = (
        fit_encoding(level, LEVELS, Experience(one, weight, data.part, data.may_see))
        for one in (loud, quiet)
    )
    np.testing.assert_array_equal(first, second)


def test_name_of_a_cross() -> None:
    assert Encoding(("region", "town"), (), np.zeros((1, 1, 2))).name == "region x town"
