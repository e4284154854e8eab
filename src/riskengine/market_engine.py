"""The flow of a market: answers to a quote and a recommendation, a book to a repriced book.

Pure: no clock, no files, no network. One member, a household and a book are columns of one length,
and go the same way, so that a live price and a batch price agree to the cent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

import numpy as np

from riskengine.errors import AnswerError, Problem
from riskengine.market_release import MarketRelease
from riskengine.pricing.household import household_premiums
from riskengine.pricing.market import (
    Insured,
    OpenMarket,
    PlanPrice,
    household_terms,
    open_market,
    plans_problems,
    price_plans,
    price_problems,
)
from riskengine.pricing.offered import Terms
from riskengine.pricing.premium import effects_of
from riskengine.pricing.rating import reference_columns
from riskengine.products.benefit import Peril
from riskengine.products.rate_book_edition import Edition, FamilyDiscount
from riskengine.products.underwriting import (
    Decision,
    Decisions,
    Severity,
    answer_problems,
    underwrite,
)
from riskengine.profiles.questions import check_columns
from riskengine.tables import among
from riskengine.vocabulary import AnyArray, Columns, FloatArray, IntArray

_OPEN_MARKETS = 64


@dataclass(frozen=True, eq=False)
class MarketQuote:
    """Plans priced for the m members of one household; the rest refused with every reason.

    `means` are of the perils that priced plans insure; `underwriting` is of the members, in their
    order; `premium_cents` by plan is what the household pays together, a year.
    """

    start: date
    edition: str
    means: Mapping[Peril, FloatArray]
    underwriting: Decisions
    prices: dict[str, PlanPrice]
    premium_cents: dict[str, int]
    refused: dict[str, tuple[Problem, ...]]

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What was decided of each member, in words."""
        return tuple(self.underwriting.of(row) for row in range(len(self.underwriting.severity)))


@dataclass(frozen=True, eq=False)
class RepricedBook:
    """n policies, each priced for its own plan; amounts in currency a year, cents as integers."""

    expected_plan_paid: FloatArray
    technical_premium: FloatArray
    filed_premium: FloatArray
    offered_cents: IntArray
    steps: dict[str, FloatArray]
    """By name of step, what it multiplies the premium by; 1 where a plan has no such step."""


@lru_cache(maxsize=_OPEN_MARKETS)
def opened(release: MarketRelease, start: date, *, renewal: bool) -> OpenMarket:
    """The market for covers of twelve months from `start`; kept, as many quotes share it."""
    return open_market(release.market, start, renewal=renewal)


def quote_market(
    release: MarketRelease,
    columns: Columns,
    start: date,
    plans: Sequence[str] = (),
    payments: int | None = None,
    *,
    checked: bool = False,
) -> MarketQuote:
    """Price `plans` (all of the catalogue where empty) for the household in `columns` (m,).

    A plan that not all of its members can have is refused with the reasons of each: where it was
    named, the price of all others stands. Underwriting that declines or refers a member refuses
    every plan it applies to. Raises `AnswerError` for answers that can be none (`checked` says that
    `check_columns` found nothing), `UnknownNameError` for an unknown plan or a start without an
    edition.
    """
    asked = (tuple(plans), payments)
    return quote_household(release, columns, start, asked, checked=checked)


def quote_household(
    release: MarketRelease,
    columns: Columns,
    start: date,
    asked: tuple[tuple[str, ...], int | None],
    barred_from: Severity = Severity.REFER,
    *,
    checked: bool = False,
) -> MarketQuote:
    """As `quote_market`, of `asked` (plans, payments); underwriting refuses from a severity on.

    What it has not decided has the loading that is known so far.
    """
    plans, payments = asked
    problems = [] if checked else check_columns(release.questions, columns)
    problems += answer_problems(release.underwriting, columns)
    if problems:
        raise AnswerError(problems)
    market = opened(release, start, renewal=False)
    size = len(columns["age"])
    household = np.zeros(size, dtype=np.int64)
    decided = decide(release, columns, size, market.edition, checked=True)
    declined = _declined(decided, barred_from)
    refused = _refusals(market, plans or release.catalogue.names, columns, declined)
    able = [plan for plan in plans or release.catalogue.names if not refused.get(plan)]
    members = Insured(columns, annual_means(release, columns, market.table.perils(able)))
    shared = household_terms(market.edition, household, _yearly(market.edition, payments))
    terms = {plan: _loaded(market, decided.loading, plan, shared) for plan in able}
    rates = release.base_rates[market.edition.edition]
    prices = price_plans(market, members, rates, terms, checked=True)
    age = np.asarray(columns["age"], dtype=np.float64)
    together = {
        plan: household_premiums(market.edition, household, age, price.offered.offered_cents)[1]
        for plan, price in prices.items()
    }
    return MarketQuote(
        start,
        market.edition.edition,
        members.means,
        decided,
        prices,
        {plan: int(cents[0]) for plan, cents in together.items()},
        {plan: tuple(found) for plan, found in refused.items() if found},
    )


