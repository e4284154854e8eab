"""The yardsticks of a model of the next product, learnt from the same customers as each fold was.

Popularity; item-item cosine (Sarwar et al., 2001); EASE (Steck, 2019); the multinomial logistic on
owned products and features; alternating least squares (Hu, Koren and Volinsky, 2008) where the
extra `evaluation` is installed and it is asked for. The scores that are no probabilities become
some by the pool that serves them best, with popularity beside them: that flatters them.
"""

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from riskengine.risk.next_product.book import Book
from riskengine.risk.next_product.logit import probabilities, shares_of
from riskengine.risk.next_product.shares import fit_pool
from riskengine.vocabulary import FloatArray

LOGISTIC, EASE, ITEM_ITEM, ALS = "logistic", "ease", "item_item", "als"
POPULARITY = "popularity"
_RIDGE = 50.0
"""Of EASE, in owners."""
_FACTORS, _SWEEPS = 8, 15
"""Of alternating least squares, for tens of products."""
Scorer = Callable[[FloatArray, FloatArray], FloatArray]
"""From who owns what (customers, products) and others' rests (rows, products) to their scores."""


def cosine(owned: FloatArray) -> FloatArray:
    """Cosines (products, products) of who owns what (customers, products); 0 of one with itself.

    >>> cosine(np.array([[1.0, 1.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])).tolist()
    [[0.0, 0.5], [0.5, 0.0]]
    """
    together = owned.T @ owned
    length = np.sqrt(np.maximum(np.diag(together), 1.0))
    found = together / length / length[:, None]
    np.fill_diagonal(found, 0.0)
    return found


def ease(owned: FloatArray) -> FloatArray:
    """Weights (products, products) by which each product is best told from the others."""
    together = owned.T @ owned + _RIDGE * np.eye(owned.shape[1])
    precision = np.linalg.inv(together)
    found: FloatArray = -precision / np.diag(precision)
    np.fill_diagonal(found, 0.0)
    return found


def factors(owned: FloatArray, rest: FloatArray) -> FloatArray:
    """Scores (rows, products) of `rest` by factors of `owned`, each rest's own factors solved for.

    Confidence 1 + 40 for what is owned, as in the paper. Needs the extra `evaluation`.
    """
    from implicit.als import AlternatingLeastSquares

    settings = {"factors": _FACTORS, "iterations": _SWEEPS, "alpha": 40.0, "random_state": 1}
    with threadpool_limits(1, "blas"):
        learner = AlternatingLeastSquares(**settings, num_threads=1)
        learner.fit(sparse.csr_matrix(owned, dtype=np.float32), show_progress=False)
        rows = sparse.csr_matrix(rest, dtype=np.float32)
        own = learner.recalculate_user(np.arange(len(rest)), rows)
        found: FloatArray = np.asarray(own @ learner.item_factors.T, dtype=np.float64)
    return found


def has_als() -> bool:
    """Whether the extra `evaluation` is installed, which `factors` needs."""
    return find_spec("implicit") is not None


def yardsticks(book: Book, logistic: FloatArray, *, als: bool = False) -> dict[str, FloatArray]:
    """Probabilities (rows, products) of each yardstick, for rows it did not learn from.

    `logistic` is the multinomial logistic's score (rows, products) of such rows.
    """
    hidden, fold = book.hidden, book.fold_of_rows
    owned = hidden.flags == 1
    popular = np.empty(owned.shape)
    for held in np.unique(fold):
        popular[fold == held] = shares_of(book.choices(np.flatnonzero(fold != held)), book.products)
    found = {LOGISTIC: probabilities(logistic, owned)}
    scorers: dict[str, Scorer] = {
        EASE: lambda others, rest: rest @ ease(others),
        ITEM_ITEM: lambda others, rest: rest @ cosine(others),
    }
    for name, scorer in {**scorers, **({ALS: factors} if als else {})}.items():
        scores = (_scores(book, scorer), popular)
        pool = fit_pool(scores, book.choices(np.arange(len(hidden.place))))
        found[name] = probabilities(pool.score(scores), owned)
    found[POPULARITY] = probabilities(popular, owned)
    return found


def _scores(book: Book, scorer: Scorer) -> FloatArray:
    """Scores of each row by what other folds' baskets told, of unit spread."""
    owned, rest = np.nan_to_num(book.flags), np.nan_to_num(book.hidden.flags)
    found = np.empty(rest.shape)
    for held in np.unique(book.fold):
        rows = book.fold_of_rows == held
        found[rows] = scorer(owned[book.fold != held], rest[rows])
    return found / max(float(found.std()), 1e-12)
