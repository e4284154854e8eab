"""One member priced in plain numbers: the steps of `riskengine.pricing.market`, bit for bit.

A live quote is for one member, and laying a single number out as a column costs far more than the
arithmetic on it. What plans share is settled once (`OneMember`), so a quote is arithmetic alone.
The columns remain the definition: whatever is out of the ordinary (a refusal, a mean off the grid,
a household, terms of a renewal) gives None here, and the caller goes their way.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import NamedTuple

import numpy as np

from riskengine.pricing.benefit_table import Curve
from riskengine.pricing.household import family_discount
from riskengine.pricing.market import STEP_NAMES, OpenMarket
from riskengine.pricing.offered import Terms, terms_problems
from riskengine.pricing.perils import MeanGrid
from riskengine.pricing.premium import cents_half_up
from riskengine.products.benefit import Peril, Unit
from riskengine.products.product import Plan, whole_years
from riskengine.products.rate_book_edition import (
    Edition,
    FamilyDiscount,
    FamilyTiers,
    Instalment,
    SumOfMembers,
)
from riskengine.products.rate_book_factors import FactorTable
from riskengine.vocabulary import Operation, Value

_MOST_BENEFITS = 7
"""Up to so many, numpy's sum adds one after the other."""
_START, _ADD, _MULTIPLY = Operation.START, Operation.ADD, Operation.MULTIPLY
_DIVIDE, _AT_LEAST, _ROUND = Operation.DIVIDE, Operation.AT_LEAST, Operation.ROUND


class PlannedStep(NamedTuple):
    """A step, with its value and running value where they are the same for every member."""

    name: str
    operation: Operation
    value: float | None = None
    running: float | None = None


class Outline(NamedTuple):
    """The steps of a plan; `benefits` by name and peril, see `riskengine.pricing.market.PlanPrice`.

    The numbers of a `PlainPrice` are, step by step, value and running value, unless they are here.
    """

    benefits: list[tuple[str, Peril, list[PlannedStep]]]
    technical: list[PlannedStep]
    offered: list[PlannedStep]

    @property
    def steps(self) -> list[PlannedStep]:
        """All of them."""
        benefits = [step for _, _, steps in self.benefits for step in steps]
        return [*benefits, *self.technical, *self.offered]


class PlainPrice(NamedTuple):
    """One plan for one member: the numbers of its steps in the order of the outline.

    `instalment_cents` is paid at a time.
    """

    numbers: list[float]
    instalment_cents: int


class PlainMember(NamedTuple):
    """One member: answers by name, annual means in the order of `OneMember.perils`, and a loading.

    Only the means of the perils that plans insure are looked at. The loading is a share of premium.
    """

    values: Mapping[str, Value]
    means: Sequence[float]
    loading: float


class _Curve:
    """A benefit: its payments at the knots of its peril, and the step that leads to them."""

    def __init__(self, curve: Curve, at: int) -> None:
        self.benefit, self.peril, self.at = curve.benefit, curve.peril, at
        self.payments: list[float] = curve.payments.tolist()
        self.step, self.money = STEP_NAMES[curve.peril.unit][1], curve.peril.unit is Unit.CURRENCY

    def share(self, place: "_Place") -> float:
        """What is paid of the trended mean, or for each of its units."""
        low = self.payments[place.knot]
        paid = low + (self.payments[place.knot + 1] - low) * place.along
        ratio = paid / place.trended
        return min(ratio, 1.0) if self.money else ratio

    def steps(self, trend: float) -> list[PlannedStep]:
        """What leads to what the plan is expected to pay."""
        found = [
            PlannedStep(STEP_NAMES[self.peril.unit][0], _START),
            PlannedStep("trend_factor", _MULTIPLY, trend),
            PlannedStep(self.step, _MULTIPLY),
        ]
        return [*found, PlannedStep("induced_utilisation", _MULTIPLY)] if self.money else found


class _Grid:
    """A peril: `MeanGrid.place` of one mean, and the trend."""

    def __init__(self, grid: MeanGrid, trend: float) -> None:
        self.lowest, self.highest = grid.reach
        self.knots: list[float] = grid.means().tolist()
        self.widening = float(np.expm1(grid.step))
        self.last, self.trend = len(self.knots) - 2, trend

    def place(self, mean: float) -> "_Place | None":
        """Where a mean stands; None off the grid."""
        if not self.lowest <= mean <= self.highest:
            return None
        knot = min(max(bisect_right(self.knots, mean) - 1, 0), self.last)
        along = (mean / self.knots[knot] - 1) / self.widening
        trended = mean * self.trend
        return _Place(knot, along, trended, (mean, mean, trended))


class _Place(NamedTuple):
    """Where one mean stands; `numbers` lead to its `trended` value, the same for every benefit."""

    knot: int
    along: float
    trended: float
    numbers: tuple[float, float, float]


