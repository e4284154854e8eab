"""The whole flow on one screen: answers to a quote, to a recommendation, a book to a repriced book.

Pure: no clock, no files, no network. Every front door calls these three functions and no other.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np

from riskengine.errors import AnswerError, Problem, UnknownNameError
from riskengine.pricing.premium import effects_of
from riskengine.pricing.rating import PricedPlan, price_plan, reference_columns
from riskengine.profiles.questions import check_columns, missing_answers
from riskengine.recommendation.eligibility import Failure, failures, gates
from riskengine.recommendation.ranking import rank
from riskengine.recommendation.reasons import Reason, reasons_for
from riskengine.recommendation.value import AnnualCost, Worth, worth
from riskengine.release import Release
from riskengine.risk.model import Relativities
from riskengine.vocabulary import AnyArray, Columns, FloatArray, IntArray


@dataclass(frozen=True)
class Quote:
    """Offers for one member, with what led to them. `missing` are unanswered questions."""

    as_of: date
    mean: float
    relativities: Relativities
    offers: tuple[PricedPlan, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Recommendation:
    """Plans ranked for one member with reasons, and those not offered with the gates they failed.

    An empty `items` is an answer: nothing may be offered, and `not_offered` says why.
    """

    items: tuple[tuple[Worth, tuple[Reason, ...]], ...]
    not_offered: tuple[Failure, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Repriced:
    """n policies repriced, each for its own plan; amounts in currency a year, cents as integers.

    `steps` has what each step of the chain multiplies the premium by, (n,) by name.
    """

    pure_premium: FloatArray
    actuarial_value: FloatArray
    expected_plan_paid: FloatArray
    technical_premium: FloatArray
    offered_cents: IntArray
    steps: dict[str, FloatArray]


def quote(release: Release, columns: Columns, as_of: date, plans: tuple[str, ...]) -> Quote:
    """Price `plans` (all of the catalogue where empty) for the member in row 0 of `columns`.

    `columns` are checked answers (`riskengine.profiles.questions`). Raises `UnknownNameError` for
    an unknown plan and `AnswerError` where the member may not buy one of those named.
    """
    names = plans or release.catalogue.names
    refused = [f for name in names for f in _failures(release, name, columns, as_of)]
    if refused:
        raise AnswerError(
            [Problem(0, f.field, f.value, f"plan {f.plan} is {f.allowed}") for f in refused]
        )
    inputs = reference_columns(release.medical_spend, columns)
    mean = release.medical_spend.predict(inputs)
    return Quote(
        as_of=as_of,
        mean=float(mean[0]),
        relativities=release.medical_spend.explain(inputs),
        offers=tuple(_price(release, name, mean, as_of) for name in names),
        missing=tuple(missing_answers(release.questions, columns)),
    )


def recommend(
    release: Release, columns: Columns, as_of: date, plans: tuple[str, ...] = ()
) -> Recommendation:
    """Rank `plans` (all of the catalogue where empty) for the member in row 0 of `columns`.

    Gates, then price, then worth to the member from the same continuance, then order and reasons.
    Raises `UnknownNameError` for an unknown plan.
    """
    names = plans or release.catalogue.names
    refused = [f for name in names for f in _failures(release, name, columns, as_of)]
    eligible = [name for name in names if name not in {f.plan for f in refused}]
    missing = tuple(missing_answers(release.questions, columns))
    if not eligible:
        return Recommendation((), tuple(refused), missing)
    mean = release.medical_spend.predict(reference_columns(release.medical_spend, columns))
    aversion = release.ranking_policy.risk_aversion.on(as_of, "risk_aversion")
    cost = AnnualCost(float(mean[0]), release.loadings(as_of).trend_factor)
    ranked = rank(
        [
            worth(
                _price(release, name, mean, as_of),
                cost,
                release.medical_spend.continuance,
                release.utilisation,
                aversion,
            )
            for name in eligible
        ]
    )
    currency = release.catalogue.currency
    items = tuple(
        (item, tuple(reasons_for(item, ranked, len(missing), currency))) for item in ranked
    )
    return Recommendation(items, tuple(refused), missing)


def reprice(release: Release, columns: Columns, plans: AnyArray, as_of: date) -> Repriced:
    """Price n members, each for the plan of the same row in `plans` (n,), names as objects.

    The same chain as `quote`, column by column. Raises `UnknownNameError` for an unknown plan.
    """
    mean = release.medical_spend.predict(reference_columns(release.medical_spend, columns))
    size = len(mean)
    result = Repriced(
        pure_premium=mean,
        actuarial_value=np.empty(size),
        expected_plan_paid=np.empty(size),
        technical_premium=np.empty(size),
        offered_cents=np.empty(size, np.int64),
        steps={},
    )
    done = np.zeros(size, dtype=bool)
    for name in release.catalogue.names:
        rows = np.flatnonzero(plans == name)
        priced = _price(release, name, mean[rows], as_of)
        result.actuarial_value[rows] = priced.actuarial_value
        result.technical_premium[rows] = priced.chain.technical_premium
        result.expected_plan_paid[rows] = priced.chain.expected_plan_paid
        result.offered_cents[rows] = priced.chain.offered_cents
        for step, effect in effects_of(priced.chain.steps).items():
            result.steps.setdefault(step, np.ones(size))[rows] = effect
        done[rows] = True
    if not done.all():
        row = int(np.flatnonzero(~done)[0])
        message = f"unknown plan {plans[row]!r} in row {row}: known are {release.catalogue.names}"
        raise UnknownNameError(message)
    return result


def unpriceable(
    release: Release, columns: Columns, plans: AnyArray, as_of: date, *, renewal: bool
) -> list[Problem]:
    """Everything that keeps rows from being priced for the plan named in the same row.

    Answers out of range or missing, unknown plans, and gates; `renewal` lifts the entry age.
    """
    problems = check_columns(release.questions, columns)
    names = release.catalogue.names
    known = np.isin(plans, np.array(names, dtype=object))
    problems += [
        Problem(row, "plan", str(plans[row]), f"known are {', '.join(names)}")
        for row in np.flatnonzero(~known).tolist()
    ]
    age = np.asarray(columns["age"], dtype=np.float64)
    values = {"as_of": np.full(len(age), str(as_of)), "age": age}
    for plan in release.catalogue.plans:
        rows = np.flatnonzero(plans == plan.plan)
        for gate in gates(plan, age[rows], as_of, renewal=renewal):
            said = f"{plan.plan} is {gate.allowed}"
            problems += [
                Problem(row, gate.field, str(values[gate.field][row]), said)
                for row in rows[gate.failed].tolist()
            ]
    return problems


def _failures(release: Release, name: str, columns: Columns, as_of: date) -> list[Failure]:
    return failures(release.catalogue.plan(name), float(columns["age"][0]), as_of)


def _price(release: Release, name: str, mean: FloatArray, as_of: date) -> PricedPlan:
    return price_plan(
        release.catalogue.plan(name),
        mean,
        release.medical_spend,
        release.utilisation,
        release.loadings(as_of),
    )
