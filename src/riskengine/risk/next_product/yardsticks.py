"""The yardsticks of a model of the next product, learnt from the same customers as each fold was.

Popularity; item-item cosine (Sarwar et al., 2001); EASE (Steck, 2019); the multinomial logistic on
owned products and features. The two scores that are no probabilities become some by the pool that
serves them best, with popularity beside them: that flatters them.
"""

from collections.abc import Callable

import numpy as np

from riskengine.risk.next_product.held_out import HeldOut
from riskengine.risk.next_product.logit import probabilities, shares_of
from riskengine.risk.next_product.shares import fit_pool
from riskengine.vocabulary import FloatArray

LOGISTIC, EASE, ITEM_ITEM, POPULARITY = "logistic", "ease", "item_item", "popularity"
_RIDGE = 50.0
"""Of EASE, in owners."""


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


def yardsticks(held_out: HeldOut) -> dict[str, FloatArray]:
    """Probabilities (rows, products) of each yardstick, for rows it did not learn from."""
    book = held_out.book
    hidden, fold = book.hidden, book.fold_of_rows
    owned = hidden.flags == 1
    popular = np.empty(owned.shape)
    for held in np.unique(fold):
        popular[fold == held] = shares_of(book.choices(np.flatnonzero(fold != held)), book.products)
    found = {LOGISTIC: probabilities(held_out.scores[0], owned)}
    for name, weights in ((EASE, ease), (ITEM_ITEM, cosine)):
        scores = (_scores(held_out, weights), popular)
        pool = fit_pool(scores, book.choices(np.arange(len(hidden.place))))
        found[name] = probabilities(pool.score(scores), owned)
    found[POPULARITY] = probabilities(popular, owned)
    return found


def _scores(held_out: HeldOut, weights: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Scores of each row by weights of other folds' baskets, of unit spread."""
    book = held_out.book
    owned, rest = np.nan_to_num(book.flags), np.nan_to_num(book.hidden.flags)
    found = np.empty(rest.shape)
    for held in np.unique(book.fold):
        rows = book.fold_of_rows == held
        found[rows] = rest[rows] @ weights(owned[book.fold != held])
    return found / max(float(found.std()), 1e-12)