def quote_book(
    release: MarketRelease, columns: Columns, plans: AnyArray, start: date
) -> RepricedBook:
    """Price n applicants for covers from `start`, each for the plan of its row in `plans` (n,).

    Underwritten as `quote_market` does. Raises `AnswerError` for every row without a price.
    """
    market = opened(release, start, renewal=False)
    problems = book_problems(release, columns, plans, start, renewal=False)
    size = len(plans)
    decided = decide(release, columns, size, market.edition)
    underwritten = np.isin(plans, _underwritten(market))
    problems += [problem for problem in _declined(decided) if underwritten[problem.row]]
    if problems:
        raise AnswerError(problems)
    terms = _yearly(market.edition, None)
    if market.edition.underwriting_loading is not None:
        loading = np.where(underwritten, decided.loading, 0.0)
        terms = replace(terms, underwriting_loading=loading)
    return _price_book(release, market, columns, plans, terms)


def reprice_book(
    release: MarketRelease,
    columns: Columns,
    plans: AnyArray,
    start: date,
    expiring_premium: FloatArray | None = None,
    *,
    checked: bool = False,
) -> RepricedBook:
    """Renew n policies on `start`, each for the plan of its row in `plans` (n,), names as objects.

    `expiring_premium` (n,), currency a year at equal benefits, binds where the edition has a cap or
    a collar; NaN where there is none. A renewal is not underwritten anew. Raises `AnswerError` for
    rows without a price (`book_problems` lists them; `checked` says that it found none).
    """
    problems = [] if checked else book_problems(release, columns, plans, start)
    if problems:
        raise AnswerError(problems)
    market = opened(release, start, renewal=True)
    terms = replace(_yearly(market.edition, None), expiring_premium=expiring_premium)
    return _price_book(release, market, columns, plans, terms)


def _price_book(
    release: MarketRelease, market: OpenMarket, columns: Columns, plans: AnyArray, terms: Terms
) -> RepricedBook:
    """Each row's plan; each row is a household of its own unless `columns` has `household`."""
    size = len(plans)
    terms = household_terms(market.edition, columns.get("household", np.arange(size)), terms)
    rated, rates = {*_rated(market, columns)}, release.base_rates[market.edition.edition]
    book = RepricedBook(
        expected_plan_paid=np.zeros(size),
        technical_premium=np.zeros(size),
        filed_premium=np.zeros(size),
        offered_cents=np.zeros(size, dtype=np.int64),
        steps={},
    )
    for plan in release.catalogue.names:
        rows = np.flatnonzero(plans == plan)
        if not len(rows):
            continue
        # A policy needs the means of its own plan's perils, and no others.
        perils = market.table.perils((plan,))
        read = rated.union(*(release.models[peril].spec.features.names for peril in perils))
        told = {name: values[rows] for name, values in columns.items() if name in read}
        members = Insured(told, annual_means(release, told, perils))
        at = _terms_at(terms, rows)
        price = price_plans(market, members, rates, {plan: at}, checked=True)[plan]
        book.expected_plan_paid[rows] = price.technical[0].running
        book.technical_premium[rows] = price.technical[-1].running
        book.filed_premium[rows] = price.filed[-1].running
        book.offered_cents[rows] = price.offered.offered_cents
        for name, effect in effects_of(price.offered.steps).items():
            book.steps.setdefault(name, np.ones(size))[rows] = effect
    return book


def book_problems(
    release: MarketRelease, columns: Columns, plans: AnyArray, start: date, *, renewal: bool = True
) -> list[Problem]:
    """Everything that keeps rows of a book from being priced for the plan named in the row."""
    problems = check_columns(release.questions, columns)
    market = opened(release, start, renewal=renewal)
    names = release.catalogue.names
    problems += [
        Problem(row, "plan", str(plans[row]), f"known are {', '.join(names)}")
        for row in np.flatnonzero(~among(plans, names)).tolist()
    ]
    rated = _rated(market, columns)
    for plan in names:
        rows = np.flatnonzero(plans == plan)
        if len(rows):
            of_plan = {name: values[rows] for name, values in rated.items()}
            problems += [
                replace(problem, row=int(rows[problem.row]))
                for problem in price_problems(market, plan, of_plan)
            ]
    return problems


