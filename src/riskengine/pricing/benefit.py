"""Benefits as piecewise-linear functions of annual cost, priced by limited expected values.

What a plan pays for an annual cost y is a sum of slopes over layers, so its expectation is the sum
of slope * (E[min(Y, top)] - E[min(Y, bottom)]): exact, vectorised over members, and monotone, since
a plan that pays at least as much at every y has at least the expectation.
"""

from dataclasses import dataclass

import numpy as np

from riskengine.products.benefit import MedicalBenefit
from riskengine.risk.continuance import Continuance
from riskengine.vocabulary import FloatArray


@dataclass(frozen=True)
class PlanPayment:
    """The plan's payment as a function of annual cost, 0 at 0.

    `bottoms` (layers,) are rising amounts starting at 0; from each to the next (the last: to
    infinity) the plan pays `slopes` (layers,), shares from 0 to 1, of what is spent.
    """

    bottoms: tuple[float, ...]
    slopes: tuple[float, ...]

    def paid(self, cost: FloatArray) -> FloatArray:
        """What the plan pays for annual costs (n,): adjudication of known amounts.

        >>> PlanPayment((0.0, 100.0), (0.0, 0.8)).paid(np.array([50.0, 200.0])).tolist()
        [0.0, 80.0]
        """
        return self._sum_layers([np.minimum(cost, top) for top in self.bottoms[1:]], cost)

    def expected(
        self, mean: FloatArray, continuance: Continuance, trend: float = 1.0
    ) -> FloatArray:
        """`E[plan paid]` of a cost `trend * Y` for members of annual mean `mean` (n,) of Y.

        A trend moves every amount alike, so it changes what a deductible is worth but not a
        member's place among the risks.
        """
        limited = [trend * continuance.limited(top / trend, mean) for top in self.bottoms[1:]]
        return self._sum_layers(limited, trend * continuance.limited(np.inf, mean))

    def _sum_layers(self, limited: list[FloatArray], total: FloatArray) -> FloatArray:
        """Layer by layer, in one order for any number of rows, so that batch equals live."""
        paid = np.zeros(len(total))
        below = np.zeros(len(total))
        for slope, top in zip(self.slopes, [*limited, total], strict=True):
            paid += slope * (top - below)
            below = top
        return paid


def plan_payment(benefit: MedicalBenefit) -> PlanPayment:
    """The payment function of a medical benefit.

    >>> plan_payment(
    ...     MedicalBenefit(deductible=200.0, coinsurance=0.2, out_of_pocket_maximum=1000.0)
    ... )
    PlanPayment(bottoms=(0.0, 200.0, 4200.0), slopes=(0.0, 0.8, 1.0))
    """
    share, maximum = benefit.coinsurance, benefit.out_of_pocket_maximum
    layers = [(0.0, 0.0)] if benefit.deductible > 0 else []
    if maximum is None or (share > 0 and maximum > benefit.deductible):
        layers.append((benefit.deductible, 1 - share))
    if maximum is not None and share > 0 and maximum > benefit.deductible:
        layers.append((benefit.deductible + (maximum - benefit.deductible) / share, 1.0))
    elif maximum is not None:
        layers.append((maximum, 1.0))
    return _limited(layers, benefit.annual_limit)


def _limited(layers: list[tuple[float, float]], annual_limit: float | None) -> PlanPayment:
    """Cap the payment at `annual_limit`: beyond the cost that reaches it the slope is 0."""
    if annual_limit is not None:
        paid, reached = 0.0, None
        for (bottom, slope), (top, _) in zip(layers, [*layers[1:], (np.inf, 0.0)], strict=True):
            if slope > 0 and paid + slope * (top - bottom) > annual_limit:
                reached = bottom + (annual_limit - paid) / slope
                break
            paid += slope * (top - bottom) if slope > 0 else 0.0
        if reached is not None:
            layers = [layer for layer in layers if layer[0] < reached] + [(reached, 0.0)]
    return PlanPayment(tuple(b for b, _ in layers), tuple(s for _, s in layers))
