"""Gates of a market: may this plan be offered; every failure is told, and what is not known.

A gate passes, fails, or is unknown for want of an answer; no unknown counts as either. All gates
of all plans are tried, in the order of `Gate`, so that a member learns everything at once.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from riskengine.errors import Problem
from riskengine.pricing.household import household_premiums
from riskengine.pricing.market import OpenMarket, PlanPrice, price_problems
from riskengine.products.product import Catalogue, Plan
from riskengine.products.underwriting import Decision, Outcome
from riskengine.recommendation.asked import Asked, Consent, Mode, Models
from riskengine.recommendation.policy import Choices

_RESIDENCE = "rating_area"


class Gate(StrEnum):
    """What is asked of a plan, in this order."""

    ON_SALE = "on_sale"
    CHANNEL = "channel"
    ALREADY_OWNED = "already_owned"
    SUPERSEDED = "superseded"
    EXCLUSIVE_GROUP = "exclusive_group"
    PREREQUISITE = "prerequisite"
    ENTRY_AGE = "entry_age"
    RESIDENCE = "residence"
    RATING = "rating"
    UNDERWRITING = "underwriting"
    CAN_CLAIM = "can_claim"
    WAITING_PERIOD = "waiting_period"
    AFFORDABILITY = "affordability"
    CONSENT = "consent"


class State(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Note(StrEnum):
    """What is to be said of a gate that does not simply pass."""

    LOADED = "loaded"
    EXCLUDED = "excluded"
    REFERRED = "referred"
    WAITS = "waits"
    NEEDS_ANOTHER = "needs_another"
    PAYS_NOTHING = "pays_nothing"
    INCOME_UNKNOWN = "income_unknown"
    NO_PRICE = "no_price"


@dataclass(frozen=True)
class GateResult:
    """One gate of one plan: the `value` it looked at, what is `allowed`, answers still `missing`.

    `note` says more, of a gate that passes too.
    """

    plan: str
    gate: Gate
    state: State = State.PASS
    value: str = ""
    allowed: str = ""
    missing: tuple[str, ...] = ()
    note: Note | None = None


@dataclass(frozen=True)
class Gates:
    """All results by plan, in the order of the catalogue, and the premium of each priced plan."""

    results: Mapping[str, tuple[GateResult, ...]]
    premiums: Mapping[str, float]

    def state(self, plan: str) -> State:
        """Fail where one gate fails, else unknown where one is, else pass."""
        states = {result.state for result in self.results[plan]}
        return next((s for s in (State.FAIL, State.UNKNOWN) if s in states), State.PASS)

    def missing_inputs(self, catalogue: Catalogue) -> tuple[str, ...]:
        """Answers that would decide a product that nothing else bars, by how many they decide."""
        pairs = {
            (name, catalogue.plan(plan).product)
            for plan, results in self.results.items()
            if self.state(plan) is State.UNKNOWN
            for result in results
            for name in result.missing
        }
        decides = Counter(name for name, _ in pairs)
        return tuple(sorted(decides, key=lambda name: (-decides[name], name)))


def check_gates(asked: Asked, market: OpenMarket, models: Models, choices: Choices) -> Gates:
    """Every gate of every plan of the market for those who are to be covered.

    Raises `UnknownNameError` for a held plan that is not in the catalogue.
    """
    catalogue = market.catalogue
    held = tuple(catalogue.plan(name) for name in sorted(asked.held))
    premiums = {name: premium_of(market, asked, price) for name, price in models.prices.items()}
    found = {
        plan.plan: [
            *_of_catalogue(asked, market, plan, held),
            *_of_answers(asked, market, plan, models),
            _waiting(asked, market, plan),
            *_of_price(asked, plan, models.prices.get(plan.plan), premiums, choices),
            _consent(asked, plan),
        ]
        for plan in catalogue.plans
    }
    barred = {
        name
        for name, results in found.items()
        if any(result.state is State.FAIL for result in results)
    }
    open_ = {plan.product for plan in catalogue.plans if plan.plan not in barred}
    for plan in catalogue.plans:
        found[plan.plan] += _prerequisites(plan, {one.product for one in held}, open_)
    order = {gate: place for place, gate in enumerate(Gate)}
    results = {
        name: tuple(sorted(of_plan, key=lambda result: order[result.gate]))
        for name, of_plan in found.items()
    }
    return Gates(results, premiums)


def premium_of(market: OpenMarket, asked: Asked, price: PlanPrice) -> float:
    """The premium of all who are covered, by the market's rule for households, currency a year."""
    cents = price.offered.offered_cents
    if len(cents) == 1:
        return float(cents[0]) / 100
    age = np.asarray(asked.insured.columns["age"], dtype=np.float64)
    _, together = household_premiums(market.edition, np.zeros(len(cents)), age, cents)
    return float(together[0]) / 100


def _of_catalogue(
    asked: Asked, market: OpenMarket, plan: Plan, held: Iterable[Plan]
) -> list[GateResult]:
    """What the catalogue and the cover held decide."""
    name, fits = plan.plan, plan.suitability
    channels = ", ".join(fits.channels)
    results = [
        _result(name, Gate.ON_SALE, plan.on_sale(market.start), (str(market.start), plan.sold)),
        _result(name, Gate.CHANNEL, asked.channel in fits.channels,
                (asked.channel, f"sold through {channels}")),
    ]  # fmt: skip
    for one in held:
        same = one.product == plan.product
        group = fits.exclusive_group
        barred = not same and group is not None and group == one.suitability.exclusive_group
        results += [
            _result(name, Gate.ALREADY_OWNED, not same, (one.plan, "a product not yet held")),
            _result(name, Gate.SUPERSEDED, plan.product not in one.suitability.supersedes,
                    (one.plan, "not beside a plan that makes it pointless")),
            _result(name, Gate.EXCLUSIVE_GROUP, not barred, (one.plan, f"one of group {group}")),
        ]  # fmt: skip
    return results


