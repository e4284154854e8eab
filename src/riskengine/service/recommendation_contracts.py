"""What a recommendation of a market looks like over HTTP, and what is asked for it.

Money is a decimal string; every other amount is a float in the currency of the response. Fields
may be added here, never renamed.
"""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from riskengine.market_advice import Wish
from riskengine.market_release import MarketRelease
from riskengine.pricing.premium import money_text
from riskengine.products.suitability import Channel, Need
from riskengine.recommendation.asked import Consent, Mode
from riskengine.recommendation.bundle import Bundle, best_bundle, bundle_choices, what_more_buys
from riskengine.recommendation.gates import GateResult, State
from riskengine.recommendation.needs import NeedFound
from riskengine.recommendation.plan_value import PlanValue
from riskengine.recommendation.recommend import Decision, Item
from riskengine.recommendation.scoring import Scored
from riskengine.recommendation.statements import Statement
from riskengine.service.requests import Message, QuoteRequest
from riskengine.vocabulary import Text


class WishMessage(Message):
    """What a household says beside its answers; what it leaves out is not known."""

    channel: Channel = Channel.ONLINE
    mode: Mode = Mode.INFORMATION
    stated_needs: tuple[Need, ...] = ()
    held_plans: tuple[str, ...] = ()
    covered_elsewhere: tuple[Need, ...] = ()
    household_income: Annotated[float, Field(gt=0, lt=1e12)] | None = Field(
        default=None, description="A year, in the currency of the market."
    )
    needed_within_days: Annotated[int, Field(ge=0, le=3660)] | None = None
    consents: dict[Consent, bool] = Field(default_factory=dict)

    def as_wish(self) -> Wish:
        """The same as the engine takes it."""
        return Wish(
            channel=self.channel,
            mode=self.mode,
            stated=self.stated_needs,
            held=frozenset(self.held_plans),
            covered_elsewhere=frozenset(self.covered_elsewhere),
            household_income=self.household_income,
            needed_within_days=self.needed_within_days,
            consents=self.consents,
        )


class RecommendationRequest(QuoteRequest):
    """A member or a household, and what they say beside their answers."""

    purpose: Literal["recommendation", "marketing"] = Field(
        default="recommendation",
        description="marketing: nobody asked, such as for a campaign; it has a consent of its own.",
    )
    wish: WishMessage | None = Field(
        default=None, description="For information over the internet if left out."
    )
    monthly_budget: Annotated[float, Field(gt=0, lt=1e9)] | None = Field(
        default=None, description="Asks for the best bundle as well, in the market's currency."
    )


class BundleRequest(RecommendationRequest):
    """A household and what it can spend a month."""

    monthly_budget: Annotated[float, Field(gt=0, lt=1e9)]


class StatementMessage(Message):
    code: str
    polarity: str
    source: str
    parameters: dict[str, float | Text]
    text: Text


class ValueMessage(Message):
    """What a plan is worth to those it covers; amounts a year. See the glossary for each."""

    worth: float
    net: float
    certainty_equivalent_without: float
    certainty_equivalent_with: float
    expected_plan_paid: float
    expected_out_of_pocket: float
    bad_year_without: float
    bad_year_with: float
    tail_mean_without: float
    tail_mean_with: float
    chance_of_payment: float
    chance_of_maximum: float | None
    dominated_by: str | None


class VariantMessage(Message):
    """Another plan of the same product, with its place among all plans considered."""

    plan: str
    name: Text
    premium: str
    net: float
    dominated_by: str | None
    value: ValueMessage


class ItemMessage(Message):
    """One place on the slate; `propensity` is the probability that it came here."""

    rank: int
    plan: str
    product: str
    name: Text
    summary: Text
    premium: str
    need_band: int
    score: float
    terms: dict[str, float]
    take_up: float | None
    propensity: float
    value: ValueMessage
    statements: tuple[StatementMessage, ...]
    variants: tuple[VariantMessage, ...]


class NeedMessage(Message):
    """A need; `points` rank it, of which `inferred_points` come from what models say is likely."""

    need: str
    stated: bool
    gap: bool
    likely: float | None
    points: float
    inferred_points: float


class GateMessage(Message):
    """A gate that a plan did not pass, or that hangs on an answer."""

    plan: str
    gate: str
    state: str
    value: str
    allowed: str
    missing: tuple[str, ...]


class BundleMessage(Message):
    """The plans of most net worth together within a monthly budget; none is an answer."""

    monthly_budget: str
    plans: tuple[str, ...]
    monthly_premium: str
    net: float
    more_budget: str
    more_adds: tuple[str, ...]
    more_drops: tuple[str, ...]
    more_net: float


