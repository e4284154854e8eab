"""What stands before every route: headers, who calls, how often, how much, and what logs may tell.

Plain ASGI, so that a body is refused before it is held and a token is asked for before a body is
read. A path that is not named as open needs a token, also one that has no route.
"""

import asyncio
import ipaddress
import json
import logging
import re
import time
from collections.abc import MutableMapping
from contextlib import suppress
from functools import cache, lru_cache
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from riskengine.errors import AccessError, StoreError, TokenError
from riskengine.security.member_log import Pseudonyms, protect_handlers
from riskengine.security.rate_limit import RateLimit
from riskengine.security.scopes import ANYBODY, Caller
from riskengine.security.tokens import read_token
from riskengine.service.desk import DESK_PATHS
from riskengine.service.security.answers import problem, refusal
from riskengine.service.security.security import Limits, Protected, Security

TOKEN_PATH = "/oauth/token"
READY_PATH = "/readyz"
OPEN_PATHS = DESK_PATHS | {"/healthz", READY_PATH, TOKEN_PATH, "/.well-known/jwks.json"}
BODY = "riskengine.body"
"""Where the body of a request stands in its scope, once it is read."""
_READING_SECONDS = 30.0
_REVOKED_SECONDS = 15.0
_MEMBER_PATH = re.compile(r"/v1/members/(.+?)(?:/(?:profile|consents|export))?/?")
_MEMBER_FIELD = re.compile(rb'"member_id"\s*:\s*("(?:[^"\\]|\\.)*")')
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
# FastAPI's page of documentation loads its viewer from elsewhere and starts it inline.
_DOCS_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net;"
    " style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; img-src 'self' data: https:;"
    " worker-src blob:; base-uri 'none'; frame-ancestors 'none'"
)
logger = logging.getLogger(__name__)


class _GoneError(Exception):
    """The client went away before its request was whole: there is nobody to answer."""


class SecurityHeaders:
    """Headers on every answer; HSTS where the request came over TLS, no caching of members."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                message["headers"] += [one for one in _headers(scope) if one[0] not in there]
            await send(message)

        await self._app(scope, receive, with_headers)


class MembersOutOfLogs:
    """Notes the members a request names, in its path and its body, for the filter of logs."""

    def __init__(self, app: ASGIApp, names: Pseudonyms) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            protect_handlers()
        elif scope["type"] == "http":
            self._names.begin()
            if found := _MEMBER_PATH.fullmatch(scope["path"]):
                raw = scope.get("raw_path", b"").decode("ascii", "replace")
                sent = _MEMBER_PATH.fullmatch(raw)
                self._names.note(found[1], *([sent[1]] if sent else []))
        await self._app(scope, receive, send)


class WholeBody:
    """Reads a body before the route does: refuses what is too long or too slow, notes members."""

    def __init__(self, app: ASGIApp, limits: Limits, names: Pseudonyms) -> None:
        self._app, self._most, self._names = app, limits.request_bytes, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = _header(scope, b"content-length") or b"0"
        try:
            too_long = not declared.isdigit() or int(declared) > self._most
            async with asyncio.timeout(_READING_SECONDS):
                body = None if too_long else await self._read(receive)
        except TimeoutError:
            answer = problem(HTTPStatus.REQUEST_TIMEOUT, "the body came too slowly", "slow")
            await answer(scope, receive, send)
            return
        except _GoneError:
            return
        if body is None:
            detail = f"the request has more than {self._most} bytes: send it in parts"
            answer = problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, "size")
            await answer(scope, receive, send)
            return
        self._note(body)
        scope[BODY] = body
        await self._app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The body, or None as soon as it is longer than allowed."""
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _GoneError
            part = message.get("body", b"")
            size += len(part)
            if size > self._most:
                return None
            parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts)

    def _note(self, body: bytes) -> None:
        if b"member_id" not in body:
            return
        for found in _MEMBER_FIELD.finditer(body):
            try:
                self._names.note(json.loads(found[1]))
            except ValueError:
                # No JSON: the request is refused further in, and its members are not looked up.
                continue


