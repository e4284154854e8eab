"""Routes for those who run the service: alive, ready, measured."""

from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from riskengine.security.scopes import Caller, Scope
from riskengine.service.holding import Holder
from riskengine.service.keeping import Keeper
from riskengine.service.metrics import Metrics
from riskengine.service.security import caller

_Metrics = Annotated[Caller, Depends(caller(Scope.METRICS))]


class Health(BaseModel):
    status: str


class Readiness(BaseModel):
    """`detail` says what is missing and what to do while `ready` is false.

    `parts` tells of each part what keeps it from working, or `ready`: prices are served without
    registry and store, quotes are not kept without the store.
    """

    ready: bool
    release: str | None
    detail: str
    releases: dict[str, str]
    parts: dict[str, str]


def add_operations(app: FastAPI, holder: Holder, keeper: Keeper, metrics: Metrics) -> None:
    """Add `/healthz`, `/readyz` and `/metrics`."""

    @app.get("/healthz", tags=["operations"])
    async def healthz() -> Health:
        """The process is up."""
        return Health(status="ok")

    @app.get(
        "/readyz",
        tags=["operations"],
        response_model=Readiness,
        responses={503: {"model": Readiness}},
    )
    async def readyz(request: Request) -> Response:
        """Whether prices can be served; which part is down, to who may read metrics."""
        who: Caller | None = getattr(request.state, "caller", None)
        if who is None or Scope.METRICS not in who.scopes:
            ready = bool(holder.held)
            told = Readiness(
                ready=ready,
                release=None,
                detail="ready" if ready else "not ready",
                releases={},
                parts={},
            )
            return JSONResponse(told.model_dump(), 200 if ready else 503)
        held, trouble = holder.held, await keeper.trouble()
        releases = {market: one.champion.hash for market, one in held.items()}
        body = Readiness(
            ready=bool(held),
            release=next(iter(releases.values()), None),
            detail="ready" if held else str(holder.trouble),
            releases=releases,
            parts={"releases": holder.trouble or "ready", "store": trouble or "ready"},
        )
        return JSONResponse(body.model_dump(), 200 if held else 503)

    @app.get("/metrics", tags=["operations"], response_class=Response)
    async def measured(_: _Metrics) -> Response:
        """Counters and histograms in Prometheus's text format."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)
