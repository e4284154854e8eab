"""The routes that are asked most, without what a framework does for any route.

FastAPI documents such a route and answers it whenever a request is out of the ordinary: parameters
in the query, another content type, a header it has to check. The usual request goes straight to its
handler; what that raises is raised again in the route, so that errors are told in one place.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeAlias

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from riskengine.security.scopes import Caller
from riskengine.security.scopes import Scope as Permission
from riskengine.service.body import JSON
from riskengine.service.requests import Named
from riskengine.service.security import BODY, caller_of

RawHeaders: TypeAlias = Sequence[tuple[bytes, bytes]]
Handler: TypeAlias = Callable[[Caller, bytes, str | None], Awaitable[tuple[bytes, RawHeaders]]]
"""Answers a body under an idempotency key (or None), with headers beside those of the content."""
_KEY = TypeAdapter(Named)
_TYPE = JSON.encode()
_RAISED = "riskengine.raised"


class DirectRoute(APIRoute):
    """A route that `Direct` stands before."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (error := scope.get(_RAISED)) is not None:
            raise error
        await super().handle(scope, receive, send)


class Direct:
    """The ASGI layer that answers usual requests; the last one before the framework.

    `add_direct` puts it before the routes of an application that are answered so.
    """

    def __init__(self, app: ASGIApp, routes: dict[str, "_Direct"]) -> None:
        self._app, self._routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._routes.get(scope["path"]) if scope["type"] == "http" else None
        usual = None if found is None or scope["root_path"] else _usual(scope)
        if found is None or usual is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = found.route
        try:
            who = caller_of(scope["state"].get("caller"), found.permission)
            content, told = await found.handler(who, *usual)
        except Exception as error:  # noqa: BLE001  the route raises it again
            scope[_RAISED] = error
            await self._app(scope, receive, send)
            return
        size = str(len(content)).encode()
        headers = [(b"content-type", _TYPE), (b"content-length", size), *told]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


class _Direct(NamedTuple):
    route: APIRoute
    handler: Handler
    permission: Permission


def _usual(scope: Scope) -> tuple[bytes, str | None] | None:
    """Body and idempotency key of a usual request; None for any other one."""
    if scope["method"] != "POST" or scope["query_string"] or BODY not in scope:
        return None
    kind, key = None, None
    for name, value in scope["headers"]:
        if name == b"content-type":
            kind = value if kind is None else b""
        elif name == b"idempotency-key":
            key = value if key is None else b""
    if kind != _TYPE:
        return None
    try:
        return scope[BODY], None if key is None else _KEY.validate_python(key.decode("latin-1"))
    except ValidationError:
        return None


def add_direct(app: FastAPI, handlers: dict[str, tuple[Handler, Permission]]) -> None:
    """Answer usual requests to the routes of these paths, which are `DirectRoute`s, directly."""
    routes = {
        route.path: _Direct(route, *handlers[route.path])
        for route in app.routes
        if isinstance(route, DirectRoute)
    }
    app.add_middleware(Direct, routes=routes)
