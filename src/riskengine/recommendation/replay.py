"""Logged decisions taken again under another policy: what it would have shown, with what chance.

A record keeps the band, the terms and the price of every candidate, so the order and the slate can
be built anew under other weights, temperature, floor or size, exactly. What decides gates, needs or
worth was settled with the household's answers, which a log does not keep: a target policy that
changes those cannot be replayed, and is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.errors import InputError
from riskengine.products.product import Catalogue, Plan
from riskengine.recommendation.asked import Mode
from riskengine.recommendation.feedback import Candidate, DecisionRecord
from riskengine.recommendation.followed import Followed, slate_of
from riskengine.recommendation.gates import Gate, State
from riskengine.recommendation.log_figures import members_of
from riskengine.recommendation.off_policy import Logged, Shown, rewards_by_action
from riskengine.recommendation.policy import Choices, RecommendationPolicy
from riskengine.recommendation.scoring import Term
from riskengine.recommendation.slate import AnyRanked, chances, next_plans, slate_propensity
from riskengine.vocabulary import FloatArray

REPLAYABLE = ("weights.", "value_scale", "slate_size", "exploration.", "least_worth")
"""Numbers of a policy that may differ from those of the log."""


@dataclass(frozen=True)
class Replayable:
    """A candidate as its record tells it."""

    plan: Plan
    band: int
    score: float
    premium: float
    dominated: bool


@dataclass(frozen=True)
class Target:
    """A policy to judge; `explores` where it draws its order, as the log's may have."""

    policy: RecommendationPolicy
    explores: bool


@dataclass(frozen=True)
class Replayed:
    """One decision under a target.

    `propensity` is that of the slate shown, recomputed; `target` that the target shows just it;
    `support` the target's probability of slates that the log could have shown; `shows` that of each
    plan to be on the target's slate.
    """

    propensity: float
    target: float
    support: float
    shows: Mapping[str, float]


def logged_slates(
    decisions: Sequence[Followed],
    catalogue: Catalogue,
    logged: RecommendationPolicy,
    target: Target,
) -> Logged:
    """Decisions as `off_policy` takes them; the reward is how many plans of the slate were taken.

    The reward predicted of a slate is the sum, over its plans, of how often other members took each
    when shown. Raises `InputError` for advice, which is never drawn, for another policy than the
    log's, and for a target that cannot be replayed.
    """
    if not decisions:
        message = "no decision of the log counts: nothing can be said of a policy"
        raise InputError(message)
    replayed = [replay(one.decision, catalogue, logged, target) for one in decisions]
    names = list(catalogue.names)
    member = members_of(decisions)
    predicted = _predicted(decisions, member, names)
    shown = _shown(decisions, names)
    would = np.array([[one.shows.get(name, 0.0) for name in names] for one in replayed])
    return Logged(
        reward=np.array([float(len(one.taken)) for one in decisions]),
        propensity=np.array([one.decision.propensity for one in decisions]),
        target=np.array([one.target for one in replayed]),
        support=np.array([one.support for one in replayed]),
        predicted=(shown * predicted).sum(axis=1),
        expected=(would * predicted).sum(axis=1),
        member=member,
    )


def replay(
    decision: DecisionRecord,
    catalogue: Catalogue,
    logged: RecommendationPolicy,
    target: Target,
) -> Replayed:
    """One decision under a target policy; raises as `logged_slates`."""
    if decision.mode is Mode.ADVICE:
        message = f"decision {decision.decision_id} was advice, which is never drawn: leave it out"
        raise InputError(message)
    if decision.policy != logged.edition:
        message = (
            f"decision {decision.decision_id} is of policy {decision.policy}, not of"
            f" {logged.edition}: give the policy of the log"
        )
        raise InputError(message)
    was, new = logged.on(decision.as_of), target.policy.on(decision.as_of)
    _require_replayable(was, new)
    held = held_products(decision, catalogue)
    before = ranked(decision, catalogue, was, was)
    slate = tuple(one.plan for one in slate_of(decision))
    after = slate_chances(ranked(decision, catalogue, was, new), held, new, target.explores)
    could = _could_show(decision, slate, (before, held, was))
    return Replayed(
        propensity=slate_propensity(before, slate, held, was) if decision.explored else 1.0,
        target=after.get(slate, 0.0),
        support=sum(chance for one, chance in after.items() if could(one)),
        shows={
            plan: sum(chance for one, chance in after.items() if plan in one)
            for plan in {name for one in after for name in one}
        },
    )


