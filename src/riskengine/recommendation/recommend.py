"""The recommendation of a market on one screen: gates, value, need, order, slate, reasons.

Pure: who asks, the open market, the policy and what models said go in, a frozen decision comes out;
a drawn order takes its generator as an argument. To abstain or to refer is an answer, with its
code. Left out: how prices and predictions are made, and where a decision is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np

from riskengine.pricing.market import OpenMarket
from riskengine.products.suitability import Need
from riskengine.recommendation.asked import Asked, Consent, Mode, Models
from riskengine.recommendation.gates import Gate, GateResult, Gates, Note, State, check_gates
from riskengine.recommendation.needs import (
    NeedFound,
    demands_and_needs,
    find_needs,
    unmet_needs,
)
from riskengine.recommendation.plan_value import value_plans
from riskengine.recommendation.policy import Choices, RecommendationPolicy
from riskengine.recommendation.scoring import Scored, score_plans
from riskengine.recommendation.slate import Slate, choose_slate
from riskengine.recommendation.statements import Statement, Told, statements_for
from riskengine.vocabulary import Text


class Answer(StrEnum):
    """What a recommendation comes to."""

    RECOMMEND = "recommend"
    ABSTAIN = "abstain"
    REFER = "refer"


class AnswerCode(StrEnum):
    """Why it came to that."""

    FITS = "fits"
    NO_CONSENT = "no_consent"
    NOTHING_MAY_BE_OFFERED = "nothing_may_be_offered"
    ANSWERS_MISSING = "answers_missing"
    UNDERWRITER = "underwriter"
    NO_NEED = "no_need"
    WORTH_LESS = "worth_less"


@dataclass(frozen=True)
class Item:
    """A plan on the slate with its statements, its probability, and other variants, best first."""

    scored: Scored
    propensity: float
    statements: tuple[Statement, ...]
    variants: tuple[Scored, ...]


@dataclass(frozen=True)
class Decision:
    """What is answered and all that led to it; an empty `items` is an answer, with its `code`.

    `considered` are all plans that were scored, best first; `gates` has every result of every
    plan. `propensity` is the probability of the slate as it stands, 1 where nothing was drawn.
    """

    market: str
    as_of: date
    mode: Mode
    policy: str
    answer: Answer
    code: AnswerCode
    items: tuple[Item, ...]
    propensity: float
    explored: bool
    needs: tuple[NeedFound, ...]
    unmet_needs: tuple[Need, ...]
    demands_and_needs: Text
    missing_inputs: tuple[str, ...]
    considered: tuple[Scored, ...]
    held: frozenset[str]
    gates: Mapping[str, tuple[GateResult, ...]]

    @property
    def not_offered(self) -> tuple[GateResult, ...]:
        """Every gate that failed, plan by plan."""
        return tuple(r for of_plan in self.gates.values() for r in of_plan if r.state is State.FAIL)


def recommend(
    asked: Asked,
    market: OpenMarket,
    policy: RecommendationPolicy,
    models: Models,
    rng: np.random.Generator | None = None,
) -> Decision:
    """What to offer to those who ask; `rng` draws the order inside the first band, never of advice.

    What models infer of health is used with consent to that alone. Raises `UnknownNameError` for a
    plan held that is not in the catalogue or a loss the policy does not tell, and `SpecError` for
    a benefit that its model cannot show.
    """
    choices, catalogue = policy.on(asked.as_of), market.catalogue
    gates = check_gates(asked, market, models, choices)
    likely = models.likely_needs if asked.consents_to(Consent.HEALTH_DATA) else {}
    needs = find_needs(asked, catalogue, likely, choices)
    open_ = {
        name: (price, gates.premiums[name])
        for name, price in models.prices.items()
        if gates.state(name) in _open_states(asked.mode)
    }
    values = value_plans(market, models.perils, asked.insured.means, open_, choices)
    considered = score_plans(values, needs, asked, models, catalogue, choices)
    suited = considered if asked.mode is Mode.INFORMATION else _advised(considered, choices)
    explores = rng is not None and asked.mode is Mode.INFORMATION
    held = frozenset(catalogue.plan(name).product for name in asked.held)
    slate = choose_slate(suited, held, choices, rng if explores else None)
    answer, code = _answer(slate, gates, considered, suited)
    told = Told(asked, needs, gates.results, models.underwriting, catalogue)
    return Decision(
        market=catalogue.market,
        as_of=asked.as_of,
        mode=asked.mode,
        policy=policy.edition,
        answer=answer,
        code=code,
        items=_items(slate, considered, told),
        propensity=slate.propensity,
        explored=explores,
        needs=needs,
        unmet_needs=unmet_needs(needs, [one.scored.plan for one in slate.places]),
        demands_and_needs=demands_and_needs(asked, needs, catalogue, asked.as_of),
        missing_inputs=gates.missing_inputs(catalogue),
        considered=considered,
        held=asked.held,
        gates=gates.results,
    )


def _open_states(mode: Mode) -> tuple[State, ...]:
    """Information shows what hangs on an answer, and says so; advice does not."""
    return (State.PASS, State.UNKNOWN) if mode is Mode.INFORMATION else (State.PASS,)


def _advised(considered: Sequence[Scored], choices: Choices) -> list[Scored]:
    """Plans that serve a need and are worth their premium to the member."""
    least = choices["least_worth"]
    return [
        one
        for one in considered
        if one.need_points > 0 and one.value.worth >= least * one.value.premium
    ]


def _answer(
    slate: Slate, gates: Gates, considered: Sequence[Scored], suited: Sequence[Scored]
) -> tuple[Answer, AnswerCode]:
    """The answer, and where the slate is empty the first thing that would have to change."""
    results = [result for of_plan in gates.results.values() for result in of_plan]
    states = {gates.state(name) for name in gates.results}
    if slate.places:
        return Answer.RECOMMEND, AnswerCode.FITS
    if any(r.gate is Gate.CONSENT and r.state is State.FAIL for r in results):
        return Answer.ABSTAIN, AnswerCode.NO_CONSENT
    if considered and not suited:
        needed = any(one.need_points > 0 for one in considered)
        return Answer.ABSTAIN, AnswerCode.WORTH_LESS if needed else AnswerCode.NO_NEED
    if State.UNKNOWN not in states:
        return Answer.ABSTAIN, AnswerCode.NOTHING_MAY_BE_OFFERED
    open_ = [r for r in results if gates.state(r.plan) is State.UNKNOWN]
    if any(r.note is Note.REFERRED for r in open_) and not any(r.missing for r in open_):
        return Answer.REFER, AnswerCode.UNDERWRITER
    return Answer.ABSTAIN, AnswerCode.ANSWERS_MISSING


def _items(slate: Slate, considered: Sequence[Scored], told: Told) -> tuple[Item, ...]:
    return tuple(
        Item(
            one.scored,
            one.propensity,
            statements_for(one.scored, told),
            tuple(
                other
                for other in considered
                if other.plan.product == one.scored.plan.product and other is not one.scored
            ),
        )
        for one in slate.places
    )
