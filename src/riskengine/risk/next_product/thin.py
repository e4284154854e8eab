"""Products that few own: as credible as their owners are many, the rest is their segment's share.

Square-root rule of limited fluctuation credibility (Longley-Cook, 1962): Z = sqrt(owners / full
credibility), at most 1; how many owners are fully credible is chosen out-of-fold. What Z leaves
goes to how often customers of the same segment own the product, itself held to the whole portfolio.
The segment is the feature of a few levels that tells most of ownership.
"""

from dataclasses import dataclass

import numpy as np

from riskengine.vocabulary import BoolArray, FloatArray, IntArray

LEAST_OWNERS = 30
"""With fewer owners a report says that a product's data are insufficient."""
FULL_CREDIBILITY = (LEAST_OWNERS, 100)
"""Owners from which on a product's own experience may be believed in full."""
MOST_LEVELS = 25
_COLLECTIVE = 50.0
"""Customers of a segment whose experience weighs as much as the portfolio's."""


@dataclass(frozen=True, eq=False)
class Thin:
    """`credibility` (products,) and `rates` (levels + 1, products) of the segments.

    `segment` is the place of the feature among the categorical ones, -1 where the whole portfolio
    is the segment. The last of `rates` are the portfolio's, for a level that is not known.
    """

    credibility: FloatArray
    segment: int
    rates: FloatArray

    def shrink(self, chances: FloatArray, closed: BoolArray, codes: IntArray) -> FloatArray:
        """Probabilities (n, products) with thin products shrunk; `closed` ones stay 0."""
        if (self.credibility == 1).all():
            return chances
        place = codes[:, self.segment] if self.segment >= 0 else -np.ones(len(codes), np.int64)
        shares = np.where(closed, 0.0, self.rates[place])
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)
        mixed = self.credibility * chances + (1 - self.credibility) * shares
        total = mixed.sum(axis=1, keepdims=True)
        found: FloatArray = mixed / np.where(total > 0, total, 1.0)
        return found


def credibility(flags: FloatArray, full: int) -> FloatArray:
    """Z of each product, from the flags (n, products) of customers and full credibility.

    >>> credibility(np.ones((25, 1)), 100).tolist(), credibility(np.ones((400, 1)), 100).tolist()
    ([0.5], [1.0])
    """
    owners = np.nansum(flags, axis=0)
    found: FloatArray = np.minimum(1.0, np.sqrt(owners / full))
    return found


def fit_thin(flags: FloatArray, codes: IntArray, sizes: IntArray, full: int) -> Thin:
    """Credibility and segments of customers' flags (n, products) and codes of levels (n, features).

    A code of `sizes` is a level that is not known.
    """
    known = ~np.isnan(flags)
    owned = np.nan_to_num(flags)
    portfolio = (owned.sum(axis=0) + 0.5) / (known.sum(axis=0) + 1.0)
    told = [
        _explained(owned, known, codes[:, place], int(size), portfolio)
        for place, size in enumerate(sizes)
    ]
    segment = int(np.argmax(told)) if told and max(told) > 0 else -1
    rates = portfolio[None, :]
    if segment >= 0:
        own = _totals(owned, codes[:, segment], int(sizes[segment]))
        there = _totals(known.astype(np.float64), codes[:, segment], int(sizes[segment]))
        rates = np.vstack([(own + _COLLECTIVE * portfolio) / (there + _COLLECTIVE), portfolio])
    return Thin(credibility(flags, full), segment, rates)


def _explained(
    owned: FloatArray, known: BoolArray, code: IntArray, size: int, portfolio: FloatArray
) -> float:
    """Pearson's chi-square of ownership by level, summed over products, less what chance gives."""
    if not 1 < size <= MOST_LEVELS:
        return 0.0
    there = _totals(known.astype(np.float64), code, size)
    expected = there * portfolio
    own = _totals(owned, code, size)
    spread = (own - expected) ** 2 / np.maximum(expected * (1 - portfolio), 1e-9)
    return float(spread[there > 0].sum() - np.count_nonzero(there) + portfolio.size)


def _totals(values: FloatArray, code: IntArray, size: int) -> FloatArray:
    """Totals (levels, columns) of `values` (n, columns) by level; unknown levels do not count."""
    found = np.zeros((size + 1, values.shape[1]))
    np.add.at(found, code, values)
    return found[:size]
