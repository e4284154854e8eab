"""Baskets: what each customer owns, and each owned product hidden in turn.

A model of the next product learns from baskets as they are: hide one product, and ask which one it
was. Left out: features of the customer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.vocabulary import BoolArray, Columns, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Hidden:
    """One row for each product that a customer owns, which is hidden: `place` (n,) of the product.

    `customer` (n,) is the customer's row, `flags` (n, products) what else is owned, `weight` (n,) 1
    over the number of products that the customer owns, so that each customer weighs the same.
    """

    customer: IntArray
    place: IntArray
    flags: FloatArray
    weight: FloatArray


def hide_each(flags: FloatArray) -> Hidden:
    """Every owned product hidden in turn; `flags` (customers, products) are 1, 0 or NaN.

    >>> hidden = hide_each(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    >>> hidden.customer.tolist(), hidden.place.tolist(), hidden.weight.tolist()
    ([0, 0, 1], [0, 1, 2], [0.5, 0.5, 1.0])
    >>> hidden.flags.tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    owned = flags == 1
    customer, place = np.nonzero(owned)
    rest = flags[customer]
    rest[np.arange(len(place)), place] = 0.0
    return Hidden(customer, place, rest, 1.0 / owned.sum(axis=1)[customer])


def unknown_baskets(flags: FloatArray) -> BoolArray:
    """The rows (n,) of which nothing is known: every flag is missing."""
    return np.asarray(np.isnan(flags).all(axis=1))


def flags_of(products: Sequence[str], columns: Columns) -> FloatArray:
    """The flags (n, products) in columns that were read."""
    return np.column_stack([np.asarray(columns[name], np.float64) for name in products])
