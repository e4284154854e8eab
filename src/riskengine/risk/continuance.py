"""Continuance: how annual cost spreads around its mean, as limited expected values.

For each band of risk the distribution of Y / mean(x), zeros included, is kept as
`lev(a) = E[min(Y / mean, a)]` on a grid of ratios. A member's limited expected value at an amount
`a` is then `E[min(Y, a)] = mean(x) * lev(a / mean(x))`: increasing and concave in `a` by
construction, which is what makes every benefit's price monotone in its terms.
Reference: Klugman, Panjer and Willmot, "Loss Models", limited expected value.
"""

from dataclasses import dataclass

import numpy as np

from riskengine.errors import InputError
from riskengine.risk.diagnostics import equal_exposure_bands
from riskengine.vocabulary import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Continuance:
    """Limited expected values of Y / mean by risk.

    `centres` (bands,) are rising means, one for each risk band; `grid` (knots,) are ratios from 0
    up; `table` (bands, knots) is `lev` at them, 0 at 0 and 1 at the last knot. Between knots `lev`
    is linear, so the distribution it stands for has its mass on the knots; between centres it is
    linear in the logarithm of the mean, so that no price jumps where one band meets the next.
    """

    centres: FloatArray
    grid: FloatArray
    table: FloatArray

    def limited(self, limit: FloatArray | float, mean: FloatArray) -> FloatArray:
        """`E[min(Y, limit)]`, in the unit of `mean`; shapes broadcast.

        >>> even = Continuance(np.ones(1), np.array([0.0, 1.0, 2.0]), np.array([[0.0, 0.8, 1.0]]))
        >>> even.limited(100.0, np.array([100.0])).tolist()
        [80.0]
        """
        ratio = np.minimum(np.asarray(limit, dtype=np.float64) / mean, self.grid[-1])
        left = np.clip(np.searchsorted(self.grid, ratio, side="right") - 1, 0, len(self.grid) - 2)
        along = (ratio - self.grid[left]) / (self.grid[left + 1] - self.grid[left])
        band, weight = self._between(mean)
        low = self._at(band, left, along)
        high = self._at(np.minimum(band + 1, len(self.centres) - 1), left, along)
        result: FloatArray = mean * (low + (high - low) * weight)
        return result

    def survival_at(self, mean: float) -> FloatArray:
        """`P(Y / mean > knot)` on each interval between knots for one mean, (knots - 1,)."""
        band, weight = self._between(np.array([mean]))
        after = min(int(band[0]) + 1, len(self.centres) - 1)
        survival = self.survival()
        low, high = survival[int(band[0])], survival[after]
        return np.asarray(low + (high - low) * weight[0])

    def _between(self, mean: FloatArray) -> tuple[IntArray, FloatArray]:
        """The centre at or below each mean, and how far the mean is on the way to the next."""
        place = np.interp(np.log(mean), np.log(self.centres), np.arange(len(self.centres)))
        band = np.floor(place).astype(np.int64)
        return band, place - band

    def _at(self, band: IntArray, left: IntArray, along: FloatArray) -> FloatArray:
        low, high = self.table[band, left], self.table[band, left + 1]
        result: FloatArray = low + (high - low) * along
        return result

    def survival(self) -> FloatArray:
        """`P(Y / mean > knot)` on each interval between knots, (bands, knots - 1)."""
        return np.diff(self.table, axis=1) / np.diff(self.grid)

    def distorted(self, aversion: float) -> "Continuance":
        """The same tables under a proportional-hazard distortion, `S(y) ** (1 / aversion)`.

        Limited expected values of the result are certainty equivalents of `min(Y, a)` for a person
        whose dislike of risk is `aversion` (1: indifferent). Reference: Yaari (1987), dual theory
        of choice; Wang (1995), proportional hazards transform. Its last knot exceeds 1.
        """
        if aversion < 1:
            message = f"risk aversion is {aversion}: give 1 (indifferent) or more"
            raise InputError(message)
        steps = np.clip(self.survival(), 0.0, 1.0) ** (1 / aversion) * np.diff(self.grid)
        table = np.concatenate([np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)], axis=1)
        return Continuance(self.centres, self.grid, table)


def fit_continuance(
    outcome: FloatArray, mean: FloatArray, exposure: FloatArray, bands: int, knots: int
) -> Continuance:
    """The empirical continuance of annual outcomes around out-of-fold means.

    `outcome` (n,) per year of exposure, `mean` (n,) its prediction by a model that did not see the
    row, `exposure` (n,) the weight. Bands hold equal exposure; inside a band rows weigh by their
    expected cost, so that totals in currency are met. Each band is scaled to a mean ratio of 1: the
    level is the model's, only the shape is taken here. Raises `InputError` when a band has no cost.
    """
    band = equal_exposure_bands(mean, exposure, bands)
    ratio, cost = outcome / mean, exposure * mean
    levels, centres = np.empty(len(outcome)), []
    for number in np.unique(band):
        rows = band == number
        level = np.average(ratio[rows], weights=cost[rows])
        if level <= 0:
            message = f"risk band {number + 1} of {bands} has no cost: ask for fewer bands"
            raise InputError(message)
        levels[rows] = level
        centres.append(np.exp(np.average(np.log(mean[rows]), weights=cost[rows])))
    shape = ratio / levels
    smallest = shape[shape > 0].min()
    grid = np.concatenate([[0.0], np.geomspace(smallest, shape.max(), knots - 1)])
    table = np.vstack(
        [_limited_means(shape[band == b], cost[band == b], grid) for b in np.unique(band)]
    )
    return Continuance(np.array(centres), grid, table / table[:, -1:])


def _limited_means(ratio: FloatArray, weight: FloatArray, grid: FloatArray) -> FloatArray:
    """Weighted mean of `min(ratio, knot)` for each knot, exact."""
    order = np.argsort(ratio, kind="stable")
    ratio, weight = ratio[order], weight[order]
    below = np.searchsorted(ratio, grid, side="right")
    cost = np.concatenate([[0.0], np.cumsum(ratio * weight)])
    seen = np.concatenate([[0.0], np.cumsum(weight)])
    result: FloatArray = (cost[below] + grid * (seen[-1] - seen[below])) / seen[-1]
    return result
