"""Every benefit of a catalogue as one curve over the mean of its peril, and members priced on it.

A benefit is adjudicated on the years of each risk band once, when the table is made, at knots of
the mean; between them the expected payment is linear, so pricing a member is one interpolation.

    E[paid | mean] = sum over bands of weight(band, mean) * E[paid(mean * R) | band]

Where the shapes of neighbouring bands would let the payment fall as the mean rises, isotonic
regression levels it, with less weight the further a mean lies from the bands. What results never
falls, and any two curves keep their order (Barlow, Bartholomew, Bremner and Brunk 1972, the max-min
formula). All plans of a peril share years, weights and knots, none of them negative. So, by
construction and for every member, a plan that pays at least as much of every year has at least the
expected payment, and a higher risk at least that of a lower one.
Reference: Klugman, Panjer and Willmot, "Loss Models", coverage modifications; in place of their
integral over a fitted distribution stands the sum over observed years.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import gammainc

from riskengine.errors import SpecError, UnknownNameError
from riskengine.pricing.benefit import plan_payment
from riskengine.pricing.benefit_rules import medical_paid, paid_days
from riskengine.pricing.perils import (
    Incidence,
    MeanGrid,
    PerilModel,
    PersonYears,
    Stays,
    band_weights,
    mean_grid,
    totals,
)
from riskengine.products.benefit import Benefit, HospitalCash, LumpSum, MedicalBenefit, Peril
from riskengine.products.product import Plan
from riskengine.risk.continuance import Continuance
from riskengine.vocabulary import FloatArray, IntArray

_BATCH = 1 << 20
_DAYS_A_YEAR = 365


@dataclass(frozen=True, eq=False)
class Curve:
    """One benefit of one plan: its expected `payments` at the knots of its peril, (knots,)."""

    benefit: str
    peril: Peril
    payments: FloatArray


@dataclass(frozen=True, eq=False)
class Place:
    """Where n members stand on the grid of one peril: `mean` in its unit, untrended."""

    mean: FloatArray
    knot: IntArray
    along: FloatArray


@dataclass(frozen=True, eq=False)
class BenefitTable:
    """The curves of every plan, by name, and the grids they stand on.

    Made by `tabulate` for one level of trend, which multiplies every mean that is priced.
    """

    grids: Mapping[Peril, MeanGrid]
    trend: Mapping[Peril, float]
    curves: Mapping[str, tuple[Curve, ...]]

    def perils(self, plans: Iterable[str]) -> tuple[Peril, ...]:
        """The perils that some plans insure; raises `UnknownNameError` for an unknown plan."""
        insured = {curve.peril for plan in plans for curve in self._curves(plan)}
        return tuple(peril for peril in self.grids if peril in insured)

    def place(
        self, means: Mapping[Peril, FloatArray], perils: Iterable[Peril] | None = None
    ) -> dict[Peril, Place]:
        """Where members of annual `means` (n,) by peril stand, once for all plans of `perils`.

        Raises `UnknownNameError` when a peril of the plans has no mean, `InputError` for a mean
        that the experience does not reach.
        """
        grids = self.grids if perils is None else {peril: self.grids[peril] for peril in perils}
        absent = [peril for peril in grids if peril not in means]
        if absent:
            message = f"there is no mean of {', '.join(absent)}: predict it, for plans insure it"
            raise UnknownNameError(message)
        return {
            peril: Place(means[peril], *grid.place(means[peril])) for peril, grid in grids.items()
        }

    def payments(self, plan: str, places: Mapping[Peril, Place]) -> dict[str, FloatArray]:
        """`E[paid]` of each benefit of a plan in currency a year, (n,) by benefit.

        Over the trended mean of a peril of money it is the actuarial value of the benefit. Raises
        `UnknownNameError` for a plan that is not in the table.
        """
        return {c.benefit: _at(c.payments, places[c.peril]) for c in self._curves(plan)}

    def _curves(self, plan: str) -> tuple[Curve, ...]:
        if plan not in self.curves:
            message = f"unknown plan {plan!r}; there are {', '.join(self.curves)}"
            raise UnknownNameError(message)
        return self.curves[plan]

    def expected(self, plan: str, places: Mapping[Peril, Place]) -> FloatArray:
        """`E[plan paid]` over all benefits of a plan, in currency a year, (n,)."""
        total: FloatArray = np.sum(list(self.payments(plan, places).values()), axis=0)
        return total


def _at(payments: FloatArray, place: Place) -> FloatArray:
    low = payments[place.knot]
    result: FloatArray = low + (payments[place.knot + 1] - low) * place.along
    return result


def tabulate(
    plans: Sequence[Plan],
    perils: Mapping[Peril, PerilModel],
    trend: Mapping[Peril, float],
    *,
    renewal: bool = False,
) -> BenefitTable:
    """The benefits of `plans` on the models of their perils, at a factor of `trend` by peril.

    A waiting period takes its share of the first year; a `renewal` has none. Raises `SpecError`
    naming plan and benefit when a peril has no model or trend, or a model cannot price a term:
    no plan is priced with a part of its benefits.
    """
    used = {benefit.peril for plan in plans for benefit in plan.benefits.values()}
    grids = {peril: mean_grid(perils[peril]) for peril in Peril if peril in used & perils.keys()}
    curves = {}
    for plan in plans:
        of_plan = []
        for name, benefit in plan.benefits.items():
            try:
                payments = _tabulated(benefit, perils, trend, renewal=renewal)
            except SpecError as error:
                message = f"plan {plan.plan}, benefit {name}: {error}"
                raise SpecError(message) from error
            of_plan.append(Curve(name, benefit.peril, payments))
        curves[plan.plan] = tuple(of_plan)
    return BenefitTable(grids, {peril: trend[peril] for peril in grids}, curves)


def _tabulated(
    benefit: Benefit,
    perils: Mapping[Peril, PerilModel],
    trend: Mapping[Peril, float],
    *,
    renewal: bool,
) -> FloatArray:
    peril = benefit.peril
    if peril not in perils or peril not in trend:
        message = f"peril {peril} has no model or no trend factor: add it"
        raise SpecError(message)
    insured = 1.0 if renewal else 1 - benefit.waiting_period / _DAYS_A_YEAR
    return payments_at_knots(benefit, perils[peril], trend[peril], insured)


def payments_at_knots(
    benefit: Benefit, model: PerilModel, trend: float, insured: float
) -> FloatArray:
    """`E[paid]` of one benefit at the knots of the model's grid, in currency a year, never falling.

    `trend` multiplies the outcome; a member's risk band stays that of the untrended mean. `insured`
    is the share of the year in which cover is in force: of amounts and days it takes its share of
    the payment, of events its share of the exposure.
    """
    means = mean_grid(model).means()
    paid = _paid_at(benefit, model, means, trend, insured)
    if isinstance(model, Incidence):
        return paid  # rises by its formula
    seen = np.minimum(1, means / model.centres[0]) * np.minimum(1, model.centres[-1] / means) ** 2
    never_falling: FloatArray = isotonic_regression(paid, weights=seen).x
    return never_falling


def _paid_at(
    benefit: Benefit, model: PerilModel, means: FloatArray, trend: float, insured: float
) -> FloatArray:
    match benefit, model:
        case MedicalBenefit(), PersonYears():
            return insured * _paid_of_years(benefit, model, means, trend)
        case MedicalBenefit(services={**services}), Continuance() if not services:
            return insured * plan_payment(benefit).expected(means, model, trend)
        case HospitalCash(), Stays():
            days = paid_days(benefit, model.row, model.days, len(model.weight))
            by_band = totals(model.band, model.weight * days, len(model.centres))
            of_day = _sum_bands(by_band[:, None], band_weights(model.centres, means))
            return insured * benefit.amount_per_day * trend * means * of_day
        case LumpSum(), Incidence():
            return _stage_payments(benefit, model, trend * means * insured)
    message = (
        f"a benefit of kind {benefit.kind} with these terms cannot be priced from a"
        f" {type(model).__name__}: give a model of {benefit.peril} that has what its terms need"
    )
    raise SpecError(message)


def _paid_of_years(
    benefit: MedicalBenefit, model: PersonYears, means: FloatArray, trend: float
) -> FloatArray:
    """Expected payment of weighted years, by mean; each band only where it counts."""
    weights = band_weights(model.centres, means)
    paid = np.zeros_like(weights)
    for band in range(len(model.centres)):
        rows = model.band == band
        weight = model.weight[rows]
        amounts = {service: values[rows] for service, values in model.amounts.items()}
        visits = {service: values[rows] for service, values in model.visits.items()}
        counts = np.flatnonzero(weights[band] > 0)
        for part in np.array_split(counts, -(-len(counts) * len(weight) // _BATCH)):
            mean = means[part][:, None]
            cost = {service: trend * mean * values for service, values in amounts.items()}
            used = {service: mean * values for service, values in visits.items()}
            paid[band, part] = medical_paid(benefit, cost, used) @ weight
    return _sum_bands(paid, weights)


def _sum_bands(by_band: FloatArray, weights: FloatArray) -> FloatArray:
    result: FloatArray = (by_band * weights).sum(axis=0)
    return result


def _stage_payments(benefit: LumpSum, model: Incidence, events: FloatArray) -> FloatArray:
    """Expected lump sums at rates of `events` in the term, over its time at risk.

    Stages are independent Poisson counts N, so that with at most k payments a stage is paid
    E[min(N, k)] = sum of P(N > n) over n < k times; P(N > n) is the regularised incomplete gamma
    function at (n + 1, rate). Reference: Klugman, Panjer and Willmot, limited expected value of a
    counting distribution.
    """
    result = np.zeros_like(events)
    for stage in benefit.stages:
        if stage.stage not in model.shares:
            known = ", ".join(model.shares)
            message = f"stage {stage.stage} is not among those of the experience: {known}"
            raise SpecError(message)
        rate = events * model.shares[stage.stage]
        payments = sum(gammainc(n + 1, rate) for n in range(stage.maximum_payments))
        result += benefit.sum_insured * stage.share * payments
    return result
