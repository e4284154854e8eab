import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.special import expit, softmax

from riskengine.risk.blend import (
    MOST_SHARE,
    fit_blend,
    loss_and_slope,
    mean_loss,
    null_intercept,
)
from riskengine.risk.trees import Objective

ROWS = 4000
SINGLE = (
    Objective("poisson"),
    Objective("gamma"),
    Objective("tweedie", 1.5),
    Objective("binary"),
)
CLASSES = Objective("multiclass", classes=3)
EVERY = (*SINGLE, CLASSES)


def drawn(objective: Objective, score: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Outcomes of a linear predictor (n, classes)."""
    if objective.name == "multiclass":
        chance = np.cumsum(softmax(score, axis=1), axis=1)
        return (rng.random(len(score))[:, None] > chance[:, :-1]).sum(axis=1).astype(float)
    eta = score[:, 0]
    if objective.name == "binary":
        return (rng.random(len(eta)) < expit(eta)).astype(float)
    if objective.name == "gamma":
        return np.exp(eta) * rng.gamma(2, 0.5, len(eta))
    return rng.poisson(np.exp(eta)).astype(float)


def scores(objective: Objective, rng: np.random.Generator, learners: int = 1) -> np.ndarray:
    return 0.5 * rng.normal(size=(learners, ROWS, objective.classes))


def mean_prediction(objective: Objective, score: np.ndarray) -> np.ndarray:
    if objective.name == "multiclass":
        return softmax(score, axis=1).mean(axis=0)
    eta = score[:, 0]
    return np.array([(expit(eta) if objective.name == "binary" else np.exp(eta)).mean()])


@pytest.mark.parametrize("objective", EVERY, ids=lambda one: one.name)
def test_the_slope_is_that_of_the_loss(objective: Objective) -> None:
    rng = np.random.default_rng(0)
    score = scores(objective, rng)[0][:3]
    told = np.maximum(drawn(objective, score, rng), 0.0)
    for row in range(3):

        def value(point: np.ndarray, own: np.ndarray = told[row : row + 1]) -> float:
            return float(loss_and_slope(objective, own, point[None, :])[0][0])

        def slope(point: np.ndarray, own: np.ndarray = told[row : row + 1]) -> np.ndarray:
            return loss_and_slope(objective, own, point[None, :])[1][0]

        assert check_grad(value, slope, score[row]) < 1e-5


@pytest.mark.parametrize("objective", EVERY, ids=lambda one: one.name)
def test_a_true_learner_has_a_share_near_one(objective: Objective) -> None:
    rng = np.random.default_rng(1)
    truth = scores(objective, rng)
    blend = fit_blend(objective, drawn(objective, truth[0], rng), np.ones(ROWS), truth)
    assert blend.shares[0] == pytest.approx(1.0, abs=0.12)
    assert blend.intercept.shape == (objective.classes,)


@pytest.mark.parametrize("objective", EVERY, ids=lambda one: one.name)
def test_pure_noise_leaves_the_mean(objective: Objective) -> None:
    shares = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        noise = scores(objective, rng, learners=2)
        told = drawn(objective, np.zeros((ROWS, objective.classes)), rng)
        weight = rng.uniform(0.5, 1, ROWS)
        blend = fit_blend(objective, told, weight, noise)
        shares.append(blend.shares.max())
    assert np.median(shares) < 0.01, "most seeds leave nothing but the mean"
    assert np.max(shares) < 0.12
    flat = fit_blend(objective, told, weight, np.zeros_like(noise))
    level = null_intercept(objective, told, weight)
    np.testing.assert_allclose(
        flat.intercept - flat.intercept.mean() * (objective.classes > 1),
        level - level.mean() * (objective.classes > 1),
        atol=1e-3,
    )


@pytest.mark.parametrize("objective", EVERY, ids=lambda one: one.name)
def test_the_better_learner_has_the_greater_share(objective: Objective) -> None:
    rng = np.random.default_rng(2)
    truth = scores(objective, rng)[0]
    poor = 0.3 * truth + scores(objective, rng)[0]
    both = np.stack([poor, truth])
    told = drawn(objective, truth, rng)
    blend = fit_blend(objective, told, np.ones(ROWS), both)
    assert blend.shares[1] > 0.8
    assert blend.shares[0] < 0.15
    mean = np.tile(null_intercept(objective, told, np.ones(ROWS)), (ROWS, 1))
    losses = [
        mean_loss(objective, told, np.ones(ROWS), score) for score in (blend.score(both), mean)
    ]
    assert losses[0] < losses[1]


@pytest.mark.parametrize("objective", EVERY, ids=lambda one: one.name)
def test_a_blend_is_balanced(objective: Objective) -> None:
    """With a canonical link the mean prediction is the mean outcome; others come close."""
    rng = np.random.default_rng(3)
    truth = scores(objective, rng)
    told = drawn(objective, truth[0], rng)
    found = mean_prediction(
        objective, fit_blend(objective, told, np.ones(ROWS), truth).score(truth)
    )
    if objective.name == "multiclass":
        np.testing.assert_allclose(found, np.bincount(told.astype(int)) / ROWS, atol=1e-3)
    else:
        wanted = told.mean()
        assert found[0] == pytest.approx(wanted, rel=0.02 if objective in SINGLE[1:3] else 1e-3)


def test_shares_are_bounded_and_a_wrong_learner_has_none() -> None:
    rng = np.random.default_rng(4)
    truth = scores(Objective("poisson"), rng)
    told = drawn(Objective("poisson"), truth[0], rng)
    faint = fit_blend(Objective("poisson"), told, np.ones(ROWS), 0.1 * truth)
    assert faint.shares[0] <= MOST_SHARE
    against = fit_blend(Objective("poisson"), told, np.ones(ROWS), -truth)
    assert against.shares.tolist() == [0.0]


def test_where_a_learner_is_centred_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    truth = scores(Objective("poisson"), rng)
    told = drawn(Objective("poisson"), truth[0], rng)
    first, second = (
        fit_blend(Objective("poisson"), told, np.ones(ROWS), moved)
        for moved in (truth, truth + 40.0)
    )
    np.testing.assert_allclose(first.score(truth), second.score(truth + 40.0), atol=1e-5)


def test_null_intercepts() -> None:
    ones = np.ones(4)
    assert null_intercept(Objective("poisson"), np.array([1.0, 3.0, 2.0, 2.0]), ones).tolist() == [
        pytest.approx(np.log(2))
    ]
    told = np.array([0.0, 0.0, 0.0, 1.0])
    assert null_intercept(Objective("binary"), told, ones)[0] == pytest.approx(np.log(1 / 3))
    classes = null_intercept(CLASSES, np.array([0.0, 0.0, 1.0, 1.0]), ones)
    assert np.exp(classes).sum() == pytest.approx(1)
    assert classes[2] < classes[0] == classes[1]
