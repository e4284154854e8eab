"""What a plan is worth to the member, from the same continuance that prices it.

Worth is the certainty equivalent of the year's bills without the plan, less that of the member's
own share with it. The certainty equivalent is Yaari's: the area under a distorted survival curve,
here S ** (1 / risk_aversion). It is a limited expected value under a distorted table, so it needs
no simulation and respects the order of plans. Cover changes how often care is sought rather than
what an episode costs (Newhouse 1993, on the RAND experiment), so the induced-utilisation factor
thins the distribution: with it, P(cost > y) is factor * S(y).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from riskengine.pricing.benefit import PlanPayment, plan_payment
from riskengine.pricing.rating import PricedPlan
from riskengine.pricing.utilisation import InducedUtilisation
from riskengine.risk.continuance import Continuance
from riskengine.vocabulary import FloatArray

BAD_YEAR = 0.9


@dataclass(frozen=True)
class AnnualCost:
    """The mean of a member's annual cost under free care, and the trend to the time of cover."""

    mean: float
    trend: float


@dataclass(frozen=True)
class Worth:
    """A plan's worth to one member; amounts in currency a year.

    `bad_year_*` are 90th percentiles of what the member pays. `chance_of_maximum` is None for a
    plan without an out-of-pocket maximum above 0.
    """

    priced: PricedPlan
    worth: float
    premium: float
    bad_year_without: float
    bad_year_with: float
    chance_of_maximum: float | None

    @property
    def net(self) -> float:
        """Worth less premium."""
        return self.worth - self.premium

    @property
    def expected_yearly_cost(self) -> float:
        """Premium plus what the member is expected to pay for care."""
        return self.premium + float(self.priced.expected_out_of_pocket[0])


def worth(
    priced: PricedPlan,
    cost: AnnualCost,
    continuance: Continuance,
    utilisation: InducedUtilisation,
    aversion: float,
) -> Worth:
    """The worth of one priced plan to the member in row 0.

    Annual cost has mean `cost.mean` before and `cost.mean * cost.trend` after the trend.
    """
    payment = plan_payment(priced.plan.benefit)
    uninsured = float(utilisation.factor(np.zeros(1))[0])
    insured = float(utilisation.factor(priced.actuarial_value[:1])[0])
    distorted = _distorted(continuance, aversion)
    means = np.array([cost.mean])
    all_cost = cost.trend * float(distorted.limited(np.inf, means)[0])
    own_share = all_cost - float(payment.expected(means, distorted, cost.trend)[0])
    power = 1 / aversion
    costs, survival = _distribution(continuance, cost)
    reached = _cost_at_maximum(payment, priced.plan.benefit.out_of_pocket_maximum)
    return Worth(
        priced=priced,
        worth=uninsured**power * all_cost - insured**power * own_share,
        premium=float(priced.chain.offered_cents[0]) / 100,
        bad_year_without=_quantile(costs, uninsured * survival, BAD_YEAR),
        bad_year_with=_member_pays(payment, _quantile(costs, insured * survival, BAD_YEAR)),
        chance_of_maximum=None
        if reached is None
        else insured * float(np.append(survival, 0.0)[np.searchsorted(costs, reached, "right")]),
    )


@lru_cache(maxsize=16)
def _distorted(continuance: Continuance, aversion: float) -> Continuance:
    return continuance.distorted(aversion)


def _distribution(continuance: Continuance, cost: AnnualCost) -> tuple[FloatArray, FloatArray]:
    """Upper ends of the intervals of annual cost (rising) and P(cost > y) inside each."""
    return continuance.grid[1:] * cost.mean * cost.trend, continuance.survival_at(cost.mean)


def _quantile(costs: FloatArray, survival: FloatArray, level: float) -> float:
    """The smallest cost that is exceeded with a probability of at most 1 - `level`."""
    below = np.flatnonzero(survival <= 1 - level)
    if len(below) == 0:
        return float(costs[-1])
    return 0.0 if below[0] == 0 else float(costs[below[0] - 1])


def _member_pays(payment: PlanPayment, cost: float) -> float:
    return cost - float(payment.paid(np.array([cost]))[0])


def _cost_at_maximum(payment: PlanPayment, maximum: float | None) -> float | None:
    """The annual cost at which the member has paid the out-of-pocket maximum."""
    if not maximum:
        return None
    full = [b for b, slope in zip(payment.bottoms, payment.slopes, strict=True) if slope == 1]
    return full[0] if full else None
