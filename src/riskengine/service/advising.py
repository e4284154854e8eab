"""Recommendations over HTTP: what is known of the members, ranked by the release that prices."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from uuid import UUID

import numpy as np

from riskengine.engine import recommend
from riskengine.errors import InputError
from riskengine.market_advice import recommend_market
from riskengine.market_release import MarketRelease
from riskengine.profiles.questions import answers_to_columns, household_to_columns
from riskengine.recommendation.feedback import decision_record, to_json
from riskengine.recommendation.recommend import Decision
from riskengine.release import Release
from riskengine.service.body import dumped
from riskengine.service.contracts import RecommendationResponse, recommendation_response
from riskengine.service.quotes import Desk
from riskengine.service.quoting import AnyRelease, Known, named_members
from riskengine.service.recommendation_contracts import (
    MarketRecommendationResponse,
    RecommendationRequest,
    WishMessage,
    recommendation_of_market,
)
from riskengine.store import StoredDecision, new_id


@dataclass(frozen=True, eq=False)
class Advice:
    """What was recommended, on which answers of whom."""

    release: AnyRelease
    day: date
    request: RecommendationRequest
    members: tuple[Known, ...]
    body: RecommendationResponse | MarketRecommendationResponse
    decision: Decision | None = None

    @cached_property
    def content(self) -> bytes:
        """The answer as it travels and as it is kept."""
        return dumped(self.body)

    def stored(self, client: str, at: datetime) -> StoredDecision:
        """The record of it."""
        inputs = {
            "as_of": self.day,
            "purpose": self.request.purpose,
            "members": self.members,
            "plans": self.request.plans,
            "wish": self.request.wish,
            "monthly_budget": self.request.monthly_budget,
        }
        first, others = named_members(self.members)
        name, record = self.body.decision_id, None
        if self.decision is not None:
            told = decision_record(self.decision, (name, name), at, self.release.hash, first)
            record = to_json(told).encode()
        return StoredDecision(
            name, client, str(self.release.catalogue.market), self.release.hash, at,
            dumped(inputs), self.content, first, others, record,
        )  # fmt: skip


async def advise(desk: Desk, request: RecommendationRequest, market: str | None) -> Advice:
    """Rank plans for a member or a household; raises as the engine does.

    Raises `InputError` for a household or a wish where the market takes none.
    """
    release, day = desk.held(request, market).champion, desk.day(request)
    questions = (
        release.advice_questions if isinstance(release, MarketRelease) else release.questions
    )
    members = await desk.known(questions, request.household, day)
    decision_id = new_id(desk.now())
    if not isinstance(release, MarketRelease):
        study = _of_study(decision_id, release, day, request, members)
        return Advice(release, day, request, members, study)
    columns = household_to_columns(questions, [one.answers for one in members])
    wish = (request.wish or WishMessage()).as_wish()
    if desk.explores:
        # The id tells the seed, so that a decision can be made again.
        wish = replace(wish, rng=np.random.default_rng(UUID(decision_id).int))
    decision = recommend_market(release, columns, day, wish)
    budget = request.monthly_budget
    cents = None if budget is None else round(budget * 100)
    body = recommendation_of_market(decision_id, release, decision, cents)
    return Advice(release, day, request, members, body, decision)


def _of_study(
    decision_id: str,
    release: Release,
    day: date,
    request: RecommendationRequest,
    members: tuple[Known, ...],
) -> RecommendationResponse:
    if request.wish is not None or len(members) > 1:
        message = "market study recommends to one member, and takes no wish: leave the rest out"
        raise InputError(message)
    (known,) = members
    columns = answers_to_columns(release.questions, known.answers)
    result = recommend(release, columns, day, request.plans)
    response = recommendation_response(decision_id, release, day, result)
    source = {"member_id": known.member_id, "profile_as_of": known.profile_as_of}
    return response.model_copy(update=source)
