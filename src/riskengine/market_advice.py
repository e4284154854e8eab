"""What a market recommends to a household: prices, what the release's models say, and the flow.

Composes `riskengine.market_engine` and `riskengine.recommendation`; no number is made here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from math import inf

import numpy as np

from riskengine.errors import AnswerError, SpecError
from riskengine.market_engine import MarketQuote, opened, quote_household
from riskengine.market_release import MarketRelease
from riskengine.pricing.market import Insured
from riskengine.products.suitability import Channel, Need
from riskengine.products.underwriting import Severity
from riskengine.profiles.questions import check_columns
from riskengine.recommendation.asked import Asked, Consent, Mode, Models
from riskengine.recommendation.recommend import Decision, recommend
from riskengine.vocabulary import Columns


@dataclass(frozen=True, eq=False)
class Wish:
    """What a household says beside its answers; see `riskengine.recommendation.asked`.

    `take_up` and `likely_needs` are what models said of it before; `rng` lets the order be drawn.
    """

    channel: Channel
    mode: Mode = Mode.INFORMATION
    stated: tuple[Need, ...] = ()
    held: frozenset[str] = frozenset()
    covered_elsewhere: frozenset[Need] = frozenset()
    household_income: float | None = None
    needed_within_days: int | None = None
    consents: Mapping[Consent, bool] = field(default_factory=dict)
    take_up: Mapping[str, float] | None = None
    likely_needs: Mapping[Need, float] = field(default_factory=dict)
    rng: np.random.Generator | None = None


def recommend_market(release: MarketRelease, columns: Columns, start: date, wish: Wish) -> Decision:
    """Rank the plans of a market for the household in `columns` (m,), with reasons.

    `columns` answer the release's `advice_questions`. Take-up and likely needs are those of `wish`,
    or else what the release's models say.

    The prices are those of `quote_market`, for plans that can be priced; a plan that underwriting
    has not decided on is priced as far as is known, and told to be undecided. Raises as it does,
    and `SpecError` for a release that only prices.
    """
    policy = release.recommendation_policy
    if policy is None:
        message = f"release {release.hash[:12]} holds no recommendation policy: build it again"
        raise SpecError(message)
    problems = check_columns(release.advice_questions, columns)
    if problems:
        raise AnswerError(problems)
    priced = {question.name: columns[question.name] for question in release.questions}
    quote = quote_household(release, priced, start, ((), None), Severity.DECLINE, checked=True)
    market = opened(release, start, renewal=False)
    asked = Asked(
        start,
        Insured(priced, quote.means),
        wish.channel,
        wish.mode,
        wish.stated,
        wish.held,
        wish.covered_elsewhere,
        wish.household_income,
        wish.needed_within_days,
        wish.consents,
    )
    likely = wish.likely_needs
    # Without consent nothing is inferred of health, and nothing need be worked out.
    if not likely and asked.consents_to(Consent.HEALTH_DATA):
        likely = release.advice.likely_needs(columns)
    take_up = wish.take_up or _take_up(release, columns, quote, asked)
    models = Models(release.market.perils, quote.prices, quote.underwriting, take_up, likely)
    return recommend(asked, market, policy, models, wish.rng)


def _take_up(
    release: MarketRelease, columns: Columns, quote: MarketQuote, asked: Asked
) -> dict[str, float]:
    """Take-up of each product at the least premium of its plans, by what may be read."""
    premiums: dict[str, float] = {}
    for name, cents in quote.premium_cents.items():
        product = release.catalogue.plan(name).product
        premiums[product] = min(cents / 100, premiums.get(product, inf))
    told = dict(columns)
    if asked.household_income is not None:
        told["household_income"] = np.full(asked.size, asked.household_income)
    health = asked.consents_to(Consent.HEALTH_DATA)
    return release.advice.take_up_of(told, premiums, health=health)
