"""Groups rated by their own experience, as far as it is credible (Buehlmann and Straub, 1970).

The variances come from `riskengine.risk.credibility`, which the models use too. For group covers
only: no individual's premium reads this.
"""

from dataclasses import dataclass

import numpy as np

from riskengine.errors import InputError, SpecError
from riskengine.products.rate_book_edition import Edition
from riskengine.risk.credibility import variance_components
from riskengine.vocabulary import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class GroupCredibility:
    """What the experience of g groups is worth.

    `within` is the variance inside a group for one unit of weight, `between` that of the groups'
    true means, `collective` their common mean. `own` is a group's mean (0 without experience),
    `weight` its exposure, `credibility` and `estimate` what they give, each (g,).
    """

    within: float
    between: float
    collective: float
    weight: FloatArray
    own: FloatArray
    credibility: FloatArray

    @property
    def constant(self) -> float:
        """The weight at which a group is half credible: `within / between`."""
        return self.within / self.between if self.between > 0 else float("inf")

    @property
    def estimate(self) -> FloatArray:
        """`credibility * own + (1 - credibility) * collective`, (g,)."""
        return self.credibility * self.own + (1 - self.credibility) * self.collective


def group_credibility(
    outcome: FloatArray, weight: FloatArray, group: IntArray, groups: int
) -> GroupCredibility:
    """The credibility of groups from rows such as years, `outcome` (n,) per unit of `weight` (n,).

    `group` (n,) counts from 0. Outcomes may be cost per member-year, weighted by member-years, or
    actual over expected, weighted by expected cost. `Z_i = m_i / (m_i + within / between)`, and the
    collective mean weights the groups by Z, so that the estimates keep the total (Buehlmann and
    Gisler, 2005, chapter 4). A negative variance between groups counts as 0: no group is credible,
    and the collective is the mean of all. Raises `InputError` for weights that are not positive,
    fewer than two groups with experience, or no group with two rows.

    >>> found = group_credibility(
    ...     np.array([0.0, 2.0, 3.0, 5.0]), np.ones(4), np.array([0, 0, 1, 1]), 2)
    >>> found.within, found.between, found.credibility.round(4).tolist()
    (2.0, 3.5, [0.7778, 0.7778])
    >>> found.estimate.round(4).tolist()
    [1.3333, 3.6667]
    """
    if not (np.isfinite(outcome) & np.isfinite(weight) & (weight > 0)).all():
        message = "outcomes must be numbers and weights above 0: leave out years without members"
        raise InputError(message)
    within, between = variance_components(outcome, weight, group, groups)
    if np.isnan(within):
        message = "two groups with experience, one of them of two years or more, are the least"
        raise InputError(message)
    total = np.bincount(group, weight, groups).astype(np.float64)
    own = np.bincount(group, weight * outcome, groups) / np.where(total > 0, total, 1.0)
    if between > 0:
        credibility = np.zeros(groups)
        # A group without experience has none, also where nothing varies within the others.
        np.divide(total, total + within / between, out=credibility, where=total > 0)
        collective = float(np.sum(credibility * own) / np.sum(credibility))
    else:
        credibility = np.zeros(groups)
        collective = float(np.average(outcome, weights=weight))
    return GroupCredibility(within, max(between, 0.0), collective, total, own, credibility)


def experience_factor(edition: Edition, groups: GroupCredibility) -> FloatArray:
    """What each group's manual premium is multiplied by, (g,); outcomes are actual over expected.

    The estimate, over the collective so that the manual premium keeps its level, with credibility
    at most the edition's. Raises `SpecError` where the market has no experience rating.
    """
    if edition.maximum_credibility is None:
        message = (
            f"edition {edition.edition} has no experience rating: the premium of a group in market"
            f" {edition.market} may not follow its own claims"
        )
        raise SpecError(message)
    credibility = np.minimum(groups.credibility, edition.maximum_credibility.value)
    return credibility * groups.own / groups.collective + 1 - credibility