class MarketRecommendationResponse(Message):
    """`propensity` is the probability of the slate as it is served, 1 where nothing was drawn."""

    decision_id: str
    release: str
    market: str
    as_of: date
    currency: str
    mode: str
    policy: str
    answer: str
    code: str
    items: tuple[ItemMessage, ...]
    propensity: float
    needs: tuple[NeedMessage, ...]
    unmet_needs: tuple[str, ...]
    demands_and_needs: Text
    missing_inputs: tuple[str, ...]
    not_offered: tuple[GateMessage, ...]
    bundle: BundleMessage | None = None


def recommendation_of_market(
    decision_id: str, release: MarketRelease, decision: Decision, budget_cents: int | None = None
) -> MarketRecommendationResponse:
    """A decision as it travels, with the best bundle under a monthly budget where one is given."""
    return MarketRecommendationResponse(
        decision_id=decision_id,
        release=release.hash,
        market=decision.market,
        as_of=decision.as_of,
        currency=release.catalogue.currency,
        mode=decision.mode,
        policy=decision.policy,
        answer=decision.answer,
        code=decision.code,
        items=tuple(_item(rank, item) for rank, item in enumerate(decision.items, start=1)),
        propensity=decision.propensity,
        needs=tuple(_need(one) for one in decision.needs),
        unmet_needs=decision.unmet_needs,
        demands_and_needs=decision.demands_and_needs,
        missing_inputs=decision.missing_inputs,
        not_offered=tuple(_gate(one) for one in _barred(decision)),
        bundle=None if budget_cents is None else _bundle(release, decision, budget_cents),
    )


def _barred(decision: Decision) -> list[GateResult]:
    return [r for of_plan in decision.gates.values() for r in of_plan if r.state is not State.PASS]


def _item(rank: int, item: Item) -> ItemMessage:
    scored = item.scored
    value = scored.value
    return ItemMessage(
        rank=rank,
        plan=scored.plan.plan,
        product=scored.plan.product,
        name=scored.plan.name,
        summary=scored.plan.summary,
        premium=_money(value.premium),
        need_band=scored.band,
        score=scored.score,
        terms={str(term): amount for term, amount in scored.terms.items()},
        take_up=scored.take_up,
        propensity=item.propensity,
        value=_value(value),
        statements=tuple(_statement(one) for one in item.statements),
        variants=tuple(_variant(one) for one in item.variants),
    )


def _statement(one: Statement) -> StatementMessage:
    return StatementMessage(
        code=one.code,
        polarity=one.polarity,
        source=one.source,
        parameters=dict(one.parameters),
        text=one.text,
    )


def _variant(scored: Scored) -> VariantMessage:
    return VariantMessage(
        plan=scored.plan.plan,
        name=scored.plan.name,
        premium=_money(scored.value.premium),
        net=scored.value.net,
        dominated_by=scored.value.dominated_by,
        value=_value(scored.value),
    )


def _value(value: PlanValue) -> ValueMessage:
    return ValueMessage(**{name: getattr(value, name) for name in ValueMessage.model_fields})


def _need(one: NeedFound) -> NeedMessage:
    return NeedMessage(**vars(one))


def _gate(one: GateResult) -> GateMessage:
    return GateMessage(
        plan=one.plan,
        gate=one.gate,
        state=one.state,
        value=one.value,
        allowed=one.allowed,
        missing=one.missing,
    )


MORE_CENTS = 5000
"""What a bundle is asked with on top of the budget, in cents a month."""


def _bundle(release: MarketRelease, decision: Decision, budget_cents: int) -> BundleMessage:
    held = frozenset(release.catalogue.plan(name).product for name in decision.held)
    # Nobody is told to count on what is not decided yet.
    passed = {name for name, gates in decision.gates.items() if _passes(gates)}
    choices = bundle_choices([one for one in decision.considered if one.plan.plan in passed])
    best: Bundle = best_bundle(choices, budget_cents, held)
    more = what_more_buys(choices, budget_cents, MORE_CENTS, held)
    return BundleMessage(
        monthly_budget=money_text(budget_cents),
        plans=best.plans,
        monthly_premium=money_text(best.monthly_cents),
        net=best.net,
        more_budget=money_text(budget_cents + MORE_CENTS),
        more_adds=more.gained,
        more_drops=more.dropped,
        more_net=more.net_gain,
    )


def _passes(gates: Iterable[GateResult]) -> bool:
    return all(one.state is State.PASS for one in gates)


def _money(amount: float) -> str:
    return money_text(round(amount * 100))
