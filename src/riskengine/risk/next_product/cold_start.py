"""Who owns what, from what is known of a person alone: for visitors of whom no basket is known.

One yes-or-no model a product, all in one booster, so that one visitor costs one call: every round
grows one tree for each product on the slope of its log loss. Products whose flag is missing do not
count in that row.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from scipy.special import expit

from riskengine.vocabulary import FloatArray, IntArray

_PARAMETERS: dict[str, object] = {
    "objective": "none",
    "learning_rate": 0.15,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "min_sum_hessian_in_leaf": 2.0,
    "lambda_l2": 3.0,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "cat_smooth": 20.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
_ROUNDS, _STEP, _PATIENCE = 200, 10, 10


@dataclass(frozen=True, eq=False)
class Owners:
    """What may be learnt: `matrix` (n, features) for trees, `flags` (n, products) 1, 0 or NaN."""

    matrix: FloatArray
    flags: FloatArray
    categorical: Sequence[int]

    def rows(self, places: IntArray) -> "Owners":
        return Owners(self.matrix[places], self.flags[places], self.categorical)


def prevalence(flags: FloatArray) -> FloatArray:
    """Logarithm of the odds that each product is owned (products,), half an owner added."""
    known = ~np.isnan(flags)
    owners = np.nansum(flags, axis=0) + 0.5
    found: FloatArray = np.log(owners / (known.sum(axis=0) + 1.0 - owners))
    return found


def log_loss(score: FloatArray, flags: FloatArray) -> FloatArray:
    """Log loss of each flag (n, products) by its score; NaN where the flag is."""
    found: FloatArray = np.logaddexp(0.0, score) - flags * score
    return found


def held_out_owners(owners: Owners, fold: IntArray, seed: int) -> tuple[FloatArray, int]:
    """Scores (n, products) by boosters that did not see the customer, and their common rounds."""
    folds = np.unique(fold)
    parts = [(np.flatnonzero(fold != held), np.flatnonzero(fold == held)) for held in folds]
    growing = [_Growing(owners.rows(a), owners.rows(b), seed) for a, b in parts]
    losses: list[float] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        while len(losses) < _ROUNDS:
            grown = list(pool.map(_Growing.grow, growing))
            losses += np.mean(np.array(grown), axis=0).tolist()
            if len(losses) - 1 - int(np.argmin(losses)) >= _PATIENCE:
                break
    rounds = int(np.argmin(losses)) + 1
    found = np.empty(owners.flags.shape)
    for (_, test), one in zip(parts, growing, strict=True):
        found[test] = one.held_out_score(rounds)
    return found, rounds


def fit_owners(owners: Owners, rounds: int, seed: int) -> lgb.Booster:
    """The booster that serves, of all customers; add `prevalence` to its raw score."""
    booster, slope = _booster(owners, seed)
    for _ in range(rounds):
        booster.update(fobj=slope)
    return lgb.Booster(model_str=booster.model_to_string(num_iteration=rounds))


class _Growing:
    """One booster and its held-out customers."""

    def __init__(self, train: Owners, test: Owners, seed: int) -> None:
        self.booster, self.slope = _booster(train, seed)
        self.start = prevalence(train.flags)
        self.test = test
        self.score = np.tile(self.start, (len(test.flags), 1))

    def grow(self) -> list[float]:
        """The held-out loss after each of the next rounds."""
        self.booster.reset_parameter({"verbosity": -1})  # LightGBM keeps its log level by thread
        losses = []
        for _ in range(_STEP):
            self.booster.update(fobj=self.slope)
            self.score += self.booster.predict(
                self.test.matrix,
                start_iteration=self.booster.current_iteration() - 1,
                num_iteration=1,
                raw_score=True,
                num_threads=1,
            )
            losses.append(float(np.nanmean(log_loss(self.score, self.test.flags))))
        return losses

    def held_out_score(self, rounds: int) -> FloatArray:
        raw = self.booster.predict(
            self.test.matrix, num_iteration=rounds, raw_score=True, num_threads=1
        )
        found: FloatArray = self.start + raw
        return found


def _booster(owners: Owners, seed: int) -> tuple[lgb.Booster, object]:
    products = owners.flags.shape[1]
    settings = {**_PARAMETERS, "num_class": products, "seed": seed}
    data = lgb.Dataset(
        owners.matrix,
        np.zeros(len(owners.matrix)),
        feature_name=[f"f{place}" for place in range(owners.matrix.shape[1])],
        categorical_feature=list(owners.categorical),
        params=settings,
    ).construct()
    start, known = prevalence(owners.flags), ~np.isnan(owners.flags)
    wanted = np.nan_to_num(owners.flags)

    def slope(raw: FloatArray, _: lgb.Dataset) -> tuple[FloatArray, FloatArray]:
        chance = expit(raw.reshape(len(wanted), products) + start)
        return (chance - wanted) * known, chance * (1 - chance) * known

    return lgb.Booster(settings, data), slope
