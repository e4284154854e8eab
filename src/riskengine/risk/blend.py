"""How large a share each learner has in the prediction, chosen out-of-fold and shrunk to the mean.

The shares minimise the loss of held-out rows; what they gain there over the mean, set against what
chance alone would gain, decides how far they are believed. So where there is nothing to learn, the
mean is what is left. References: Wolpert (1992), stacked generalisation; James and Stein (1961).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logsumexp, softmax

from riskengine.risk.trees import Objective
from riskengine.vocabulary import FloatArray

MOST_SHARE = 1.25
"""Of one learner: trees stop early and so say a little less than they know."""
LEAST_SHARE = 0.02
CHANCE = 2.0
"""What chance gains: about the number of shares, in units of half the deviance's dispersion."""
_FAR = 30.0


@dataclass(frozen=True, eq=False)
class Blend:
    """`intercept` (classes,) and `shares` (learners,) of their linear predictors."""

    intercept: FloatArray
    shares: FloatArray

    def score(self, scores: FloatArray) -> FloatArray:
        """Blended linear predictor (n, classes) of `scores` (learners, n, classes)."""
        found: FloatArray = self.intercept + np.tensordot(self.shares, scores, axes=1)
        return found


def loss_and_slope(
    objective: Objective, outcome: FloatArray, score: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Loss (n,) up to a constant of the data, half the unit deviance, and its slope (n, classes).

    `outcome` (n,) is 0 or 1 for `binary` and the number of the class for `multiclass`; `score` is
    the linear predictor (n, classes).
    """
    if objective.name == "multiclass":
        rows = np.arange(len(outcome))
        own = outcome.astype(np.int64)
        slope = softmax(score, axis=1)
        slope[rows, own] -= 1.0
        return logsumexp(score, axis=1) - score[rows, own], slope
    eta = np.clip(score[:, 0], -_FAR, _FAR)
    loss, slope = _SINGLE[objective.name](outcome, eta, objective.power)
    return loss, slope[:, None]


def _poisson(y: FloatArray, eta: FloatArray, _power: float) -> tuple[FloatArray, FloatArray]:
    mean = np.exp(eta)
    return mean - y * eta, mean - y


def _gamma(y: FloatArray, eta: FloatArray, _power: float) -> tuple[FloatArray, FloatArray]:
    ratio = y * np.exp(-eta)
    return ratio + eta, 1 - ratio


def _tweedie(y: FloatArray, eta: FloatArray, power: float) -> tuple[FloatArray, FloatArray]:
    above, below = np.exp((2 - power) * eta), y * np.exp((1 - power) * eta)
    return above / (2 - power) - below / (1 - power), above - below


def _binary(y: FloatArray, eta: FloatArray, _power: float) -> tuple[FloatArray, FloatArray]:
    return np.logaddexp(0.0, eta) - y * eta, expit(eta) - y


_SINGLE: dict[str, Callable[[FloatArray, FloatArray, float], tuple[FloatArray, FloatArray]]] = {
    "poisson": _poisson,
    "gamma": _gamma,
    "tweedie": _tweedie,
    "binary": _binary,
}


def mean_loss(
    objective: Objective, outcome: FloatArray, weight: FloatArray, score: FloatArray
) -> float:
    """Weighted mean of the loss."""
    return float(np.average(loss_and_slope(objective, outcome, score)[0], weights=weight))


def fit_blend(
    objective: Objective, outcome: FloatArray, weight: FloatArray, scores: FloatArray
) -> Blend:
    """Shares and intercept for held-out linear predictors `scores` (learners, n, classes)."""
    learners, classes = len(scores), scores.shape[2]
    centre = np.average(scores, axis=1, weights=weight)
    centred = scores - centre[:, None, :]
    start = null_intercept(objective, outcome, weight)

    def value(point: FloatArray) -> tuple[float, FloatArray]:
        score = point[:classes] + np.tensordot(point[classes:], centred, axes=1)
        loss, slope = loss_and_slope(objective, outcome, score)
        by_row = slope * weight[:, None] / weight.sum()
        gradient = np.concatenate([by_row.sum(axis=0), np.einsum("lnc,nc->l", centred, by_row)])
        return float(np.average(loss, weights=weight)), gradient

    found = minimize(
        value,
        np.concatenate([start, np.full(learners, 0.9 / max(learners, 1))]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None)] * classes + [(0.0, MOST_SHARE)] * learners,
        options={"maxiter": 200, "ftol": 1e-12, "gtol": 1e-9},
    ).x
    shares = np.where(found[classes:] < LEAST_SHARE, 0.0, found[classes:])
    shares *= _belief(objective, (outcome, weight), start, found[:classes], centred, shares)
    score = np.tensordot(shares, centred, axes=1)
    intercept = _level(objective, outcome, weight, score, found[:classes])
    return Blend(intercept - np.tensordot(shares, centre, axes=1), shares)


def null_intercept(objective: Objective, outcome: FloatArray, weight: FloatArray) -> FloatArray:
    """The linear predictor of the mean, (classes,)."""
    if objective.name == "multiclass":
        counts = np.bincount(outcome.astype(np.int64), weight, objective.classes)
        return np.asarray(np.log((counts + 0.5) / (counts + 0.5).sum()))
    mean = float(np.average(outcome, weights=weight))
    return np.array([np.log(mean / (1 - mean)) if objective.name == "binary" else np.log(mean)])


def _belief(
    objective: Objective,
    data: tuple[FloatArray, FloatArray],
    null: FloatArray,
    intercept: FloatArray,
    centred: FloatArray,
    shares: FloatArray,
) -> float:
    """`max(0, 1 - chance / gain)`: the gain is the fall of the deviance in units of dispersion."""
    outcome, weight = data
    flat = np.broadcast_to(null, centred.shape[1:])
    blended = intercept + np.tensordot(shares, centred, axes=1)
    loss_flat, _ = loss_and_slope(objective, outcome, flat)
    loss_blended, _ = loss_and_slope(objective, outcome, blended)
    gain = float(np.sum(weight * (loss_flat - loss_blended)))
    if gain <= 0:
        return 0.0
    dispersion = _dispersion(objective, outcome, weight)
    return max(0.0, 1 - CHANCE * dispersion / (2 * gain))


def _dispersion(objective: Objective, outcome: FloatArray, weight: FloatArray) -> float:
    """Pearson's, at the mean: the mean over rows of weight (y - m)^2 / V(m)."""
    if objective.name in {"binary", "multiclass"}:
        return float(np.average(weight))
    mean = float(np.average(outcome, weights=weight))
    power = {"poisson": 1.0, "gamma": 2.0}.get(objective.name, objective.power)
    return float(np.mean(weight * (outcome - mean) ** 2) / mean**power)


def _level(
    objective: Objective,
    outcome: FloatArray,
    weight: FloatArray,
    score: FloatArray,
    start: FloatArray,
) -> FloatArray:
    """The intercept of least loss for fixed shares."""

    def value(point: FloatArray) -> tuple[float, FloatArray]:
        loss, slope = loss_and_slope(objective, outcome, point + score)
        return (
            float(np.average(loss, weights=weight)),
            np.average(slope, axis=0, weights=weight),
        )

    found: FloatArray = minimize(value, start, jac=True, method="L-BFGS-B").x
    return found
