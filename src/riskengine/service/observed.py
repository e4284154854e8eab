"""Around every request: an id, one line of log, one observation of how long it took."""

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from os import urandom
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from riskengine.service.metrics import Metrics

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
_GIVEN = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
logger = logging.getLogger("riskengine.requests")


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, request id, and what was added."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request_id := REQUEST_ID.get()) is not None:
            told["request_id"] = request_id
        told |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def log_json(level: str) -> None:
    """Send all logs to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)


class Observed:
    """The ASGI layer that does it; an `X-Request-Id` of the client is taken over."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._seconds = app, metrics.seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = perf_counter(), 500
        request_id = _request_id(scope)
        token = REQUEST_ID.set(request_id)

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id.encode()))
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            took = perf_counter() - begun
            # Only the paths of routes: a client must not make up label values.
            route = getattr(scope.get("route"), "path", "none")
            self._seconds.observe((scope["method"], route, str(status)), took)
            if logger.isEnabledFor(logging.INFO):
                said = {"method": scope["method"], "route": route, "status": status}
                logger.info("request", extra={**said, "milliseconds": round(took * 1000, 3)})
            REQUEST_ID.reset(token)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _GIVEN.fullmatch(value):
            return str(value.decode("ascii"))
    return urandom(16).hex()