class _Factor:
    """`FactorTable.relativity` of one value."""

    def __init__(self, table: FactorTable) -> None:
        self.factor, self._bands = table.factor, table.levels is None
        self._relativities = [row.relativity for row in table.rows]
        self._levels: Mapping[Value, float] = {row.level: row.relativity for row in table.rows}
        self._lows = [row.low or 0 for row in table.rows]
        self._last = inf if table.rows[-1].high is None else table.rows[-1].high
        self._from_age = -inf if table.from_age is None else table.from_age.value

    def relativity(self, values: Mapping[str, Value], years: int) -> float | None:
        """For a member of so many whole years; None for a value in no row."""
        if years < self._from_age:
            return 1.0
        value = values.get(self.factor)
        if not self._bands:
            return self._levels.get(value)
        if not isinstance(value, float):
            return None
        whole = whole_years(value)
        at = bisect_right(self._lows, whole) - 1
        return self._relativities[at] if at >= 0 and whole <= self._last else None


class PricedPlan:
    """A plan as `OneMember` prices it."""

    def __init__(self, plan: Plan, curves: Sequence[_Curve], base_rate: float) -> None:
        self.name, self.plan, self.curves, self.base_rate = plan.plan, plan, curves, base_rate
        self.tariff = plan.tariff or ""
        self.youngest, self.oldest = plan.entry_age.minimum, plan.entry_age.maximum
        self.underwritten = plan.suitability.underwritten
        self.required = plan.suitability.required_answers


class PlanSet:
    """Plans that are priced together, and what they share; `OneMember.plan_set` makes it."""

    def __init__(self, plans: Sequence[PricedPlan], grids: Sequence[_Grid]) -> None:
        self.plans = tuple(plans)
        self.grids = {curve.at: grids[curve.at] for plan in plans for curve in plan.curves}
        self.tariffs = tuple({plan.tariff: None for plan in plans})
        self.youngest = max((plan.youngest for plan in plans), default=0)
        self.oldest = min((plan.oldest for plan in plans), default=0)
        self.underwritten = any(plan.underwritten for plan in plans)
        self.required = [one for plan in plans for one in plan.required.items()]


