"""The flow of a market on one screen: answers to a quote, a book to a repriced book.

Pure: no clock, no files, no network. One member, a household and a book are columns of one length,
and go the same way, so that a live price and a batch price agree to the cent.
"""

from collections.abc import Mapping, Sequence
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
from riskengine.products.rate_book_edition import Edition
from riskengine.products.underwriting import (
    Decision,
    Decisions,
    Severity,
    answer_problems,
    underwrite,
)
from riskengine.profiles.questions import check_columns
from riskengine.vocabulary import AnyArray, Columns, FloatArray, IntArray

_OPEN_MARKETS = 64


@dataclass(frozen=True, eq=False)
class MarketQuote:
    """Plans priced for the m members of one household; the rest refused with every reason.

    `decisions` are of the members, in their order; `premium_cents` by plan is what the household
    pays together, a year.
    """

    start: date
    edition: str
    means: Mapping[Peril, FloatArray]
    decisions: tuple[Decision, ...]
    prices: dict[str, PlanPrice]
    premium_cents: dict[str, int]
    refused: dict[str, tuple[Problem, ...]]


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
) -> MarketQuote:
    """Price `plans` (all of the catalogue where empty) for the household in `columns` (m,).

    A plan that not all of its members can have is refused with the reasons of each: where it was
    named, the price of all others stands. Underwriting that declines or refers a member refuses
    every plan it applies to. Raises `AnswerError` for answers that can be none, `UnknownNameError`
    for an unknown plan or a start without an edition.
    """
    problems = check_columns(release.questions, columns)
    problems += answer_problems(release.underwriting, columns)
    if problems:
        raise AnswerError(problems)
    market = opened(release, start, renewal=False)
    size = len(columns["age"])
    household = np.zeros(size, dtype=np.int64)
    decided = decide(release, columns, size, market.edition)
    refused = _refusals(market, plans or release.catalogue.names, columns, decided)
    members = Insured(columns, annual_means(release, columns))
    terms = household_terms(market.edition, household, _loaded(market.edition, decided, payments))
    able = [plan for plan in plans or release.catalogue.names if not refused.get(plan)]
    rates = release.base_rates[market.edition.edition]
    prices = price_plans(market, members, rates, dict.fromkeys(able, terms))
    age = np.asarray(columns["age"], dtype=np.float64)
    together = {
        plan: household_premiums(market.edition, household, age, price.offered.offered_cents)[1]
        for plan, price in prices.items()
    }
    return MarketQuote(
        start,
        market.edition.edition,
        members.means,
        tuple(decided.of(row) for row in range(size)),
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
    problems += _declined(decided)
    if problems:
        raise AnswerError(problems)
    return _price_book(release, market, columns, plans, _loaded(market.edition, decided, None))


def reprice_book(
    release: MarketRelease,
    columns: Columns,
    plans: AnyArray,
    start: date,
    expiring_premium: FloatArray | None = None,
) -> RepricedBook:
    """Renew n policies on `start`, each for the plan of its row in `plans` (n,), names as objects.

    `expiring_premium` (n,), currency a year at equal benefits, binds where the edition has a cap or
    a collar; NaN where there is none. A renewal is not underwritten anew. Raises `AnswerError` for
    rows without a price (`book_problems` lists them).
    """
    problems = book_problems(release, columns, plans, start)
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
    members = Insured(columns, annual_means(release, columns))
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
        price = _price_rows(release, market, members.at(rows), plan, _terms_at(terms, rows))
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
    unknown = ~np.isin(plans, np.array(names, dtype=object))
    problems += [
        Problem(row, "plan", str(plans[row]), f"known are {', '.join(names)}")
        for row in np.flatnonzero(unknown).tolist()
    ]
    for plan in names:
        rows = np.flatnonzero(plans == plan)
        if len(rows):
            of_plan = {name: values[rows] for name, values in columns.items()}
            problems += [
                replace(problem, row=int(rows[problem.row]))
                for problem in price_problems(market, plan, of_plan)
            ]
    return problems


def annual_means(release: MarketRelease, columns: Columns) -> dict[Peril, FloatArray]:
    """The annual mean of every peril under full cover, in its unit, untrended, (n,) each."""
    return {
        peril: model.predict(reference_columns(model, columns))
        for peril, model in release.models.items()
    }


def decide(release: MarketRelease, columns: Columns, size: int, edition: Edition) -> Decisions:
    """What underwriting says of `size` members; see `riskengine.products.underwriting`."""
    most = 0.0 if edition.underwriting_loading is None else edition.underwriting_loading.value
    return underwrite(release.underwriting, columns, size, most)


def _price_rows(
    release: MarketRelease, market: OpenMarket, members: Insured, plan: str, terms: Terms
) -> PlanPrice:
    rates = release.base_rates[market.edition.edition]
    return price_plans(market, members, rates, {plan: terms})[plan]


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
    fewest = min(one.payments for one in edition.instalments)
    return Terms(payments=fewest if payments is None else payments)


def _loaded(edition: Edition, decided: Decisions, payments: int | None) -> Terms:
    terms = _yearly(edition, payments)
    if edition.underwriting_loading is None:
        return terms
    # Who is refused has no price; the loading of the others is within bounds.
    return replace(terms, underwriting_loading=np.where(decided.too_much, 0.0, decided.loading))


def _refusals(
    market: OpenMarket, plans: Sequence[str], columns: Columns, decided: Decisions
) -> dict[str, list[Problem]]:
    declined = _declined(decided)
    found = plans_problems(market, plans, columns)
    return {plan: problems + declined for plan, problems in found.items()}


def _declined(decided: Decisions) -> list[Problem]:
    """Who is referred or declined, with each reason."""
    return [
        Problem(row, "underwriting", Severity(int(decided.severity[row])).name.lower(), reason)
        for row in np.flatnonzero(decided.severity >= Severity.REFER).tolist()
        for reason in _reasons(decided.of(row))
    ]


def _reasons(decision: Decision) -> list[str]:
    told = [text.en for _, text in decision.reasons]
    if decision.missing:
        told.append(f"answer {', '.join(decision.missing)} for a decision")
    return told
