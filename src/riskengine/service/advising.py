"""Recommendations over HTTP: what is known of the members, ranked by the release that prices."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from uuid import uuid4

from riskengine.engine import recommend
from riskengine.errors import InputError
from riskengine.market_engine import recommend_market
from riskengine.market_release import MarketRelease
from riskengine.profiles.questions import answers_to_columns, household_to_columns
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
from riskengine.store import StoredDecision


@dataclass(frozen=True, eq=False)
class Advice:
    """What was recommended, on which answers of whom."""

    release: AnyRelease
    day: date
    request: RecommendationRequest
    members: tuple[Known, ...]
    body: RecommendationResponse | MarketRecommendationResponse

    @cached_property
    def content(self) -> bytes:
        """The answer as it travels and as it is kept."""
        return dumped(self.body)

    def stored(self, client: str, at: datetime) -> StoredDecision:
        """The record of it."""
        inputs = {
            "as_of": self.day,
            "members": self.members,
            "plans": self.request.plans,
            "wish": self.request.wish,
            "monthly_budget": self.request.monthly_budget,
        }
        first, others = named_members(self.members)
        return StoredDecision(
            self.body.decision_id, client, str(self.release.catalogue.market), self.release.hash,
            at, dumped(inputs), self.content, first, others,
        )  # fmt: skip


async def advise(desk: Desk, request: RecommendationRequest, market: str | None) -> Advice:
    """Rank plans for a member or a household; raises as the engine does.

    Raises `InputError` for a household or a wish where the market takes none.
    """
    release, day = desk.held(request, market).champion, desk.day(request)
    members = await desk.known(release, request.household, day)
    body: RecommendationResponse | MarketRecommendationResponse
    if isinstance(release, MarketRelease):
        body = _of_market(release, day, request, members)
    else:
        body = _of_study(release, day, request, members)
    return Advice(release, day, request, members, body)


def _of_market(
    release: MarketRelease, day: date, request: RecommendationRequest, members: tuple[Known, ...]
) -> MarketRecommendationResponse:
    columns = household_to_columns(release.questions, [one.answers for one in members])
    wish = (request.wish or WishMessage()).as_wish()
    decision = recommend_market(release, columns, day, wish)
    budget = request.monthly_budget
    cents = None if budget is None else round(budget * 100)
    return recommendation_of_market(str(uuid4()), release, decision, cents)


def _of_study(
    release: Release, day: date, request: RecommendationRequest, members: tuple[Known, ...]
) -> RecommendationResponse:
    if request.wish is not None or len(members) > 1:
        message = "market study recommends to one member, and takes no wish: leave the rest out"
        raise InputError(message)
    (known,) = members
    columns = answers_to_columns(release.questions, known.answers)
    result = recommend(release, columns, day, request.plans)
    response = recommendation_response(str(uuid4()), release, day, result)
    source = {"member_id": known.member_id, "profile_as_of": known.profile_as_of}
    return response.model_copy(update=source)