class OneMember:
    """A market for new covers of one member; make it with `one_member`."""

    def __init__(
        self, market: OpenMarket, rates: Mapping[str, float], discount: float | None
    ) -> None:
        edition, table = market.edition, market.table
        self._edition, self._discount, self._use = edition, discount, market.utilisation
        self.perils = tuple(table.grids)
        self._grids = [_Grid(table.grids[one], table.trend[one]) for one in self.perils]
        self._factors = {
            tariff.tariff: [_Factor(one) for one in tariff.factors] for tariff in edition.tariffs
        }
        self._fixed, self._ratio = edition.fixed_expense.value, edition.permissible_loss_ratio
        self._loads = edition.underwriting_loading is not None
        self._least = None if edition.minimum_premium is None else edition.minimum_premium.value
        at = {peril: place for place, peril in enumerate(self.perils)}
        self._plans = {
            plan.plan: PricedPlan(
                plan,
                [_Curve(curve, at[curve.peril]) for curve in table.curves[plan.plan]],
                rates[plan.plan],
            )
            for plan in market.catalogue.plans
            if plan.on_sale(market.start)
        }

    def plan_set(self, names: Iterable[str]) -> PlanSet | None:
        """The plans of these names; None where one is not on sale."""
        found = [self._plans.get(name) for name in names]
        plans = [plan for plan in found if plan is not None]
        return PlanSet(plans, self._grids) if len(plans) == len(found) else None

    def price(self, asked: PlanSet, member: PlainMember, payments: int) -> list[PlainPrice] | None:
        """The plans in their order, paid in so many instalments a year.

        None where the columns have to be asked. Raises `UnknownNameError` for a way to pay that the
        edition does not have, and `InputError` for a premium that is no amount.
        """
        age = member.values.get("age")
        if not isinstance(age, float):
            return None
        years = whole_years(age)
        if not asked.youngest <= years <= asked.oldest:
            return None
        for field, levels in asked.required:
            if member.values.get(field) not in levels:
                return None
        places: dict[int, _Place] = {}
        for at, grid in asked.grids.items():
            place = grid.place(member.means[at])
            if place is None:
                return None
            places[at] = place
        rated: dict[str, list[float]] = {}
        for tariff in asked.tariffs:
            relativities = self._rated(tariff, member.values, years)
            if relativities is None:
                return None
            rated[tariff] = relativities
        instalment = self._edition.instalment(payments)
        found = []
        for plan in asked.plans:
            numbers: list[float] = []
            self._benefits(numbers, plan, places)
            running = self._filed(numbers, plan.base_rate, rated[plan.tariff])
            loading = member.loading if plan.underwritten else 0.0
            cents = self._offer(numbers, running, loading, instalment)
            found.append(PlainPrice(numbers, cents))
        return found

    def outline(self, plan: PricedPlan, payments: int) -> Outline:
        """The steps of a plan; raises `UnknownNameError` as `price` does."""
        instalment = self._edition.instalment(payments)
        factor, several = instalment.factor.value, instalment.payments > 1
        parts = float(instalment.payments)
        off = 1 - (self._discount or 0.0)
        adjusting = {
            PlannedStep("underwriting_loading", _MULTIPLY): self._loads,
            PlannedStep("family_discount", _MULTIPLY, off): self._discount is not None,
            PlannedStep("minimum_premium", _AT_LEAST, self._least): self._least is not None,
            PlannedStep("instalment_factor", _MULTIPLY, factor): several or factor != 1,
            PlannedStep("payments", _DIVIDE, parts): several,
            PlannedStep("instalment_premium", _ROUND, 2.0): several,
            PlannedStep("offered_premium", _MULTIPLY, parts): several,
            PlannedStep("offered_premium", _ROUND, 2.0): not several,
        }
        base = plan.base_rate
        factors = [PlannedStep(one.factor, _MULTIPLY) for one in self._factors[plan.tariff]]
        return Outline(
            [(c.benefit, c.peril, c.steps(self._grids[c.at].trend)) for c in plan.curves],
            [
                PlannedStep("expected_plan_paid", _START),
                PlannedStep("pooling_charge", _ADD, 0.0),
                PlannedStep("fixed_expense", _ADD, self._fixed),
                PlannedStep("permissible_loss_ratio", _DIVIDE, self._ratio),
            ],
            [
                PlannedStep("base_rate", _START, base, base),
                *factors,
                *(one for one, there in adjusting.items() if there),
            ],
        )

    def _rated(self, tariff: str, values: Mapping[str, Value], years: int) -> list[float] | None:
        """The relativity of each factor of a tariff; None where a value has none."""
        found = []
        for factor in self._factors[tariff]:
            relativity = factor.relativity(values, years)
            if relativity is None:
                return None
            found.append(relativity)
        return found

    def _benefits(
        self, numbers: list[float], plan: PricedPlan, places: Mapping[int, _Place]
    ) -> None:
        """Add the benefits and the technical premium."""
        expected: float | None = None
        for curve in plan.curves:
            place = places[curve.at]
            share = curve.share(place)
            paid = place.trended * share
            numbers += place.numbers
            numbers += (share, paid)
            if curve.money:
                use = self._use.factor_of(share)
                paid *= use
                numbers += (use, paid)
            expected = paid if expected is None else expected + paid
        assert expected is not None
        pooled = expected + 0.0
        spent = pooled + self._fixed
        numbers += (expected, expected, pooled, spent, spent / self._ratio)

    def _filed(
        self, numbers: list[float], base_rate: float, relativities: Sequence[float]
    ) -> float:
        """Add the steps to the filed premium, which is returned."""
        running = base_rate
        for relativity in relativities:
            running *= relativity
            numbers += (relativity, running)
        return running

    def _offer(
        self, numbers: list[float], running: float, loading: float, instalment: Instalment
    ) -> int:
        """Add the steps from the filed to the offered premium; the cents of an instalment."""
        if self._loads:
            running *= 1 + loading
            numbers += (1 + loading, running)
        if self._discount is not None:
            running *= 1 - self._discount
            numbers.append(running)
        if self._least is not None:
            running = max(running, self._least)
            numbers.append(running)
        payments, factor = instalment.payments, instalment.factor.value
        if payments > 1 or factor != 1:
            running *= factor
            numbers.append(running)
        if payments > 1:
            running /= payments
            numbers.append(running)
        cents = cents_half_up(running)
        paid = cents / 100
        numbers.append(paid)
        if payments > 1:
            numbers.append(paid * payments)
        return cents


def one_member(market: OpenMarket, rates: Mapping[str, float]) -> OneMember | None:
    """Compile a market of new covers for one member; None where its rules need a household."""
    edition = market.edition
    most = max(map(len, market.table.curves.values()), default=0)
    if market.renewal or most > _MOST_BENEFITS or not _pays_alone(edition):
        return None
    if not isinstance(edition.household, FamilyDiscount):
        return OneMember(market, rates, None)
    share = family_discount(edition, np.zeros(1, dtype=np.int64))
    if terms_problems(edition, Terms(discounts={"family": share})):
        return None
    return OneMember(market, rates, float(share[0]))


def _pays_alone(edition: Edition) -> bool:
    """Whether a household of one pays just what its member does, at any age."""
    rule = edition.household
    if isinstance(rule, SumOfMembers):
        return rule.most_children.value >= 1
    return not isinstance(rule, FamilyTiers)
