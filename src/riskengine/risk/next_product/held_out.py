"""Models of each fold, and what they say of the customers they did not see.

Folds are by customer, as a customer's other rows tell the hidden product. All folds' trees grow in
step and stop at one round.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from riskengine.risk.next_product.book import Book
from riskengine.risk.next_product.cold_start import held_out_owners
from riskengine.risk.next_product.logit import Logit, probabilities
from riskengine.risk.next_product.shares import Pool, held_out_pool
from riskengine.risk.next_product.thin import FULL_CREDIBILITY, fit_thin
from riskengine.risk.trees import Forest, Growth, Objective, grow, raw_scores
from riskengine.vocabulary import FloatArray, IntArray

_ROUNDS = 150
_PATIENCE = 10
_SETTINGS: dict[str, object] = {
    "learning_rate": 0.1,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "min_sum_hessian_in_leaf": 1.0,
    "lambda_l2": 2.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "cat_smooth": 20.0,
}
"""For tens of thousands of rows and tens of products: small trees, since each has one product."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What the fold models say of rows they did not see, and what was chosen by it.

    `scores` are those of the logistic and of the trees on it (rows, products); `chances` are the
    probabilities of their pool, which did not choose its shares on the row either. `owners`
    (customers, products) is the cold start's score. `full` credibility is a number of owners;
    `rounds` are of the trees and the cold start.
    """

    book: Book
    logits: list[Logit]
    scores: tuple[FloatArray, FloatArray]
    chances: FloatArray
    owners: FloatArray
    pool: Pool
    full: int
    rounds: tuple[int, int]


def hold_out(book: Book) -> HeldOut:
    """Fit every fold's models without its customers."""
    parts = _all_parts(book)
    logits = _logits(book, parts)
    forest = _grown(book, parts, logits)
    scores = _scores(book, parts, logits, forest)
    everything = np.arange(len(book.hidden.place))
    pool, pooled = held_out_pool(scores, book.choices(everything), book.fold_of_rows)
    owners, rounds = held_out_owners(book.owners, book.fold, book.spec.lightgbm.seed)
    chances = probabilities(pooled, book.hidden.flags == 1)
    shrunk = {full: _shrunk(book, parts, chances, full) for full in FULL_CREDIBILITY}
    full = min(FULL_CREDIBILITY, key=lambda one: _loss(book, shrunk[one]))
    return HeldOut(book, logits, scores, shrunk[full], owners, pool, full, (forest.rounds, rounds))


def held_out_logistic(book: Book) -> FloatArray:
    """The logistic's score (rows, products) of rows that it did not learn from, without trees."""
    parts = _all_parts(book)
    found = np.empty((len(book.hidden.place), book.products))
    for (_, test), logit in zip(parts, _logits(book, parts), strict=True):
        found[test] = book.logit_score(logit, test, book.hidden.flags[test])
    return found


def tree_parameters(book: Book, seed: int) -> dict[str, object]:
    """LightGBM's settings: the spec's, and ours where it gives none."""
    objective = Objective("multiclass", classes=book.products)
    return {**_SETTINGS, **book.spec.lightgbm.given, **objective.parameters, "seed": seed}


def _all_parts(book: Book) -> list[tuple[IntArray, IntArray]]:
    return [_parts(book, fold) for fold in range(int(book.fold.max()) + 1)]


def _logits(book: Book, parts: list[tuple[IntArray, IntArray]]) -> list[Logit]:
    with ThreadPoolExecutor(max_workers=2) as workers, threadpool_limits(1):
        return list(workers.map(lambda part: book.logit(part[0]), parts))


def _parts(book: Book, fold: int) -> tuple[IntArray, IntArray]:
    held = book.fold_of_rows == fold
    return np.flatnonzero(~held), np.flatnonzero(held)


def _grown(book: Book, parts: list[tuple[IntArray, IntArray]], logits: list[Logit]) -> Forest:
    settings = book.spec.lightgbm
    seed = settings.seed
    samples = (
        (book.sample(train, logit, seed + place), book.sample(test, logit))
        for place, ((train, test), logit) in enumerate(zip(parts, logits, strict=True))
    )
    growth = Growth(min(settings.rounds, _ROUNDS), min(settings.early_stopping_rounds, _PATIENCE))
    return grow(tree_parameters(book, seed), samples, book.layout, growth)


def _scores(
    book: Book, parts: list[tuple[IntArray, IntArray]], logits: list[Logit], forest: Forest
) -> tuple[FloatArray, FloatArray]:
    shape = len(book.hidden.place), book.products
    linear, trees = np.empty(shape), np.empty(shape)
    tests = [test for _, test in parts]
    matrices = [book.matrix(test, book.hidden.flags[test]) for test in tests]
    for test, logit, raw in zip(tests, logits, raw_scores(forest.boosters, matrices), strict=True):
        linear[test] = book.logit_score(logit, test, book.hidden.flags[test])
        trees[test] = raw.reshape(len(test), book.products)
    return linear, trees


def _shrunk(
    book: Book, parts: list[tuple[IntArray, IntArray]], chances: FloatArray, full: int
) -> FloatArray:
    """The probabilities with thin products shrunk by what their fold did not see."""
    found = np.empty_like(chances)
    for fold, (_, test) in enumerate(parts):
        seen = book.fold != fold
        thin = fit_thin(book.flags[seen], book.codes[seen], book.sizes, full)
        codes = book.codes[book.hidden.customer[test]]
        found[test] = thin.shrink(chances[test], book.hidden.flags[test] == 1, codes)
    return found


def _loss(book: Book, chances: FloatArray) -> float:
    own = chances[np.arange(len(chances)), book.hidden.place]
    return -float(book.hidden.weight @ np.log(np.maximum(own, 1e-300)))