def _rated(market: OpenMarket, columns: Columns) -> Columns:
    """The columns that tariffs and gates read: the others need not be copied plan by plan."""
    tables = [table for tariff in market.edition.tariffs for table in tariff.factors]
    reads = {"age", *(name for table in tables for name in table.reads)}
    reads |= {name for p in market.catalogue.plans for name in p.suitability.required_answers}
    return {name: values for name, values in columns.items() if name in reads}


def renewal_steps(edition: Edition) -> tuple[str, ...]:
    """The steps that renewals paid as `reprice_book` has them may take, over all tariffs."""
    factors = [table.factor for tariff in edition.tariffs for table in tariff.factors]
    payments = edition.instalment(_yearly(edition, None).payments)
    in_parts = payments.payments > 1
    taken = {
        "family_discount": isinstance(edition.household, FamilyDiscount),
        "cap": edition.cap is not None,
        "collar": edition.collar is not None,
        "minimum_premium": edition.minimum_premium is not None,
        "instalment_factor": in_parts or payments.factor.value != 1,
        "payments": in_parts,
        "instalment_premium": in_parts,
    }
    adjusting = (name for name, there in taken.items() if there)
    return tuple(dict.fromkeys(["base_rate", *factors, *adjusting, "offered_premium"]))


def annual_means(
    release: MarketRelease, columns: Columns, perils: Iterable[Peril] | None = None
) -> dict[Peril, FloatArray]:
    """The annual mean of `perils` (all) under full cover, in its unit, untrended, (n,) each."""
    models = release.models
    return {
        peril: models[peril].predict(reference_columns(models[peril], columns))
        for peril in (models if perils is None else perils)
    }


def decide(
    release: MarketRelease,
    columns: Columns,
    size: int,
    edition: Edition,
    *,
    checked: bool = False,
) -> Decisions:
    """What underwriting says of `size` members; see `riskengine.products.underwriting`."""
    most = edition.most_loading
    return underwrite(release.underwriting, columns, size, most, checked=checked)


def _terms_at(terms: Terms, rows: IntArray) -> Terms:
    def at(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else values[rows]

    return replace(
        terms,
        underwriting_loading=at(terms.underwriting_loading),
        discounts={name: share[rows] for name, share in terms.discounts.items()},
        expiring_premium=at(terms.expiring_premium),
    )


def _yearly(edition: Edition, payments: int | None) -> Terms:
    """Paid once a year where the edition allows it, else in the fewest instalments it does."""
    return Terms(payments=edition.fewest_payments if payments is None else payments)


def _loaded(market: OpenMarket, loading: FloatArray, plan: str, terms: Terms) -> Terms:
    """The terms of a plan with the loadings of its members; who is refused has no price."""
    if market.edition.underwriting_loading is None:
        return terms
    asks = market.catalogue.plan(plan).suitability.underwritten
    return replace(terms, underwriting_loading=loading if asks else np.zeros(len(loading)))


def _underwritten(market: OpenMarket) -> AnyArray:
    """The plans that ask about health."""
    plans = market.catalogue.plans
    return np.array([one.plan for one in plans if one.suitability.underwritten], dtype=object)


def _refusals(
    market: OpenMarket, plans: Sequence[str], columns: Columns, declined: list[Problem]
) -> dict[str, list[Problem]]:
    asks = _underwritten(market)
    found = plans_problems(market, plans, columns)
    return {plan: problems + (declined if plan in asks else []) for plan, problems in found.items()}


def _declined(decided: Decisions, barred_from: Severity = Severity.REFER) -> list[Problem]:
    """Who is decided on with this severity or a worse one, with each reason."""
    return [
        Problem(row, "underwriting", Severity(int(decided.severity[row])).name.lower(), reason)
        for row in np.flatnonzero(decided.severity >= barred_from).tolist()
        for reason in _reasons(decided.of(row))
    ]


def _reasons(decision: Decision) -> list[str]:
    told = [text.en for _, text in decision.reasons]
    if decision.missing:
        told.append(f"answer {', '.join(decision.missing)} for a decision")
    return told
