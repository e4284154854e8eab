"""The few plans that are shown, and the exact probability that just they are shown in this order.

A place on the slate goes to a plan of the best band among those that serve a need not yet served,
and once there is none to the best that is left: one variant of a product, one product of an
exclusive group, and none before what it requires. Where exploration is on and the choice is among
plans of the first band, the next one is drawn by Plackett and Luce: with a probability of
floor + (1 - number * floor) * softmax(score / temperature). As places are drawn one by one among
known plans, the probability of the slate is the product of those of its places, exactly.
References: Luce (1959); Plackett (1975).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from riskengine.errors import InputError
from riskengine.products.product import Plan
from riskengine.recommendation.policy import Choices
from riskengine.recommendation.scoring import Scored
from riskengine.vocabulary import FloatArray


class Ranked(Protocol):
    """What the rules of a slate read of a candidate; a replayed one has no more."""

    @property
    def plan(self) -> Plan: ...
    @property
    def band(self) -> int: ...
    @property
    def score(self) -> float: ...


AnyRanked = TypeVar("AnyRanked", bound=Ranked)


@dataclass(frozen=True)
class Placed:
    """A plan on the slate, with the probability that it was drawn for its place."""

    scored: Scored
    propensity: float


@dataclass(frozen=True)
class Slate:
    """Plans in the order they are shown."""

    places: tuple[Placed, ...]

    @property
    def propensity(self) -> float:
        """The probability of this slate, in this order."""
        return float(np.prod([one.propensity for one in self.places]))


def next_plans(
    ranked: Sequence[AnyRanked], placed: Sequence[Ranked], held: frozenset[str]
) -> list[AnyRanked]:
    """The plans that may take the next place, best first; more than one only in the first band.

    `ranked` are all candidates, best first, and `held` the products held. Of each product only the
    best variant is a candidate.
    """
    best: dict[str, AnyRanked] = {}
    for one in ranked:
        best.setdefault(one.plan.product, one)
    allowed = [one for one in best.values() if _allowed(one, placed, held)]
    served = {need for one in placed for need in one.plan.suitability.needs}
    fresh = [one for one in allowed if set(one.plan.suitability.needs) - served]
    pool = fresh or allowed
    first = [one for one in pool if one.band == 1]
    return first or pool[:1]


def _allowed(one: Ranked, placed: Sequence[Ranked], held: frozenset[str]) -> bool:
    fits = one.plan.suitability
    products = held | {other.plan.product for other in placed}
    groups = {other.plan.suitability.exclusive_group for other in placed} - {None}
    superseded = {name for other in placed for name in other.plan.suitability.supersedes}
    return not (
        one.plan.product in products | superseded
        or fits.exclusive_group in groups
        or (fits.requires and not products & set(fits.requires))
    )


def chances(pool: Sequence[Ranked], choices: Choices) -> FloatArray:
    """The probability of each plan of a pool to take the next place, (plans,); none below floor.

    Where the pool has so many plans that the floor leaves no room, all have the same.
    """
    scores = np.array([one.score for one in pool]) / choices["exploration.temperature"]
    weights = np.exp(scores - scores.max())
    floor = min(choices["exploration.floor"], 1 / len(pool))
    result: FloatArray = floor + (1 - len(pool) * floor) * weights / weights.sum()
    return result


def choose_slate(
    ranked: Sequence[Scored],
    held: frozenset[str],
    choices: Choices,
    rng: np.random.Generator | None = None,
) -> Slate:
    """The slate of at most `slate_size` plans; without `rng` the best one takes each place."""
    places: list[Placed] = []
    for _ in range(int(choices["slate_size"])):
        pool = next_plans(ranked, [one.scored for one in places], held)
        if not pool:
            break
        if rng is None or pool[0].band != 1:
            places.append(Placed(pool[0], 1.0))
            continue
        chance = chances(pool, choices)
        drawn = min(int(np.searchsorted(np.cumsum(chance), rng.random())), len(pool) - 1)
        places.append(Placed(pool[drawn], float(chance[drawn])))
    return Slate(tuple(places))


def slate_propensity(
    ranked: Sequence[Ranked], shown: Sequence[str], held: frozenset[str], choices: Choices
) -> float:
    """The probability that exploration shows just these plans in this order.

    Raises `InputError` for an order that the rules of the slate never give.
    """
    places: list[Ranked] = []
    result = 1.0
    for name in shown:
        pool = next_plans(ranked, places, held)
        names = [one.plan.plan for one in pool]
        if name not in names:
            message = f"plan {name} cannot be shown in place {len(places) + 1}: {names} can"
            raise InputError(message)
        if pool[0].band == 1:
            result *= float(chances(pool, choices)[names.index(name)])
        places.append(pool[names.index(name)])
    return result
