"""What a year may cost a member, as amounts and their chances, and what can be said of them.

The certainty equivalent is Yaari's: the expectation under the distorted survival function
S ** (1 / aversion). It takes amounts below 0, where cover pays more than was lost, and adds up
for a sure amount, so that a premium can be taken off after it. References: Yaari (1987); Wang
(1995); Acerbi and Tasche (2002) for the tail mean of a distribution with atoms.
"""

from dataclasses import dataclass

import numpy as np

from riskengine.errors import InputError
from riskengine.vocabulary import FloatArray

_MOST_PAIRS, _COARSE = 100_000, 256


@dataclass(frozen=True, eq=False)
class Spread:
    """Annual amounts in currency, rising (atoms,), with their `chance`; chances add up to 1."""

    amount: FloatArray
    chance: FloatArray

    def mean(self) -> float:
        """The expected amount."""
        return _weighed(self.amount, self.chance)

    def quantile(self, level: float) -> float:
        """The smallest amount that is exceeded with a chance of at most 1 - `level`.

        >>> spread(np.array([100.0]), np.array([0.25])).quantile(0.75)
        0.0
        """
        reached = np.cumsum(self.chance) >= level - 1e-12
        return float(self.amount[int(np.argmax(reached))])

    def tail_mean(self, level: float) -> float:
        """The mean of the dearest 1 - `level` of all years (tail value at risk).

        >>> one = spread(np.array([100.0, 400.0]), np.array([0.25, 0.05]))
        >>> round(one.tail_mean(0.9), 6)
        250.0
        """
        below = np.concatenate([[0.0], np.cumsum(self.chance)[:-1]])
        inside = np.minimum(self.chance, np.maximum(below + self.chance - level, 0.0))
        return _weighed(self.amount, inside) / float(inside.sum())

    def certainty_equivalent(self, aversion: float) -> float:
        """The sure amount a member finds as bad; an aversion of 1 gives the mean.

        >>> spread(np.array([100.0]), np.array([0.25])).certainty_equivalent(2.0)
        50.0
        """
        if aversion < 1:
            message = f"risk aversion is {aversion}: give 1 (indifferent) or more"
            raise InputError(message)
        above = np.clip(np.cumsum(self.chance[::-1])[::-1], 0.0, 1.0)
        above[0] = 1.0
        distorted = np.append(above ** (1 / aversion), 0.0)
        return _weighed(self.amount, distorted[:-1] - distorted[1:])

    def at_least(self, amount: float) -> float:
        """The chance of an amount or more."""
        return float(self.chance[self.amount >= amount - 1e-9].sum())

    def plus(self, other: "Spread") -> "Spread":
        """The spread of the sum with an independent one; long ones are made coarse before."""
        one, two = self, other
        if len(one.amount) * len(two.amount) > _MOST_PAIRS:
            one, two = one.coarse(), two.coarse()
        amounts = one.amount[:, None] + two.amount
        return spread(amounts.ravel(), np.outer(one.chance, two.chance).ravel())

    def coarse(self, most: int = _COARSE) -> "Spread":
        """Neighbours merged to `most` atoms of like chance and like share of the mean, kept."""
        size = np.abs(self.amount) * self.chance
        total = max(float(size.sum()), 1e-300)
        ends = np.cumsum(self.chance + size / total)
        group = np.minimum((ends / ends[-1] * most).astype(np.int64), most - 1)
        chance = np.bincount(group, self.chance, most).astype(np.float64)
        there = chance > 0
        amount = np.bincount(group, self.amount * self.chance, most)[there] / chance[there]
        return Spread(amount, chance[there])


def _weighed(amount: FloatArray, weight: FloatArray) -> float:
    """The sum of products; not by BLAS, whose threads cost more than they save and reorder sums."""
    return float((amount * weight).sum())


def spread(amount: FloatArray, chance: FloatArray) -> Spread:
    """The spread of amounts (states,) at chances (states,); what is left of 1 is an amount of 0.

    Raises `InputError` for chances below 0 or of more than 1 together.

    >>> one = spread(np.array([50.0, 10.0]), np.array([0.1, 0.2]))
    >>> one.amount.tolist(), one.chance.round(3).tolist()
    ([0.0, 10.0, 50.0], [0.7, 0.2, 0.1])
    """
    left = 1 - float(chance.sum())
    if left < -1e-9 or (chance < 0).any():
        message = f"chances add up to {1 - left:g}, the least is {chance.min():g}: they are shares"
        raise InputError(message)
    amounts, place = np.unique(np.append(amount, 0.0), return_inverse=True)
    chances = np.bincount(place.ravel(), np.append(chance, max(left, 0.0))).astype(np.float64)
    kept = chances > 0
    return Spread(amounts[kept], chances[kept])
