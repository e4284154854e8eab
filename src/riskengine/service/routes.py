"""The routes of `/v1`: who may, what is read, and who answers it. No route knows a price."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

from fastapi import Depends, FastAPI, Header, Query, Request
from fastapi.responses import Response

from riskengine.errors import InputError
from riskengine.market_release import MarketRelease
from riskengine.products.rate_book import dates_of
from riskengine.security.consents import ConsentPurpose
from riskengine.security.scopes import Caller, Scope
from riskengine.service.advising import advise
from riskengine.service.answers import (
    AcceptanceBody,
    BatchBody,
    FeedbackBody,
    MarketQuoteBody,
    PromotionBody,
    QuoteBody,
    ReleaseBody,
    ReleasesBody,
    StoredQuoteBody,
)
from riskengine.service.body import answer, documented, dumped, read_body, read_content
from riskengine.service.contracts import (
    PricesBody,
    ProductsResponse,
    RecommendationResponse,
    products_response,
)
from riskengine.service.direct import DirectRoute, Handler, RawHeaders, add_direct
from riskengine.service.feedback import FeedbackDesk
from riskengine.service.feedback_contracts import FeedbackRequest
from riskengine.service.market_contracts import (
    MarketPricesBody,
    MarketProductsBody,
    market_products_body,
)
from riskengine.service.members import ProfileResponse, profile_response, read_profile
from riskengine.service.problems import documented as problems
from riskengine.service.quotes import Desk
from riskengine.service.quoting import AnyRelease, named_in
from riskengine.service.recommendation_contracts import (
    BundleMessage,
    BundleRequest,
    MarketRecommendationResponse,
    RecommendationRequest,
)
from riskengine.service.requests import (
    AcceptRequest,
    BatchRequest,
    MemberAnswers,
    Named,
    PromotionRequest,
    QuoteRequest,
)
from riskengine.service.security import caller, record, require_batch, use_stored_profile

Market = Annotated[Named | None, Query(description="As `market` in the body.")]
Key = Annotated[
    Named | None,
    Header(alias="Idempotency-Key", description="The same key and body give the same answer."),
]
_Quoter = Annotated[Caller, Depends(caller(Scope.QUOTES))]
_Adviser = Annotated[Caller, Depends(caller(Scope.RECOMMENDATIONS))]
_Teller = Annotated[Caller, Depends(caller(Scope.FEEDBACK))]
_Reader = Annotated[Caller, Depends(caller(Scope.RELEASES_READ))]
_Promoter = Annotated[Caller, Depends(caller(Scope.RELEASES_PROMOTE))]
_Knower = Annotated[Caller, Depends(caller(Scope.PROFILES))]
_AGAIN: RawHeaders = [(b"idempotent-replayed", b"true")]
_Asked = TypeVar("_Asked", bound=QuoteRequest)
_PRICED = problems(403, 404, 415, 422, 503)


def add_quotes(app: FastAPI, desk: Desk) -> None:
    """Add what is priced for a household: quotes, and prices that are not kept.

    To be called before whatever else stands before routes.
    """

    async def quotes(
        request: Request, who: _Quoter, market: Market = None, key: Key = None, store: bool = True
    ) -> Response:
        """Price plans for a member or a household, with every step; answered when it is kept.

        With `store=false` prices are told and nothing is kept, as by `POST /v1/prices`.
        """
        body = await _asked(app, request, who, QuoteRequest)
        if not store:
            return answer(await desk.prices(body, market))
        content, again = await desk.quote(body, market, who.client, key)
        response = answer(content)
        response.raw_headers += _AGAIN if again else ()
        return response

    async def prices(request: Request, who: _Quoter, market: Market = None) -> Response:
        """What plans cost, with every step; nothing is kept, so it works without the store."""
        return answer(await desk.prices(await _asked(app, request, who, QuoteRequest), market))

    app.router.add_api_route(
        "/v1/quotes",
        quotes,
        methods=["POST"],
        tags=["quotes"],
        response_model=QuoteBody | MarketQuoteBody | PricesBody | MarketPricesBody,
        responses=_PRICED | problems(409),
        openapi_extra=documented(QuoteRequest),
        route_class_override=DirectRoute,
    )
    app.router.add_api_route(
        "/v1/prices",
        prices,
        methods=["POST"],
        tags=["quotes"],
        response_model=PricesBody | MarketPricesBody,
        responses=_PRICED,
        openapi_extra=documented(QuoteRequest),
        route_class_override=DirectRoute,
    )
    kept, told = (_usual(app, desk, keep=keep) for keep in (True, False))
    add_direct(app, {"/v1/quotes": (kept, Scope.QUOTES), "/v1/prices": (told, Scope.QUOTES)})


def _usual(app: FastAPI, desk: Desk, *, keep: bool) -> Handler:
    """Answers the usual request for a quote or, where nothing is kept, for prices."""

    async def answered(who: Caller, content: bytes, key: str | None) -> tuple[bytes, RawHeaders]:
        body = read_content(content, QuoteRequest)
        await _may_use(app, who, body.household, ConsentPurpose.PRICING)
        if not keep:
            return await desk.prices(body, None), ()
        told, again = await desk.quote(body, None, who.client, key)
        return told, _AGAIN if again else ()

    return answered


def add_batches(app: FastAPI, desk: Desk) -> None:
    """Add quotes of many members at once."""

    @app.post(
        "/v1/quotes/batch",
        tags=["quotes"],
        response_model=BatchBody,
        responses=_PRICED,
        openapi_extra=documented(BatchRequest),
    )
    async def batch(
        request: Request, who: _Quoter, market: Market = None, store: bool = True
    ) -> Response:
        """Quote up to a thousand members, each alone: a row is quoted or has its problem."""
        body = await read_body(request, BatchRequest)
        require_batch(app, len(body.members))
        await _may_use(app, who, body.members, ConsentPurpose.PRICING)
        return answer(await desk.batch(body, market, who.client, keep=store))


def add_telling(app: FastAPI, desk: Desk, feedback: FeedbackDesk) -> None:
    """Add what happens to quotes: read again, accepted, and what came of them."""

    @app.get(
        "/v1/quotes/{quote_id}",
        tags=["quotes"],
        response_model=StoredQuoteBody,
        responses=problems(403, 404, 422, 503),
    )
    async def stored(quote_id: Named, who: _Quoter) -> Response:
        """A quote as it was answered, and what has become of it."""
        told, names = await desk.stored(quote_id, who.client)
        await _may_read(app, who, names, ConsentPurpose.PRICING)
        return answer(told)

    @app.post(
        "/v1/quotes/{quote_id}/accept",
        tags=["quotes"],
        response_model=AcceptanceBody,
        responses=_PRICED | problems(409),
        openapi_extra=documented(AcceptRequest),
    )
    async def accept(request: Request, quote_id: Named, who: _Quoter) -> Response:
        """Accept one plan of a quote, once, and before it expires."""
        body = await read_body(request, AcceptRequest)
        return answer(await desk.accept(quote_id, body.plan, who.client))

    @app.post(
        "/v1/feedback",
        tags=["feedback"],
        status_code=201,
        response_model=FeedbackBody,
        responses=_PRICED | problems(409),
        openapi_extra=documented(FeedbackRequest),
    )
    async def tell(request: Request, who: _Teller, key: Key = None) -> Response:
        """Keep what a screen showed of a quote or a decision, what came of it, or an override."""
        body = await read_body(request, FeedbackRequest)
        return answer(await feedback.keep(body.root, who.client, key), 201)


def add_advice(app: FastAPI, desk: Desk) -> None:
    """Add what is recommended: ranked plans, and sets of them."""

    @app.post(
        "/v1/recommendations",
        tags=["recommendations"],
        response_model=RecommendationResponse | MarketRecommendationResponse,
        responses=_PRICED,
        openapi_extra=documented(RecommendationRequest),
    )
    async def recommendations(
        request: Request, who: _Adviser, market: Market = None, store: bool = True
    ) -> Response:
        """Rank plans for a member or a household, with reasons in Chinese and English.

        Answered when the decision is kept, so that feedback can refer to it; with `store=false`
        nothing is kept, and it works without the store.
        """
        advice = await advise(desk, await _asked(app, request, who, RecommendationRequest), market)
        if store:
            await desk.keeper.keep((advice.stored(who.client, desk.now()),))
        return answer(advice.content)

    @app.get(
        "/v1/recommendations/{decision_id}",
        tags=["recommendations"],
        response_model=RecommendationResponse | MarketRecommendationResponse,
        responses=problems(403, 404, 422, 503),
    )
    async def decided(decision_id: Named, who: _Adviser) -> Response:
        """A recommendation as it was answered."""
        found = await desk.keeper.decision(decision_id, who.client)
        names = named_in(found.inputs)
        await _may_read(app, who, names, ConsentPurpose.RECOMMENDATION, ConsentPurpose.MARKETING)
        return answer(found.body)

    @app.post(
        "/v1/bundle",
        tags=["recommendations"],
        response_model=BundleMessage,
        responses=_PRICED,
        openapi_extra=documented(BundleRequest),
    )
    async def bundle(request: Request, who: _Adviser, market: Market = None) -> Response:
        """The plans of most net worth together within a monthly budget, and what more buys."""
        advice = await advise(desk, await _asked(app, request, who, BundleRequest), market)
        if isinstance(advice.body, MarketRecommendationResponse):
            return answer(dumped(advice.body.bundle))
        message = "market study has no bundles: its plans cover the same, so take one of them"
        raise InputError(message)


def add_reading(app: FastAPI, desk: Desk) -> None:
    """Add what is only told: products, releases."""

    @app.get(
        "/v1/products",
        tags=["products"],
        response_model=ProductsResponse | MarketProductsBody,
        responses=problems(403, 422, 503),
    )
    async def products(_: _Quoter, market: Market = None) -> Response:
        """The plans with their texts, and the questions a quote can use."""
        release = desk.holder.of(market).champion
        if isinstance(release, MarketRelease):
            return answer(dumped(market_products_body(release)))
        return answer(dumped(products_response(release)))

    @app.get(
        "/v1/releases",
        tags=["products"],
        response_model=ReleasesBody,
        responses=problems(403, 503),
    )
    async def releases(_: _Reader) -> Response:
        """The releases in memory: which one prices each market, and which one is in the shadow."""
        desk.holder.of(None)
        told: list[ReleaseBody] = []
        for held in desk.holder.held.values():
            told.append(_release(held.champion, "champion"))
            if held.challenger is not None:
                told.append(_release(held.challenger, "challenger"))
        return answer(dumped({"releases": told}))


def add_promotion(app: FastAPI, desk: Desk) -> None:
    """Add what puts a release in force; only keys tell who did it."""

    @app.post(
        "/v1/releases/promotions",
        tags=["products"],
        response_model=PromotionBody,
        responses=problems(403, 404, 415, 422, 503),
        openapi_extra=documented(PromotionRequest),
    )
    async def promotion(request: Request, who: _Promoter) -> Response:
        """Point champion or challenger of a market at a registered release, in force here at once.

        Other processes follow within their `poll_seconds`.
        """
        body = await read_body(request, PromotionRequest)
        # Before it is done: no release is in force that nobody is on record for.
        about = f"{body.market}@{body.alias}"
        await record(app, who, "release.promote", detail=body.model_dump(), about=about)
        target = (str(body.version), body.alias)
        moved = await asyncio.to_thread(desk.holder.promote, body.market, target, body.reason)
        told = {"version": moved.version, "release": moved.hash, "before": moved.before}
        return answer(dumped({"market": body.market, "alias": body.alias, **told}))


def add_members(app: FastAPI, desk: Desk) -> None:
    """Add what is stored of members."""

    @app.get(
        "/v1/members/{member_id:path}/profile",
        tags=["members"],
        response_model=ProfileResponse,
        responses=problems(403, 404, 422, 503),
    )
    async def profile(member_id: Named, who: _Knower) -> Response:
        """The latest published profile of a member, with titles in both languages."""
        either = (ConsentPurpose.PRICING, ConsentPurpose.RECOMMENDATION)
        await use_stored_profile(app, who, member_id, *either)
        found = await asyncio.to_thread(read_profile, desk.keeper.profiles, member_id)
        return answer(dumped(profile_response(found)))


async def _asked(app: FastAPI, request: Request, who: Caller, kind: type[_Asked]) -> _Asked:
    """The body of a request, once every stored profile that it names may be used for it."""
    body = await read_body(request, kind)
    purpose = ConsentPurpose.PRICING
    if isinstance(body, RecommendationRequest):
        purpose = ConsentPurpose(body.purpose)
    await _may_use(app, who, body.household, purpose)
    return body


async def _may_use(
    app: FastAPI, who: Caller, members: Sequence[MemberAnswers], purpose: ConsentPurpose
) -> None:
    """Pass if every stored profile that is named may be used for the purpose."""
    await _may_read(app, who, [member.member_id for member in members], purpose)


async def _may_read(
    app: FastAPI, who: Caller, names: Sequence[str | None], *purposes: ConsentPurpose
) -> None:
    """Pass if what is known of each named member may be used for one of the purposes."""
    for name in names:
        await use_stored_profile(app, who, name, *purposes)


def _release(release: AnyRelease, role: Literal["champion", "challenger"]) -> ReleaseBody:
    if isinstance(release, MarketRelease):
        editions = {one.edition: one.effective_from for one in release.market.editions.editions}
    else:
        editions = {release.rate_book.edition: min(dates_of(release.rate_book))}
    return {
        "market": release.catalogue.market,
        "role": role,
        "release": release.hash,
        "currency": release.catalogue.currency,
        "plans": list(release.catalogue.names),
        "editions": editions,
        "versions": dict(release.versions),
    }