def ranked(
    decision: DecisionRecord, catalogue: Catalogue, logged: Choices, target: Choices
) -> list[Replayable]:
    """The candidates that were scored, best first by the target's weights."""
    found = [
        Replayable(
            catalogue.plan(one.plan),
            one.band,
            sum(_term(one, term, logged, target) for term in one.terms),
            one.premium,
            one.dominated_by is not None,
        )
        for one in decision.candidates
        if one.band is not None and one.premium is not None
    ]
    return sorted(found, key=lambda r: (r.dominated, r.band, -r.score, r.premium, r.plan.plan))


def held_products(decision: DecisionRecord, catalogue: Catalogue) -> frozenset[str]:
    """The products that the household held: their plans failed that gate."""
    return frozenset(
        catalogue.plan(one.plan).product
        for one in decision.candidates
        for gate in one.gates
        if gate.gate is Gate.ALREADY_OWNED and gate.state is State.FAIL
    )


def slate_chances(
    candidates: Sequence[AnyRanked], held: frozenset[str], choices: Choices, explores: bool
) -> dict[tuple[str, ...], float]:
    """Every slate that a policy can show of candidates, best first, with its probability."""
    found: dict[tuple[str, ...], float] = {}
    size = int(choices["slate_size"])

    def fill(placed: list[AnyRanked], chance: float) -> None:
        pool = next_plans(candidates, placed, held) if len(placed) < size else []
        if not pool:
            found[tuple(one.plan.plan for one in placed)] = chance
            return
        if not explores or pool[0].band != 1:
            fill([*placed, pool[0]], chance)
            return
        for one, share in zip(pool, chances(pool, choices).tolist(), strict=True):
            fill([*placed, one], chance * share)

    fill([], 1.0)
    return found


def _term(one: Candidate, term: Term, logged: Choices, target: Choices) -> float:
    """A term of a candidate under the target's weight, from the term that was logged."""
    was, new = (
        choices[f"weights.{term}"] / (choices["value_scale"] if term is Term.VALUE else 1.0)
        for choices in (logged, target)
    )
    if was == new:
        return one.terms[term]
    if was == 0:
        message = f"weights.{term} was 0 in the log, so its term cannot be told: leave it at 0"
        raise InputError(message)
    return one.terms[term] * new / was


def _could_show(
    decision: DecisionRecord,
    slate: tuple[str, ...],
    log: tuple[Sequence[Replayable], frozenset[str], Choices],
) -> Callable[[tuple[str, ...]], bool]:
    """Whether the log's policy could have shown a slate: as a whole, and in its order."""
    candidates, held, choices = log
    by_name = {one.plan.plan: one for one in candidates}

    def could(other: tuple[str, ...]) -> bool:
        if other == slate or not decision.explored:
            return other == slate
        try:
            chance = slate_propensity(candidates, other, held, choices)
        except InputError:
            return False
        placed = [by_name[name] for name in other]
        full = len(other) == int(choices["slate_size"]) or not next_plans(candidates, placed, held)
        return chance > 0 and full

    return could


def _require_replayable(logged: Choices, target: Choices) -> None:
    settled = {
        name: (value, target[name])
        for name, value in logged.numbers.items()
        if not name.startswith(REPLAYABLE) and value != target[name]
    }
    if settled or logged.losses != target.losses:
        told = [f"{name} ({was:g}, {new:g})" for name, (was, new) in settled.items()]
        message = (
            f"the target differs from the log's policy in {', '.join(told) or 'losses'}, which"
            f" settled gates, needs or worth: only {', '.join(REPLAYABLE)} can be replayed"
        )
        raise InputError(message)


def _shown(decisions: Sequence[Followed], names: Sequence[str]) -> FloatArray:
    on = [{one.plan for one in each.slate} for each in decisions]
    return np.array([[float(name in slate) for name in names] for slate in on])


def _predicted(
    decisions: Sequence[Followed], member: np.ndarray, names: Sequence[str]
) -> FloatArray:
    """How often each plan is taken where it is shown (n, plans), by other members' decisions."""
    rows = [
        (row, names.index(one.plan), float(one.plan in each.taken))
        for row, each in enumerate(decisions)
        for one in each.slate
    ]
    place, action, taken = (np.array(part) for part in zip(*rows, strict=True))
    told = rewards_by_action(Shown(action, taken, member[place]), len(names))
    first = np.full(len(decisions), len(rows))
    np.minimum.at(first, place, np.arange(len(rows)))
    found: FloatArray = told[first]
    return found
