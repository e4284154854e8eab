"""The learners' shares in the next product's score, and its calibration, chosen out-of-fold.

The score is the sum of the learners' scores, each times its share: a logarithmic pool (Genest and
Zidek, 1986) whose shares need not add up to 1, so that their sum is the temperature that
calibrates it (Guo et al., 2017). A level for each product (vector scaling) is added where it lowers
the loss of rows that did not choose it.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from riskengine.risk.next_product.logit import Choices
from riskengine.vocabulary import FloatArray, IntArray

MOST_SHARE = 1.5
_RIDGE_OF_LEVEL = 5.0
_LEAST_GAIN = 1e-4
"""In nats a customer: levels that lower the loss by less are left out."""


@dataclass(frozen=True, eq=False)
class Pool:
    """`shares` (learners,) and `levels` (products,) of a logarithmic pool."""

    shares: FloatArray
    levels: FloatArray

    def score(self, scores: Sequence[FloatArray]) -> FloatArray:
        """The pooled linear predictor (n, products) of the learners' own."""
        found: FloatArray = self.levels + self.shares[0] * scores[0]
        for share, one in zip(self.shares[1:], scores[1:], strict=True):
            found += share * one
        return found


def fit_pool(
    scores: Sequence[FloatArray],
    choices: Choices,
    with_levels: bool = False,
    start: Pool | None = None,
) -> Pool:
    """Shares from 0 to `MOST_SHARE` of least loss, with levels under a ridge where asked for.

    The search begins at `start` where that is given; the loss is convex.
    """
    products = scores[0].shape[1]
    learners, total = len(scores), float(choices.weight.sum())

    def value(point: FloatArray) -> tuple[float, FloatArray]:
        pool = Pool(point[:learners], point[learners:] if with_levels else np.zeros(products))
        lost, slope = choices.loss(pool.score(scores))
        lost += 0.5 * _RIDGE_OF_LEVEL * float(pool.levels @ pool.levels)
        of_shares = [float(np.vdot(slope, one)) for one in scores]
        of_levels = slope.sum(axis=0) + _RIDGE_OF_LEVEL * pool.levels
        gradient = np.concatenate([of_shares, of_levels if with_levels else []])
        return lost / total, gradient / total

    first = Pool(np.full(learners, 0.9), np.zeros(products)) if start is None else start
    found = minimize(
        value,
        np.concatenate([first.shares, first.levels[: products * with_levels]]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, MOST_SHARE)] * learners + [(None, None)] * (products * with_levels),
        options={"maxiter": 40, "ftol": 1e-7 if start is None else 1e-6},
    ).x
    return Pool(found[:learners], found[learners:] if with_levels else np.zeros(products))


def held_out_pool(
    scores: Sequence[FloatArray], choices: Choices, fold: IntArray
) -> tuple[Pool, FloatArray]:
    """The pool that serves, and each row's pooled score (n, products) by pools of other folds.

    `scores` are held out. Levels are kept if they pay on rows that did not choose them.
    """
    found = []
    for with_levels in (False, True):
        pool = fit_pool(scores, choices, with_levels)
        crossed = _crossed(scores, choices, fold, pool)
        found.append((pool, crossed, choices.loss(crossed)[0] / float(choices.weight.sum())))
    (plain, crossed, loss), (levelled, crossed_too, lower) = found
    return (levelled, crossed_too) if loss - lower > _LEAST_GAIN else (plain, crossed)


def _crossed(
    scores: Sequence[FloatArray], choices: Choices, fold: IntArray, pool: Pool
) -> FloatArray:
    """The pooled score of each fold by a pool like `pool` of the other folds."""
    found = np.empty_like(scores[0])

    def fill(held: int) -> None:
        inside, outside = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        seen = Choices(choices.open[inside], choices.place[inside], choices.weight[inside])
        own = fit_pool([one[inside] for one in scores], seen, bool(pool.levels.any()), pool)
        found[outside] = own.score([one[outside] for one in scores])

    with ThreadPoolExecutor(max_workers=2) as workers:
        list(workers.map(fill, np.unique(fold).tolist()))
    return found
