"""The routes that are asked most, without what a framework does for any route.

FastAPI documents such a route and answers it whenever a request is out of the ordinary: parameters
in the query, another content type, a header it has to check. The usual request goes straight to its
handler; errors are raised and told in the same place.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

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


class _Unusual(Exception):  # noqa: N818  nothing is wrong: FastAPI answers it
    """The request is for the framework to answer."""


def direct(handler: Handler, permission: Permission) -> type[APIRoute]:
    """A class of routes whose usual request `handler` answers, for who has the permission."""

    class Direct(APIRoute):
        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            if scope["type"] == "http" and scope["path"] == self.path and not scope["root_path"]:
                found = {"endpoint": self.endpoint, "path_params": {}, "route": self}
                return Match.FULL, found
            return super().matches(scope)

        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            try:
                key = _key(scope)
            except _Unusual:
                await super().handle(scope, receive, send)
                return
            who = caller_of(scope["state"].get("caller"), permission)
            content, told = await handler(who, scope[BODY], key)
            size = str(len(content)).encode()
            headers = [(b"content-type", _TYPE), (b"content-length", size), *told]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": content})

    return Direct


def _key(scope: Scope) -> str | None:
    """The idempotency key of a usual request; raises `_Unusual` for any other one."""
    if scope["method"] != "POST" or scope["query_string"] or BODY not in scope:
        raise _Unusual
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    keys = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    if kinds != [_TYPE] or len(keys) > 1:
        raise _Unusual
    try:
        return _KEY.validate_python(keys[0].decode("latin-1")) if keys else None
    except ValidationError:
        raise _Unusual from None
