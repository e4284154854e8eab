"""How good a ranking of products is: figures of hidden products, with intervals over customers.

Every row, one hidden product, weighs 1 over the number its customer owns. Equal probabilities count
as ranked before the hidden product.
"""

from dataclasses import dataclass

import numpy as np

from riskengine.risk.diagnostics.bootstrap import Interval, MemberDraws, interval_of
from riskengine.risk.diagnostics.levels import equal_exposure_bands
from riskengine.vocabulary import FloatArray, IntArray

BINS = 10
POPULAR = 3
"""The niche is every product but so many of the most popular."""
_LEAST = 1e-12
"""A lower probability of the hidden product counts as this in the log loss."""


@dataclass(frozen=True, eq=False)
class Asked:
    """Hidden products `place` (n,) of `products`, `weight` (n,), and `draws` of customers.

    `niche` (n,) says which products are outside the most popular ones.
    """

    place: IntArray
    weight: FloatArray
    products: int
    niche: FloatArray
    draws: MemberDraws

    def mean(self, values: FloatArray) -> Interval:
        """Weighted mean of `values` (n,)."""
        return self.draws.ratio(self.weight * values, self.weight)


@dataclass(frozen=True)
class Figures:
    """What one prediction came to.

    `log_loss` in nats; `hit_1` and `hit_3`, the share of hidden products among the first one and
    three; `mrr`, the mean reciprocal rank; `ndcg_5`, 1 / log2(1 + rank) within the first five;
    `macro_hit_3`, the mean over products; `niche_hit_3`, of products outside the three most
    popular; `calibration_error`, the mean distance, over tenths by the probability of the product
    ranked first, of that probability from how often it was the hidden one.
    """

    log_loss: Interval
    hit_1: Interval
    hit_3: Interval
    mrr: Interval
    ndcg_5: Interval
    macro_hit_3: Interval
    niche_hit_3: Interval
    calibration_error: Interval

    def figures(self) -> dict[str, Interval]:
        """All of them by name."""
        return dict(vars(self))


def ranks(chances: FloatArray, place: IntArray) -> IntArray:
    """The rank (n,) of each hidden product, 1 for the likeliest, behind those it is equal to.

    >>> ranks(np.array([[0.5, 0.25, 0.25]] * 2), np.array([0, 2])).tolist()
    [1, 3]
    """
    own = chances[np.arange(len(place)), place]
    found: IntArray = (chances >= own[:, None]).sum(axis=1)
    return found


def log_losses(chances: FloatArray, place: IntArray) -> FloatArray:
    """Minus the logarithm of the hidden product's probability (n,), in nats."""
    own = chances[np.arange(len(place)), place]
    found: FloatArray = -np.log(np.maximum(own, _LEAST))
    return found


def figures_of(chances: FloatArray, asked: Asked) -> Figures:
    """All figures of probabilities (n, products)."""
    rank = ranks(chances, asked.place)
    among = (rank <= 3).astype(np.float64)
    niche = asked.weight * asked.niche[asked.place]
    return Figures(
        log_loss=asked.mean(log_losses(chances, asked.place)),
        hit_1=asked.mean((rank <= 1).astype(np.float64)),
        hit_3=asked.mean(among),
        mrr=asked.mean(1.0 / rank),
        ndcg_5=asked.mean(np.where(rank <= 5, 1.0 / np.log2(1.0 + rank), 0.0)),
        macro_hit_3=_macro(among, asked),
        niche_hit_3=asked.draws.ratio(niche * among, niche),
        calibration_error=_calibration_error(chances, asked),
    )


def first_choice(chances: FloatArray, place: IntArray) -> tuple[FloatArray, FloatArray]:
    """The highest probability of each row (n,), and whether that product was the hidden one."""
    best = chances.argmax(axis=1)
    return chances.max(axis=1), (best == place).astype(np.float64)


def _macro(among: FloatArray, asked: Asked) -> Interval:
    """The mean over the products that were hidden at all, in the data and in each draw."""
    weight = asked.weight
    hits = asked.draws.totals(weight * among, asked.place, asked.products)
    there = asked.draws.totals(weight, asked.place, asked.products)
    own = np.bincount(asked.place, weight * among, asked.products)
    all_there = np.bincount(asked.place, weight, asked.products)
    with np.errstate(invalid="ignore"):
        drawn = np.nanmean(hits / there, axis=1)
    return interval_of(float(np.mean(own[all_there > 0] / all_there[all_there > 0])), drawn)


def _calibration_error(chances: FloatArray, asked: Asked) -> Interval:
    said, right = first_choice(chances, asked.place)
    _, band = np.unique(equal_exposure_bands(said, asked.weight, BINS), return_inverse=True)
    bands = int(band.max()) + 1
    gap = asked.weight * (said - right)
    total = float(asked.weight.sum())
    estimate = float(np.abs(np.bincount(band, gap, bands)).sum()) / total
    drawn = np.abs(asked.draws.totals(gap, band, bands)).sum(axis=1)
    weighed = asked.draws.totals(asked.weight, band, bands).sum(axis=1)
    return interval_of(estimate, drawn / weighed)
