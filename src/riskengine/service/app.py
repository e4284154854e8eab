"""The HTTP front door, put together: what is held, what keeps, and the routes over them.

Without a release the service starts, says so at `/readyz`, and answers 503 with the command to
run. Handlers are `async`: the kernel call is shorter than a trip to a thread pool.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from riskengine import __version__
from riskengine.service import problems
from riskengine.service.body import body_schemas
from riskengine.service.desk import add_desk
from riskengine.service.feedback import FeedbackDesk
from riskengine.service.feedback_contracts import FeedbackRequest
from riskengine.service.holding import Held, Holder, ReleaseSource
from riskengine.service.keeping import Keeper
from riskengine.service.metrics import Metrics
from riskengine.service.observed import Observed
from riskengine.service.operations import add_operations
from riskengine.service.quotes import Desk
from riskengine.service.recommendation_contracts import RecommendationRequest
from riskengine.service.requests import (
    AcceptRequest,
    BatchRequest,
    MemberRequest,
    PromotionRequest,
    QuoteRequest,
)
from riskengine.service.routes import (
    add_advice,
    add_batches,
    add_members,
    add_promotion,
    add_quotes,
    add_reading,
    add_telling,
)
from riskengine.service.security import Security, install_security
from riskengine.service.shadow import Shadow
from riskengine.settings import Settings
from riskengine.store import Database, Sealer

_BODIES = (
    QuoteRequest,
    MemberRequest,
    RecommendationRequest,
    BatchRequest,
    AcceptRequest,
    FeedbackRequest,
    PromotionRequest,
)


_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI's own is off: `RISKENGINE_TELEMETRY` instruments the application."""
_ALLOCATIONS = 20_000
"""Objects that a service lets come before it looks for cycles: answers in progress hold many."""


@dataclass(frozen=True, eq=False)
class Outside:
    """What the service is given of the world; `database` may be away, or None for no store.

    `started` is called once, when what can be held is held.
    """

    source: ReleaseSource
    database: Database | None = None
    sealer: Sealer | None = None
    now: Callable[[], datetime] = lambda: datetime.now().astimezone()
    started: Callable[[], None] = lambda: None


def create_app(outside: Outside, settings: Settings, security: Security | None = None) -> FastAPI:
    """The application; the database is closed by who made it.

    Without `security` it serves its own machine only.
    """
    metrics = Metrics()
    holder = Holder(outside.source, lambda held: metrics.released(_roles(held)))
    keeper = Keeper(outside.database, outside.sealer, settings.store_queue, metrics.batch.observe)
    metrics.waiting.set_function(lambda: keeper.waiting)
    shadow = Shadow(settings.shadow_share, keeper, metrics, outside.now)
    validity = timedelta(days=settings.quote_validity_days)
    desk = Desk(holder, keeper, shadow, metrics, validity, outside.now, settings.explores)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(holder.refresh)
        outside.started()
        tasks = [
            asyncio.create_task(holder.poll(settings.poll_seconds)),
            asyncio.create_task(shadow.run()),
        ]
        yield
        # Requests have ended by now; what they left to be written is written.
        with suppress(TimeoutError):
            await asyncio.wait_for(shadow.drained(), settings.drain_seconds)
        for task in tasks:
            task.cancel()
        await asyncio.to_thread(keeper.close)

    app = FastAPI(
        title="riskengine",
        version=__version__,
        summary="Quotes and ranked recommendations for health products",
        lifespan=lifespan,
        telemetry=_TELEMETRY,
    )
    problems.install(app)
    # First: the layer that answers usual quotes is then the innermost.
    add_quotes(app, desk)
    install_security(app, security)
    app.add_middleware(Observed, metrics=metrics)
    add_operations(app, holder, keeper, metrics)
    add_batches(app, desk)
    add_telling(app, desk, FeedbackDesk(keeper, outside.now))
    add_advice(app, desk)
    if security is not None and security.protected is not None:
        add_promotion(app, desk)
    add_reading(app, desk)
    add_members(app, desk)
    add_desk(app)
    _document(app)
    return app


def settle() -> None:
    """What is there now stays: no later collection walks through it in the midst of an answer.

    For a process that does nothing but serve.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS)


def _roles(held: Mapping[str, Held]) -> list[tuple[str, str, str]]:
    return [
        (market, role, release.hash)
        for market, one in held.items()
        for role, release in (("champion", one.champion), ("challenger", one.challenger))
        if release is not None
    ]


def _document(app: FastAPI) -> None:
    """Add the bodies that routes read themselves to the OpenAPI document."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schemas = plain().setdefault("components", {}).setdefault("schemas", {})
            schemas |= body_schemas((*_BODIES, problems.ProblemDetails))
        found: dict[str, Any] = app.openapi_schema or {}
        return found

    app.openapi = openapi  # type: ignore[method-assign]
