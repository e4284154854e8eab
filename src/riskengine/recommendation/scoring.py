"""The order of plans: bands of need first, then a weighted sum of three terms inside a band.

The terms are worth net of premium, log-odds of take-up and the premium's share of income. A term
that is not known of all plans is left out for all of them, and is named. What a plan earns the
insurer is no argument: neither the technical premium nor any loading is read here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from riskengine.products.product import Catalogue, Plan
from riskengine.recommendation.asked import Asked, Models
from riskengine.recommendation.needs import NeedFound, points_of
from riskengine.recommendation.plan_value import PlanValue
from riskengine.recommendation.policy import Choices

_LEAST_CHANCE = 1e-4


class Term(StrEnum):
    """What may move a plan inside its band."""

    VALUE = "value"
    TAKE_UP = "take_up"
    AFFORDABILITY = "affordability"


@dataclass(frozen=True)
class Scored:
    """A plan in its `band` of need, 1 the first, with what each term adds to its score.

    `need_points` put it in its band; `take_up` is the probability, None where it is not known.
    """

    plan: Plan
    value: PlanValue
    need_points: float
    band: int
    terms: Mapping[Term, float]
    take_up: float | None

    @property
    def score(self) -> float:
        """The sum of all terms: higher is better inside a band."""
        return sum(self.terms.values())


def score_plans(
    values: Mapping[str, PlanValue],
    needs: Sequence[NeedFound],
    asked: Asked,
    models: Models,
    catalogue: Catalogue,
    choices: Choices,
) -> tuple[Scored, ...]:
    """All plans with a value, best first: by band, score, premium and name, so that ties stand.

    A variant that is dominated by another one comes after all that are not.
    """
    plans = [catalogue.plan(name) for name in values]
    take_up = models.take_up or {}
    known = bool(plans) and all(plan.product in take_up for plan in plans)
    scored = [
        _scored(
            plan,
            values[plan.plan],
            points_of(plan, needs),
            (take_up[plan.product] if known else None, asked.household_income),
            choices,
        )
        for plan in plans
    ]
    return tuple(sorted(scored, key=_place))


def _place(one: Scored) -> tuple[bool, int, float, float, str]:
    dominated = one.value.dominated_by is not None
    return dominated, one.band, -one.score, one.value.premium, one.plan.plan


def _scored(
    plan: Plan,
    value: PlanValue,
    points: float,
    known: tuple[float | None, float | None],
    choices: Choices,
) -> Scored:
    take_up, income = known
    terms = {Term.VALUE: choices["weights.value"] * value.net / choices["value_scale"]}
    if take_up is not None:
        chance = float(np.clip(take_up, _LEAST_CHANCE, 1 - _LEAST_CHANCE))
        terms[Term.TAKE_UP] = choices["weights.take_up"] * float(np.log(chance / (1 - chance)))
    if income is not None:
        terms[Term.AFFORDABILITY] = -choices["weights.affordability"] * value.premium / income
    return Scored(plan, value, points, band_of(points, choices), terms, take_up)


def band_of(points: float, choices: Choices) -> int:
    """The band of need: 1 from `need.first_band` points on, 2 from `need.second_band`, else 3."""
    if points >= choices["need.first_band"]:
        return 1
    return 2 if points >= choices["need.second_band"] else 3
