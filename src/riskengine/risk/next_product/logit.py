"""The multinomial logistic of the next product, over what is not owned.

Reference: McFadden (1974), conditional logit: a customer chooses among the products not yet owned,
so those owned have no probability in the likelihood either. A ridge, in expected events, holds
every effect back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import minimize

from riskengine.vocabulary import BoolArray, FloatArray, IntArray

RIDGE = 3.0
"""Of effects, in expected events."""
_RIDGE_OF_LEVEL = 0.1
_BLOCK = 4096
_ROUNDS = 25
NEVER = -1e9
"""The score of a product that is owned; its probability is 0 in floating point."""


@dataclass(frozen=True, eq=False)
class Logit:
    """`intercept` (products,), `slopes` of flags and ramps (width, products), `effects` of levels.

    `effects` has one array (levels + 1, products) a feature; the last row, of an unknown level, is
    0. A flag that is missing counts as its mean, `usual` (products,).
    """

    intercept: FloatArray
    slopes: FloatArray
    effects: tuple[FloatArray, ...]
    usual: FloatArray

    def score(self, flags: FloatArray, ramps: FloatArray, codes: IntArray) -> FloatArray:
        """The linear predictor (n, products)."""
        known = np.where(np.isnan(flags), self.usual, flags)
        # Not by BLAS, which adds in another order for a batch of one.
        rows = np.hstack([known, ramps])
        found: FloatArray = self.intercept + np.einsum("nw,wp->np", rows, self.slopes)
        for place, effect in enumerate(self.effects):
            found += effect[codes[:, place]]
        return found


@dataclass(frozen=True, eq=False)
class Choices:
    """Rows to learn from: what may be chosen (n, products), what was (n,), and its weight (n,)."""

    open: BoolArray
    place: IntArray
    weight: FloatArray

    def loss(self, score: FloatArray) -> tuple[float, FloatArray]:
        """Total loss of a linear predictor (n, products), and its slope (n, products)."""
        slope = np.where(self.open, score, NEVER)
        lost = 0.0
        for start in range(0, len(score), _BLOCK):  # what fits in the cache is done at once
            rows = slice(start, start + _BLOCK)
            part, place, weight = slope[rows], self.place[rows], self.weight[rows]
            own = np.arange(len(part)), place
            part -= part.max(axis=1, keepdims=True)
            chosen = part[own]
            np.exp(part, out=part)
            total = part.sum(axis=1)
            lost += float(weight @ (np.log(total) - chosen))
            part *= (weight / total)[:, None]
            part[own] -= weight
        return lost, slope


def probabilities(score: FloatArray, closed: BoolArray) -> FloatArray:
    """Softmax (n, products) over what is not `closed`; exactly 0 there, all 0 if nothing is open.

    >>> probabilities(np.zeros((2, 3)), np.array([[True, False, False], [True] * 3])).tolist()
    [[0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]
    """
    masked = np.where(closed, NEVER, score)
    found = np.exp(masked - masked.max(axis=1, keepdims=True))
    found[closed] = 0.0
    total = found.sum(axis=1, keepdims=True)
    result: FloatArray = found / np.where(total > 0, total, 1.0)
    return result


def fit_logit(
    flags: FloatArray,
    ramps: FloatArray,
    levels: sparse.csr_matrix,
    sizes: IntArray,
    choices: Choices,
    start: Logit | None = None,
) -> Logit:
    """Fit by L-BFGS on columns scaled to like curvature, from nothing or a `start`.

    `levels` (n, all levels) are indicators of features with `sizes` levels each.
    """
    usual = np.nansum(flags, axis=0) / np.maximum((~np.isnan(flags)).sum(axis=0), 1)
    known = np.where(np.isnan(flags), usual, flags)
    rows = sparse.hstack([known, ramps, levels], format="csr")
    columns = rows.T.tocsr()
    products = flags.shape[1]
    base = shares_of(choices, products)
    total = float(choices.weight.sum())
    # Centred, and in units of its own curvature, every effect is found in about as many steps.
    centre = (columns @ choices.weight)[:, None] / total
    spread = np.asarray(columns.multiply(columns) @ choices.weight)[:, None] - total * centre**2
    share = np.exp(base)
    scale = 1.0 / np.sqrt(np.maximum(spread, 0.0) * share * (1 - share) + RIDGE)
    first = 1.0 / np.sqrt(total * share * (1 - share) + _RIDGE_OF_LEVEL)

    def value(point: FloatArray) -> tuple[float, FloatArray]:
        told = point.reshape(-1, products)
        level, slopes = told[0] * first, told[1:] * scale
        lost, slope = choices.loss(rows @ slopes + (base + level - (centre * slopes).sum(axis=0)))
        lost += 0.5 * RIDGE * float(np.sum(slopes**2))
        lost += 0.5 * _RIDGE_OF_LEVEL * float(level @ level)
        by_level = slope.sum(axis=0)
        gradient = (columns @ slope - centre * by_level + RIDGE * slopes) * scale
        of_level = (by_level + _RIDGE_OF_LEVEL * level) * first
        return lost / total, np.concatenate([of_level, gradient.ravel()]) / total

    found = minimize(
        value,
        _point(start, base, centre, first, scale),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _ROUNDS, "maxcor": 12, "ftol": 1e-7, "gtol": 1e-7},
    ).x.reshape(-1, products)
    slopes = found[1:] * scale
    level = base + found[0] * first - (centre * slopes).sum(axis=0)
    width = products + ramps.shape[1]
    ends = width + np.cumsum(sizes)
    effects = tuple(
        np.vstack([slopes[end - size : end], np.zeros(products)])
        for end, size in zip(ends, sizes, strict=True)
    )
    return Logit(level, slopes[:width], effects, usual)


def mean_logit(logits: Sequence[Logit]) -> Logit:
    """The mean of logistics of one design."""
    tables = zip(*(one.effects for one in logits), strict=True)
    return Logit(
        np.mean([one.intercept for one in logits], axis=0),
        np.mean([one.slopes for one in logits], axis=0),
        tuple(np.mean(same, axis=0) for same in tables),
        np.mean([one.usual for one in logits], axis=0),
    )


def _point(
    start: Logit | None, base: FloatArray, centre: FloatArray, first: FloatArray, scale: FloatArray
) -> FloatArray:
    """Where the search begins: levels and effects in units of `first` and `scale`, flattened."""
    if start is None:
        return np.zeros((len(scale) + 1) * len(base))
    slopes = np.vstack([start.slopes, *(effect[:-1] for effect in start.effects)])
    level = start.intercept - base + (centre * slopes).sum(axis=0)
    return np.concatenate([level / first, (slopes / scale).ravel()])


def shares_of(choices: Choices, products: int) -> FloatArray:
    """Logarithm of how often each product was chosen, half an event added to each, (products,)."""
    counts = np.bincount(choices.place, choices.weight, products) + 0.5
    found: FloatArray = np.log(counts / counts.sum())
    return found
