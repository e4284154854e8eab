"""Weights of logged offers: a product rarely offered counts for more where it was.

Who was offered what was somebody's choice, so takers among the offered are not takers among all.
Weighting each logged offer by the inverse of its propensity undoes the choice (Horvitz and
Thompson, 1952; self-normalised: Swaminathan and Joachims, 2015).
"""

import numpy as np

from riskengine.vocabulary import FloatArray

LEAST_PROPENSITY = 0.05
"""A propensity below this counts as this, so that no row weighs more than 20 of the surest: a
little bias for much less variance (Ionides, 2008)."""


def offer_weights(propensity: FloatArray) -> FloatArray:
    """Inverse propensities (n,), clipped at 1 / `LEAST_PROPENSITY` and scaled to a mean of 1.

    `propensity` (n,) is the chance, above 0 and up to 1, with which the offer was shown.

    >>> offer_weights(np.array([1.0, 0.2, 0.01])).round(4).tolist()
    [0.1154, 0.5769, 2.3077]
    """
    weight = 1.0 / np.maximum(propensity, LEAST_PROPENSITY)
    found: FloatArray = weight / weight.mean()
    return found
