"""A number in a few bands with readable edges, cut where what it contributes changes most."""

import math

import numpy as np
from sklearn.tree import DecisionTreeRegressor

from riskengine.vocabulary import FloatArray

_SLACK = 0.01
"""Share of exposure by which an edge may move to be readable."""


def band_edges(
    values: FloatArray, effect: FloatArray, exposure: FloatArray, most: int, least_gain: float
) -> FloatArray:
    """Rising edges of at most `most` bands of `values` (n,), missing ones left out.

    A shallow tree of `effect` (n,) on the values finds the edges: a band holds 2 % of the exposure
    at least, and a cut lowers the variance of the effect by `least_gain` at least. An edge is
    then moved to a round number close by. The array is empty where one band is enough.

    >>> ages = np.arange(20.0, 70.0)
    >>> band_edges(ages, np.where(ages > 43, 0.5, 0.0), np.ones(50), 4, 0.001).tolist()
    [44.0]
    """
    known = ~np.isnan(values)
    values, effect, exposure = values[known], effect[known], exposure[known]
    distinct, place = np.unique(values, return_inverse=True)
    if len(distinct) < 2:
        return np.empty(0)
    tree = DecisionTreeRegressor(
        max_leaf_nodes=most,
        min_weight_fraction_leaf=0.02,
        min_impurity_decrease=least_gain,
        random_state=0,
    )
    # By rank: trees read float32, in which close numbers are one.
    tree.fit(place[:, None], effect, sample_weight=exposure)
    cuts = np.sort(tree.tree_.threshold[tree.tree_.children_left >= 0])
    share = np.cumsum(np.bincount(place, exposure)) / exposure.sum()
    below = np.floor(cuts).astype(np.int64)
    edges = []
    for at in below:
        low = int(min(np.searchsorted(share, share[at] - _SLACK), at))
        high = int(min(np.searchsorted(share, share[at] + _SLACK), len(distinct) - 1))
        edges.append(round_number(float(distinct[low]), float(distinct[max(high, at + 1)])))
    return np.unique(np.array(edges, dtype=np.float64))


def round_number(low: float, high: float) -> float:
    """The number of fewest digits above `low` and not above `high`.

    >>> round_number(43.0, 46.2), round_number(0.0, 1.0), round_number(-3.0, 2.0)
    (45.0, 1.0, 0.0)
    """
    middle = (low + high) / 2
    top = math.ceil(math.log10(max(abs(low), abs(high), high - low)))
    for exponent in range(top, top - 17, -1):
        for digit in (5, 2, 1):
            step = digit * 10.0**exponent
            found = float(f"{digit * round(middle / step)}e{exponent}")
            for number in (found, float(f"{digit * math.floor(high / step)}e{exponent}")):
                if low < number <= high:
                    return number
    return high
