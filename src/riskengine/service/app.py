"""The HTTP front door: thin routes over the engine, one release in memory.

Without a release the service starts, says so at `/readyz`, and answers 503 with the command to
run. Handlers are `async`: the kernel call is shorter than a trip to a thread pool.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from riskengine import __version__
from riskengine.engine import quote, recommend
from riskengine.errors import ReleaseError, RiskEngineError
from riskengine.profiles.questions import answers_to_columns
from riskengine.release import Release
from riskengine.security.consents import ConsentPurpose
from riskengine.security.scopes import Caller, Scope
from riskengine.service import problems
from riskengine.service.contracts import (
    MemberRequest,
    ProductsResponse,
    QuoteResponse,
    RecommendationResponse,
    products_response,
    quote_response,
    recommendation_response,
)
from riskengine.service.members import (
    Known,
    ProfileResponse,
    known_of,
    profile_response,
    read_profile,
)
from riskengine.service.security import (
    Security,
    caller,
    install_security,
    use_stored_profile,
)
from riskengine.store import ProfileStore

logger = logging.getLogger(__name__)


class Health(BaseModel):
    status: str


class Readiness(BaseModel):
    """`detail` says what is missing and what to do while `ready` is false."""

    ready: bool
    release: str | None
    detail: str


class Holder:
    """The release in memory, or the reason why there is none."""

    def __init__(self) -> None:
        self._release: Release | None = None
        self.detail = "the release is being loaded"

    def load(self, source: Callable[[], Release]) -> None:
        """Take what `source` gives, or keep its error as the detail."""
        try:
            self._release = source()
            self.detail = "ready"
        except RiskEngineError as error:
            self.detail = str(error)
            logger.warning("no release: %s", error)

    @property
    def ready(self) -> bool:
        return self._release is not None

    @property
    def release(self) -> Release:
        """The release; raises `ReleaseError` with the detail when there is none."""
        if self._release is None:
            raise ReleaseError(self.detail)
        return self._release


_Quotes = Annotated[Caller, Depends(caller(Scope.QUOTES))]
_Recommendations = Annotated[Caller, Depends(caller(Scope.RECOMMENDATIONS))]
_Profiles = Annotated[Caller, Depends(caller(Scope.PROFILES))]
_Metrics = Annotated[Caller, Depends(caller(Scope.METRICS))]

_NO_MEMBER: dict[int | str, dict[str, Any]] = {
    404: {"model": problems.ProblemDetails, "description": "No profile of this member"},
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    422: {"model": problems.ProblemDetails, "description": "Values that cannot be used"},
    503: {
        "model": problems.ProblemDetails,
        "description": "No release is loaded, or the store is away",
    },
}


def create_app(
    source: Callable[[], Release],
    today: Callable[[], date] = lambda: datetime.now().astimezone().date(),
    store: ProfileStore | None = None,
    security: Security | None = None,
) -> FastAPI:
    """The application; `source` loads the release at start-up, `today` dates undated requests.

    `store` holds the profiles of members that requests may name; it is closed by who made it.
    Without `security` it serves its own machine only.
    """
    holder = Holder()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(holder.load, source)
        yield

    app = FastAPI(
        title="riskengine",
        version=__version__,
        summary="Quotes and ranked recommendations for health products",
        lifespan=lifespan,
    )
    problems.install(app)
    install_security(app, security)
    _add_probes(app, holder)
    _add_prices(app, holder, today, store)
    _add_members(app, store)
    return app


def _add_probes(app: FastAPI, holder: Holder) -> None:
    @app.get("/healthz", tags=["operations"])
    async def healthz() -> Health:
        """The process is up."""
        return Health(status="ok")

    @app.get("/readyz", tags=["operations"], responses={503: {"model": Readiness}})
    async def readyz(_: _Metrics) -> JSONResponse:
        """Whether prices can be served, and if not, what to do."""
        body = Readiness(
            ready=holder.ready,
            release=holder.release.hash if holder.ready else None,
            detail=holder.detail,
        )
        return JSONResponse(body.model_dump(), 200 if holder.ready else 503)


def _add_prices(
    app: FastAPI, holder: Holder, today: Callable[[], date], store: ProfileStore | None
) -> None:
    @app.post("/v1/quotes", tags=["prices"], responses=_PROBLEMS | _NO_MEMBER)
    async def quotes(request: MemberRequest, who: _Quotes) -> QuoteResponse:
        """Price plans for one member, with every step and relativity."""
        release, as_of = holder.release, request.as_of or today()
        await use_stored_profile(app, who, request.member_id, ConsentPurpose.PRICING)
        known = await known_of(store, release, request, as_of)
        columns = answers_to_columns(release.questions, known.answers)
        result = quote(release, columns, as_of, request.plans)
        response = quote_response(str(uuid4()), release, known.answers, result)
        return response.model_copy(update=_source(known))

    @app.post("/v1/recommendations", tags=["prices"], responses=_PROBLEMS | _NO_MEMBER)
    async def recommendations(
        request: MemberRequest, who: _Recommendations
    ) -> RecommendationResponse:
        """Rank plans for one member, with reasons in Chinese and English."""
        release, as_of = holder.release, request.as_of or today()
        await use_stored_profile(app, who, request.member_id, ConsentPurpose.RECOMMENDATION)
        known = await known_of(store, release, request, as_of)
        columns = answers_to_columns(release.questions, known.answers)
        result = recommend(release, columns, as_of, request.plans)
        response = recommendation_response(str(uuid4()), release, as_of, result)
        return response.model_copy(update=_source(known))

    @app.get("/v1/products", tags=["products"], responses={503: _PROBLEMS[503]})
    async def products(_: _Quotes) -> ProductsResponse:
        """The plans with their texts, and the questions a quote can use."""
        return products_response(holder.release)


def _add_members(app: FastAPI, store: ProfileStore | None) -> None:
    @app.get(
        "/v1/members/{member_id:path}/profile",
        tags=["members"],
        responses={**_NO_MEMBER, 503: _PROBLEMS[503]},
    )
    async def profile(member_id: str, who: _Profiles) -> ProfileResponse:
        """The latest published profile of a member, with titles in both languages."""
        either = (ConsentPurpose.PRICING, ConsentPurpose.RECOMMENDATION)
        await use_stored_profile(app, who, member_id, *either)
        return profile_response(await read_profile(store, member_id))


def _source(known: Known) -> dict[str, Any]:
    return {"member_id": known.member_id, "profile_as_of": known.profile_as_of}
