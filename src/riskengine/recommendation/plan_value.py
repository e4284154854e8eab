"""What each plan is worth to a member, or to a household, from the models that price it.

For each benefit the years of its peril are gone through: what they cost a member without the plan
and what the plan pays of them, by the same terms, trend and mean as in the price. Cover changes
how often care is sought rather than what an episode costs, so induced utilisation thins the years
of bills. A day in hospital or a grave event costs more than its bills; those losses are data of
the policy. Benefits and members count as independent. Left out: who may buy, and the order.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammainc

from riskengine.errors import InputError, SpecError
from riskengine.pricing.benefit import plan_payment
from riskengine.pricing.benefit_rules import medical_paid, paid_days
from riskengine.pricing.market import BenefitSteps, OpenMarket, PlanPrice
from riskengine.pricing.perils import (
    Incidence,
    PerilModel,
    PersonYears,
    Stays,
    band_weights,
    totals,
)
from riskengine.products.benefit import (
    Benefit,
    HospitalCash,
    LumpSum,
    MedicalBenefit,
    Peril,
    Unit,
)
from riskengine.products.product import Plan
from riskengine.recommendation.policy import Choices
from riskengine.recommendation.spread import Spread, spread
from riskengine.recommendation.value import BAD_YEAR
from riskengine.risk.continuance import Continuance
from riskengine.vocabulary import FloatArray

_DAYS_A_YEAR = 365


@dataclass(frozen=True, eq=False)
class Years:
    """Kinds of years of one benefit for one member, (states,) each; the rest of all years is empty.

    `cost` is what a year costs without the plan, in currency, `paid` what the plan pays of it. The
    states are those of the peril, so of two plans they can be held against each other.
    """

    chance: FloatArray
    cost: FloatArray
    paid: FloatArray


@dataclass(frozen=True)
class PlanValue:
    """A plan's worth to those it covers; amounts in currency a year.

    `bad_year_*` are 90th percentiles and `tail_mean_*` the means of the dearest tenth of what
    is paid for care and lost, without and with the plan; below 0 where cover pays more than was
    lost. For the same care `bad_year_with` is never above `bad_year_without`; it can be above for
    a lean plan, for who is insured seeks care more often (induced utilisation), and so more years
    have bills that its deductible leaves to the member. `chance_of_maximum`, that some member
    reaches it, is None without an out-of-pocket maximum; `dominated_by` names a variant that pays
    as much in every year and costs no more.
    """

    plan: str
    product: str
    premium: float
    expected_plan_paid: float
    expected_without: float
    expected_out_of_pocket: float
    bad_year_without: float
    bad_year_with: float
    tail_mean_without: float
    tail_mean_with: float
    certainty_equivalent_without: float
    certainty_equivalent_with: float
    chance_of_payment: float
    chance_of_maximum: float | None
    dominated_by: str | None = None

    @property
    def worth(self) -> float:
        """What a member would give at most to have the plan."""
        return self.certainty_equivalent_without - self.certainty_equivalent_with

    @property
    def net(self) -> float:
        """Worth less premium."""
        return self.worth - self.premium

    @property
    def expected_yearly_cost(self) -> float:
        """Premium plus what is expected to be paid for care."""
        return self.premium + self.expected_out_of_pocket


def value_plans(
    market: OpenMarket,
    perils: Mapping[Peril, PerilModel],
    means: Mapping[Peril, FloatArray],
    priced: Mapping[str, tuple[PlanPrice, float]],
    choices: Choices,
) -> dict[str, PlanValue]:
    """The value of every priced plan to the n members that it covers together.

    `priced` has the price by member and the premium of all, currency a year; `means` (n,) by peril
    are untrended, as in the price. Raises `SpecError` for a benefit that its model cannot show and
    `UnknownNameError` for a loss the policy does not tell.
    """
    years = {
        name: _years_of(market, perils, means, market.catalogue.plan(name), choices)
        for name in priced
    }
    values = {
        name: _value(market, years[name], market.catalogue.plan(name), priced[name], choices)
        for name in priced
    }
    return {
        name: replace(value, dominated_by=_dominating(name, values, years))
        for name, value in values.items()
    }


def _years_of(
    market: OpenMarket,
    perils: Mapping[Peril, PerilModel],
    means: Mapping[Peril, FloatArray],
    plan: Plan,
    choices: Choices,
) -> dict[str, list[Years]]:
    """The years of each benefit, one for each member."""
    found = {}
    for name, benefit in plan.benefits.items():
        insured = 1.0 if market.renewal else 1 - benefit.waiting_period / _DAYS_A_YEAR
        trend = market.table.trend[benefit.peril]
        found[name] = [
            benefit_years(benefit, perils[benefit.peril], (float(mean), trend), insured, choices)
            for mean in means[benefit.peril]
        ]
    return found


def benefit_years(
    benefit: Benefit,
    model: PerilModel,
    level: tuple[float, float],
    insured: float,
    choices: Choices,
) -> Years:
    """The years of one benefit for a member whose `level` is annual mean and trend.

    `insured` is the share of the year in which cover is in force, as in
    `riskengine.pricing.benefit_table.payments_at_knots`; expected payments are the same.
    """
    mean, trend = level
    match benefit, model:
        case MedicalBenefit(), PersonYears():
            share = band_weights(model.centres, np.array([mean]))[:, 0][model.band]
            rows = share > 0
            cost = {s: trend * mean * amount[rows] for s, amount in model.amounts.items()}
            used = {s: mean * visits[rows] for s, visits in model.visits.items()}
            bills = np.sum(list(cost.values()), axis=0)
            paid = insured * medical_paid(benefit, cost, used)
            return Years((share * model.weight)[rows], bills, paid)
        case MedicalBenefit(services={**services}), Continuance() if not services:
            survival = np.append(model.survival_at(mean), 0.0)
            bills = trend * mean * model.grid[1:]
            chance = np.maximum(-np.diff(survival), 0.0)
            return Years(chance, bills, insured * plan_payment(benefit).paid(bills))
        case HospitalCash(), Stays():
            return _years_in_hospital(benefit, model, trend * mean, (mean, insured), choices)
        case LumpSum(), Incidence():
            return _years_of_events(benefit, model, trend * mean, insured, choices)
    message = f"a benefit of kind {benefit.kind} cannot be shown on a {type(model).__name__}"
    raise SpecError(message)


def _years_in_hospital(
    benefit: HospitalCash,
    model: Stays,
    days: float,
    at: tuple[float, float],
    choices: Choices,
) -> Years:
    """Years with stays; where they are more often than once a year, each counts for several."""
    mean, insured = at
    share = band_weights(model.centres, np.array([mean]))[:, 0][model.band]
    chance = days * share * model.weight
    often = max(1.0, float(chance.sum()))
    size = len(model.weight)
    in_hospital = totals(model.row, model.days, size)
    counted = paid_days(benefit, model.row, model.days, size)
    return Years(
        chance / often,
        often * choices["loss_a_day"] * in_hospital,
        often * insured * benefit.amount_per_day * counted,
    )


def _years_of_events(
    benefit: LumpSum, model: Incidence, events: float, insured: float, choices: Choices
) -> Years:
    """Years with events; of each stage those that are paid, and one in the waiting period."""
    chance, cost, paid = np.ones(1), np.zeros(1), np.zeros(1)
    for stage in benefit.stages:
        rate = events * model.shares[stage.stage]
        most = stage.maximum_payments
        at_risk = rate * insured
        some = [math.exp(-at_risk) * at_risk**n / math.factorial(n) for n in range(most)]
        counts = np.array([*some, float(gammainc(most, at_risk))])
        waiting = -math.expm1(-rate * (1 - insured))
        number, late = np.arange(most + 1.0), np.arange(2.0 if waiting > 0 else 1.0)
        of_late = np.array([1 - waiting, waiting])[: len(late)]
        loss = choices.loss(benefit.peril, stage.stage)
        amount = benefit.sum_insured * stage.share
        chance = np.outer(chance, np.outer(counts, of_late)).ravel()
        cost = np.add.outer(cost, loss * np.add.outer(number, late)).ravel()
        paid = np.add.outer(paid, amount * np.add.outer(number, 0 * late)).ravel()
    return Years(chance, cost, paid)


def _value(
    market: OpenMarket,
    years: Mapping[str, Sequence[Years]],
    plan: Plan,
    priced: tuple[PlanPrice, float],
    choices: Choices,
) -> PlanValue:
    price, premium = priced
    steps = {one.benefit: one for one in price.benefits}
    idle = float(market.utilisation.factor(np.zeros(1))[0])
    without, with_plan, expected, unpaid, below = [], [], 0.0, 1.0, 1.0
    for name, benefit in plan.benefits.items():
        use = _use(steps[name], len(years[name]))
        medical = benefit.peril.unit is Unit.CURRENCY
        maximum = benefit.out_of_pocket_maximum if isinstance(benefit, MedicalBenefit) else None
        for row, year in enumerate(years[name]):
            chance, own = use[row] * year.chance, year.cost - year.paid
            without.append(spread(year.cost, (idle if medical else 1.0) * year.chance))
            with_plan.append(spread(own, chance))
            expected += float((chance * year.paid).sum())
            unpaid *= 1 - float(chance[year.paid > 0].sum())
            below *= 1 - (with_plan[-1].at_least(maximum) if maximum else 0.0)
    alone, covered = _together(without), _together(with_plan)
    aversion = choices["risk_aversion"]
    has_maximum = any(getattr(b, "out_of_pocket_maximum", None) for b in plan.benefits.values())
    return PlanValue(
        plan=plan.plan,
        product=plan.product,
        premium=premium,
        expected_plan_paid=expected,
        expected_without=alone.mean(),
        expected_out_of_pocket=covered.mean(),
        bad_year_without=alone.quantile(BAD_YEAR),
        bad_year_with=covered.quantile(BAD_YEAR),
        tail_mean_without=alone.tail_mean(BAD_YEAR),
        tail_mean_with=covered.tail_mean(BAD_YEAR),
        certainty_equivalent_without=alone.certainty_equivalent(aversion),
        certainty_equivalent_with=covered.certainty_equivalent(aversion),
        chance_of_payment=1 - unpaid,
        chance_of_maximum=1 - below if has_maximum else None,
    )


def _use(steps: BenefitSteps, size: int) -> FloatArray:
    """The factor of use that the price has for each member; 1 for days and events."""
    found = [step.value for step in steps.steps if step.name == "induced_utilisation"]
    use = found[0] if found else np.ones(size)
    if len(use) != size:
        message = f"benefit {steps.benefit} is priced for {len(use)} members, not {size}"
        raise InputError(message)
    return use


def _together(spreads: Sequence[Spread]) -> Spread:
    total, *more = spreads
    for one in more:
        total = total.plus(one)
    return total


def _dominating(
    name: str, values: Mapping[str, PlanValue], years: Mapping[str, Mapping[str, Sequence[Years]]]
) -> str | None:
    """The first variant that pays no less in any year and costs no more, but not the same."""
    mine = values[name]
    for other, theirs in values.items():
        if other == name or theirs.product != mine.product or theirs.premium > mine.premium:
            continue
        pairs = [
            (b.paid, a.paid)
            for benefit in years[name]
            for b, a in zip(years[other][benefit], years[name][benefit], strict=True)
        ]
        no_less = all((b >= a - 1e-9).all() for b, a in pairs)
        more = theirs.premium < mine.premium or any((b > a + 1e-9).any() for b, a in pairs)
        if no_less and more:
            return other
    return None