class Authentication:
    """Finds out who calls; nobody passes without a token, except to what is open.

    Without keys whoever is on this machine may do everything, and nobody else anything.
    """

    def __init__(self, app: ASGIApp, security: Security, open_paths: frozenset[str]) -> None:
        self._app, self._security, self._open = app, security, open_paths
        protected = security.protected
        self._revocations = Revocations(protected) if protected is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http" and scope["path"] not in self._open:
            try:
                scope.setdefault("state", {})["caller"] = await self._caller(scope)
            except AccessError as error:
                await refusal(error)(scope, receive, send)
                return
        elif scope["type"] == "http" and scope["path"] == READY_PATH:
            # A probe has no token and is told less than who may read metrics.
            with suppress(AccessError):
                scope.setdefault("state", {})["caller"] = await self._caller(scope)
        await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Caller:
        protected = self._security.protected
        if protected is None or self._revocations is None:
            if not self._security.open_to_all and _is_elsewhere(_peer(scope)):
                message = "this service has no keys and serves its own machine only"
                raise TokenError(message)
            return ANYBODY
        given = _header(scope, b"authorization") or b""
        kind, _, token = given.decode("latin-1").partition(" ")
        if kind.lower() != "bearer" or not token:
            message = f"a token is needed: ask for one at {TOKEN_PATH}"
            raise TokenError(message)
        now = self._security.clock()
        caller = read_token(protected.keys(), token.strip(), now, protected.terms)
        if await self._revocations.has(caller.client):
            message = f"client {caller.client!r} was revoked"
            raise TokenError(message)
        return caller


class Revocations:
    """The clients that were revoked, as the database told it some seconds ago."""

    def __init__(self, protected: Protected) -> None:
        self._read = protected.clients.revoked
        self._ids: frozenset[str] = frozenset()
        self._at = -_REVOKED_SECONDS

    async def has(self, client_id: str) -> bool:
        """Whether a client was revoked; what was known last where the database is away."""
        now = time.monotonic()
        if now - self._at >= _REVOKED_SECONDS:
            self._at = now
            try:
                self._ids = await asyncio.to_thread(self._read)
            except StoreError as error:
                logger.warning("revoked clients are as they were: %s", error)
        return client_id in self._ids


class RateLimited:
    """Lets each client, and each other machine that has no token, ask only so often."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._clients = RateLimit(limits.rate)
        self._tokens = RateLimit(limits.token_rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (wait := self._wait(scope)) > 0:
            detail = f"too many requests: wait {wait:.1f} seconds"
            after = {"retry-after": str(int(wait) + 1)}
            answer = problem(HTTPStatus.TOO_MANY_REQUESTS, detail, "rate", after)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _wait(self, scope: Scope) -> float:
        now, caller = time.monotonic(), scope.get("state", {}).get("caller")
        if scope["path"] == TOKEN_PATH:
            return self._tokens.wait(_peer(scope), now)
        if scope["path"] in {"/healthz", READY_PATH}:
            return 0.0
        if caller is ANYBODY:
            return self._clients.wait(_peer(scope), now) if _is_elsewhere(_peer(scope)) else 0.0
        return self._clients.wait(f"client {caller.client}" if caller else _peer(scope), now)


def _headers(scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
    path = scope["path"]
    documents = path in {"/docs", "/redoc"}
    return _headers_of(documents, scope["scheme"] == "https", path.startswith(("/v1/", "/oauth/")))


@cache
def _headers_of(documents: bool, secure: bool, private: bool) -> tuple[tuple[bytes, bytes], ...]:
    """As ASGI has them; `secure` over TLS, `private` where nobody may keep the answer."""
    headers = {
        "content-security-policy": _DOCS_POLICY if documents else _POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }
    if secure:
        headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"
    if private:
        headers["cache-control"] = "no-store"
    return tuple((name.encode(), value.encode()) for name, value in headers.items())


def _header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that name."""
    return next((value for one, value in scope["headers"] if one == name), None)


def _replay(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> MutableMapping[str, Any]:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


@lru_cache(maxsize=1024)
def _is_elsewhere(peer: str) -> bool:
    """Whether an address is of another machine; a name or no address is a socket or a test."""
    try:
        return not ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False
