"""Plans of a market priced from the means of their perils to the offered premium, step by step.

The meeting of benefits and rate book. `open_market` settles what one start of cover has in common;
`base_rates` come from a reference book, once for an edition; `price_plans` then prices members by
column, so that one alone costs what it costs among many. The filed premium reads the columns of the
plan's tariff and the base rate: no mean, no answer and no technical premium of the member.
Left out: how means are predicted, and who may be underwritten (`riskengine.products.underwriting`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from riskengine.errors import AnswerError, InputError, Problem, UnknownNameError
from riskengine.pricing.benefit_table import BenefitTable, Place, tabulate
from riskengine.pricing.filed import filed_steps, off_balance, rating_problems, relativities
from riskengine.pricing.household import charged_members, family_discount
from riskengine.pricing.offered import (
    OfferedPremium,
    Terms,
    edition_loadings,
    offered_premium,
    technical_premium,
)
from riskengine.pricing.perils import PerilModel
from riskengine.pricing.premium import Planned, Step, run
from riskengine.pricing.trend import CoverCost, cover_end, middle, peril_trends
from riskengine.pricing.utilisation import InducedUtilisation
from riskengine.products.benefit import Peril, Unit
from riskengine.products.product import Catalogue, Plan
from riskengine.products.rate_book_edition import (
    Edition,
    Editions,
    FamilyDiscount,
    SumOfMembers,
    Tariff,
)
from riskengine.tables import among
from riskengine.vocabulary import AnyArray, Columns, FloatArray, IntArray, Operation

STEP_NAMES = {
    Unit.CURRENCY: ("pure_premium", "actuarial_value"),
    Unit.DAYS: ("expected_days", "payment_per_day"),
    Unit.EVENTS: ("expected_events", "payment_per_event"),
}
"""The first step of a benefit and the one that leads to what is paid, by the unit of its peril."""


@dataclass(frozen=True, eq=False)
class Market:
    """What prices the plans of one market on any day; `experience_middle` dates the models."""

    catalogue: Catalogue
    editions: Editions
    perils: Mapping[Peril, PerilModel]
    utilisation: InducedUtilisation
    experience_middle: date


@dataclass(frozen=True, eq=False)
class OpenMarket:
    """A market for covers of one `start`: its edition, and the benefit curves at their trend."""

    catalogue: Catalogue
    edition: Edition
    utilisation: InducedUtilisation
    start: date
    table: BenefitTable
    renewal: bool

    def tariff(self, plan: str) -> Tariff:
        """The tariff that rates a plan; raises `UnknownNameError` for an unknown plan."""
        return self.edition.tariff(self.catalogue.plan(plan).tariff or "")


@dataclass(frozen=True, eq=False)
class Insured:
    """n members: answers by column, and the annual mean of each peril in its unit, untrended."""

    columns: Columns
    means: Mapping[Peril, FloatArray]

    def at(self, rows: IntArray) -> "Insured":
        """The members in `rows`."""
        return Insured(
            {name: values[rows] for name, values in self.columns.items()},
            {peril: values[rows] for peril, values in self.means.items()},
        )


@dataclass(frozen=True, eq=False)
class BenefitSteps:
    """One benefit for n members: from the mean of its peril to what the plan is expected to pay.

    The first steps run in the unit of the peril, the last one in currency a year.
    """

    benefit: str
    peril: Peril
    steps: tuple[Step, ...]


@dataclass(frozen=True, eq=False)
class PlanPrice:
    """One plan for n members: `benefits` add up to the start of `technical`.

    `filed` leads from the base rate to the filed premium, and `offered` begins with the same steps:
    `technical` moves them through the book alone.
    """

    plan: str
    benefits: tuple[BenefitSteps, ...]
    technical: tuple[Step, ...]
    filed: tuple[Step, ...]
    offered: OfferedPremium


def open_market(
    market: Market, start: date, months: int = 12, *, renewal: bool = False
) -> OpenMarket:
    """The market for covers of `months` that begin on `start`; made once, used for any members.

    Raises `UnknownNameError` for a start without an edition, and `SpecError` for a plan that has a
    benefit that no peril can price; that tariffs fit is settled when the market is read
    (`riskengine.products.market_check`).
    """
    edition = market.editions.on(start)
    cover = middle(start, cover_end(edition, start, months))
    trend = peril_trends(edition, market.experience_middle, cover)
    table = tabulate(market.catalogue.plans, market.perils, trend, renewal=renewal)
    return OpenMarket(market.catalogue, edition, market.utilisation, start, table, renewal)


def price_problems(market: OpenMarket, plan: str, columns: Columns) -> list[Problem]:
    """Why members (n,) have no price for a plan, value by value; empty: all have one.

    A plan not yet on sale, a value outside the tariff; but of no renewal, an age outside the plan's
    or an answer other than those it requires. Raises `UnknownNameError` for an unknown plan.
    """
    return plans_problems(market, (plan,), columns)[plan]


def plans_problems(
    market: OpenMarket, plans: Iterable[str], columns: Columns
) -> dict[str, list[Problem]]:
    """`price_problems` of each plan; what plans of one tariff share is looked at once."""
    rated: dict[str, list[Problem]] = {}
    found = {}
    for plan in plans:
        tariff = market.tariff(plan)
        if tariff.tariff not in rated:
            rated[tariff.tariff] = rating_problems(tariff, columns)
        found[plan] = rated[tariff.tariff] + _sale_problems(market, plan, columns)
    return found


def _sale_problems(market: OpenMarket, plan: str, columns: Columns) -> list[Problem]:
    problems = _entry_problems(market, plan, columns)
    return problems if market.renewal else problems + _required_problems(market, plan, columns)


def _required_problems(market: OpenMarket, plan: str, columns: Columns) -> list[Problem]:
    """Whose answers are not those that the plan requires, or are missing."""
    size = len(next(iter(columns.values())))
    problems = []
    for field, levels in market.catalogue.plan(plan).suitability.required_answers.items():
        told = f"plan {plan} is for {field} {' or '.join(levels)}"
        values = columns.get(field, np.full(size, None))
        problems += [
            Problem(row, field, str(values[row]), told)
            for row in (~among(values, levels)).nonzero()[0].tolist()
        ]
    return problems


def _entry_problems(market: OpenMarket, plan: str, columns: Columns) -> list[Problem]:
    """Who is too early, too young or too old."""
    found = market.catalogue.plan(plan)
    problems: list[Problem] = []
    size = len(next(iter(columns.values())))
    if not found.on_sale(market.start, renewal=market.renewal):
        told = f"plan {plan} is {found.sold}"
        problems += [Problem(row, "start", str(market.start), told) for row in range(size)]
    if market.renewal or "age" not in columns:
        return problems
    age = np.asarray(columns["age"], dtype=np.float64)
    low, high = found.entry_age.minimum, found.entry_age.maximum
    return problems + [
        Problem(row, "age", f"{age[row]:g}", f"plan {plan} is for ages {low} to {high}")
        for row in found.entry_age.outside(age).nonzero()[0].tolist()
    ]


def base_rates(
    market: OpenMarket, book: Insured, exposure: FloatArray, household: AnyArray | None = None
) -> dict[str, float]:
    """The base rate of every plan, currency a year, off-balance over a reference book.

    Of the book's members those count who could buy the plan by age and tariff. The answers it
    requires bar nobody here: a reference book draws them apart from health, and without some of its
    members would only be smaller. `exposure` (n,) in years; where the
    market charges a household for some of its members only, `household` (n,) names each one's.
    A rate is filed: find it once for an edition, at its first day. Raises `InputError` where nobody
    of the book could buy a plan, or the households are needed and absent.
    """
    charged = np.ones(len(exposure), dtype=bool)
    rule = market.edition.household
    if isinstance(rule, SumOfMembers):
        if household is None:
            message = f"edition {market.edition.edition} charges by household: give each member's"
            raise InputError(message)
        charged = charged_members(rule, household, np.asarray(book.columns["age"], np.float64))
    found = {}
    for plan in market.catalogue.plans:
        problems = rating_problems(market.tariff(plan.plan), book.columns)
        problems += _entry_problems(market, plan.plan, book.columns)
        barred = [problem.row for problem in problems]
        rows = np.setdiff1d(np.arange(len(exposure)), barred)
        members = book.at(rows)
        places = market.table.place(members.means)
        technical = _technical(market, _benefits(market, plan, places))[-1].running
        found[plan.plan] = off_balance(
            market.tariff(plan.plan), technical, exposure[rows], members.columns, charged[rows]
        )
    return found


def price_plans(
    market: OpenMarket,
    members: Insured,
    base_rates: Mapping[str, float],
    terms: Mapping[str, Terms],
    *,
    checked: bool = False,
) -> dict[str, PlanPrice]:
    """Every step of the plans named in `terms`, for n members.

    Raises `AnswerError` with the reasons where a member has no price for one of the plans
    (`plans_problems` lists them; `checked` says that it found none), or terms are out of bounds;
    `UnknownNameError` for an unknown plan or one without a base rate.
    """
    by_plan = {} if checked else plans_problems(market, terms, members.columns)
    problems = [problem for found in by_plan.values() for problem in found]
    if problems:
        raise AnswerError(problems)
    places = market.table.place(members.means, market.table.perils(terms))
    rated = {
        tariff.tariff: relativities(tariff, members.columns)
        for tariff in {market.catalogue.plan(p).tariff: market.tariff(p) for p in terms}.values()
    }
    prices = {}
    for plan, of_plan in terms.items():
        if plan not in base_rates:
            message = f"plan {plan} has no base rate; there are {', '.join(base_rates)}"
            raise UnknownNameError(message)
        benefits = _benefits(market, market.catalogue.plan(plan), places)
        filed = filed_steps(base_rates[plan], rated[market.tariff(plan).tariff])
        prices[plan] = PlanPrice(
            plan,
            benefits,
            _technical(market, benefits),
            filed,
            offered_premium(market.edition, filed, of_plan),
        )
    return prices


def household_terms(edition: Edition, household: AnyArray, terms: Terms) -> Terms:
    """The terms with the discount of each member's household, where the market gives one."""
    if not isinstance(edition.household, FamilyDiscount):
        return terms
    share = family_discount(edition, household)
    return replace(terms, discounts={**terms.discounts, "family": share})