def _result(plan: str, gate: Gate, passes: bool, told: tuple[str, str]) -> GateResult:
    value, allowed = told
    return GateResult(plan, gate, State.PASS if passes else State.FAIL, value, allowed)


def _of_answers(asked: Asked, market: OpenMarket, plan: Plan, models: Models) -> list[GateResult]:
    """Age, residence, rating and health, of each who is to be covered."""
    columns = asked.insured.columns
    results = [
        _of_problem(plan, problem, columns)
        for problem in price_problems(market, plan.plan, columns)
        if problem.field != "start"
    ]
    decided: list[Decision] = []
    if plan.suitability.underwritten and models.underwriting is not None:
        decided = [models.underwriting.of(row) for row in range(asked.size)]
    # What underwriting declines has no price, and is told once.
    declined = any(one.outcome is Outcome.DECLINE for one in decided)
    if not results and not declined and plan.plan not in models.prices:
        results = [GateResult(plan.plan, Gate.RATING, State.FAIL, note=Note.NO_PRICE)]
    return results + [_underwriting(plan.plan, decision) for decision in decided]


def _of_problem(plan: Plan, problem: Problem, columns: Mapping[str, np.ndarray]) -> GateResult:
    """A value without a price: unknown where there is none, else a failure."""
    required = dict.fromkeys(plan.suitability.required_answers, Gate.PREREQUISITE)
    by_field = {"age": Gate.ENTRY_AGE, _RESIDENCE: Gate.RESIDENCE} | required
    gate = by_field.get(problem.field, Gate.RATING)
    absent = problem.field not in columns or pd.isna(columns[problem.field][problem.row])
    if absent:
        return GateResult(plan.plan, gate, State.UNKNOWN, "", problem.message, (problem.field,))
    return GateResult(plan.plan, gate, State.FAIL, problem.value, problem.message)


def _underwriting(plan: str, decision: Decision) -> GateResult:
    rules = ", ".join(rule for rule, _ in decision.reasons)
    match decision.outcome:
        case Outcome.DECLINE:
            state, note = State.FAIL, None
        case Outcome.REFER:
            state, note = State.UNKNOWN, None if decision.missing else Note.REFERRED
        case Outcome.LOAD:
            state, note = State.PASS, Note.LOADED
        case Outcome.EXCLUDE:
            state, note = State.PASS, Note.EXCLUDED
        case _:
            state, note = State.PASS, None
    return GateResult(plan, Gate.UNDERWRITING, state, rules, "accepted", decision.missing, note)


def _of_price(
    asked: Asked,
    plan: Plan,
    price: PlanPrice | None,
    premiums: Mapping[str, float],
    choices: Choices,
) -> list[GateResult]:
    """Whether the plan can ever pay, and can be paid for."""
    name = plan.plan
    if price is None:
        return []
    pays = [float(one.steps[-1].running.sum()) > 0 for one in price.benefits]
    claims = State.PASS if any(pays) else State.FAIL
    nothing = None if all(pays) else Note.PAYS_NOTHING
    can_claim = GateResult(name, Gate.CAN_CLAIM, claims, note=nothing)
    income, most = asked.household_income, choices["affordable_share"]
    if income is None:
        return [can_claim, GateResult(name, Gate.AFFORDABILITY, note=Note.INCOME_UNKNOWN)]
    share = premiums[name] / income
    told = (f"{share:.1%} of income", f"{most:.0%} of income at most")
    return [can_claim, _result(name, Gate.AFFORDABILITY, share <= most, told)]


def _waiting(asked: Asked, market: OpenMarket, plan: Plan) -> GateResult:
    """Whether some benefit is in force when cover is needed; a renewal does not wait."""
    periods = [0 if market.renewal else b.waiting_period for b in plan.benefits.values()]
    soon = asked.needed_within_days
    late = soon is not None and min(periods) > soon
    return GateResult(
        plan.plan,
        Gate.WAITING_PERIOD,
        State.FAIL if late else State.PASS,
        f"{min(periods)} days",
        "" if soon is None else f"within {soon} days",
        note=Note.WAITS if max(periods) else None,
    )


def _consent(asked: Asked, plan: Plan) -> GateResult:
    """A refusal bars all; advice waits for a yes, information does not."""
    given = asked.consents.get(Consent.RECOMMENDATION)
    if given is None and asked.mode is Mode.ADVICE:
        missing = (f"consent_{Consent.RECOMMENDATION}",)
        return GateResult(plan.plan, Gate.CONSENT, State.UNKNOWN, missing=missing)
    told = ("refused" if given is False else "", "consent")
    return _result(plan.plan, Gate.CONSENT, given is not False, told)


def _prerequisites(plan: Plan, held: set[str], open_: set[str]) -> list[GateResult]:
    """One of the products a plan requires must be held, or at least be open to the member."""
    wanted = set(plan.suitability.requires)
    if not wanted or wanted & held:
        return []
    told = ", ".join(plan.suitability.requires)
    if wanted & open_:
        note = Note.NEEDS_ANOTHER
        return [GateResult(plan.plan, Gate.PREREQUISITE, allowed=f"beside {told}", note=note)]
    return [GateResult(plan.plan, Gate.PREREQUISITE, State.FAIL, "", f"beside {told}")]