def _benefits(
    market: OpenMarket, plan: Plan, places: Mapping[Peril, Place]
) -> tuple[BenefitSteps, ...]:
    paid = market.table.payments(plan.plan, places)
    return tuple(
        BenefitSteps(name, benefit.peril, _benefit_steps(market, benefit.peril, places, paid[name]))
        for name, benefit in plan.benefits.items()
    )


def _benefit_steps(
    market: OpenMarket, peril: Peril, places: Mapping[Peril, Place], paid: FloatArray
) -> tuple[Step, ...]:
    """Mean, trend, what is paid for each unit of it, and of money the use that cover induces."""
    mean, trend = places[peril].mean, market.table.trend[peril]
    start, benefit = STEP_NAMES[peril.unit]
    ratio = paid / (trend * mean)
    planned: list[Planned] = [
        (start, Operation.START, mean),
        ("trend_factor", Operation.MULTIPLY, trend),
    ]
    if peril.unit is not Unit.CURRENCY:
        return run([*planned, (benefit, Operation.MULTIPLY, ratio)], mean)
    value = np.minimum(ratio, 1.0)
    use = market.utilisation.factor(value)
    planned.append((benefit, Operation.MULTIPLY, value))
    return run([*planned, ("induced_utilisation", Operation.MULTIPLY, use)], mean)


def _technical(market: OpenMarket, benefits: tuple[BenefitSteps, ...]) -> tuple[Step, ...]:
    """To the technical premium; means hold large claims already, so there is no pooling charge."""
    expected: FloatArray = np.sum([one.steps[-1].running for one in benefits], axis=0)
    loadings = edition_loadings(market.edition, market.table.trend[benefits[0].peril])
    return technical_premium(CoverCost(expected), 0.0, loadings)
