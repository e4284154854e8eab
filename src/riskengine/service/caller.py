"""Who calls: the one place that routes ask, and where a security layer says who it is.

A layer in front of the routes puts a `Caller` into `request.state.caller`. Without one, everybody
is the local client with every scope; such a server listens to its own machine only.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from fastapi import Request
from starlette.exceptions import HTTPException


class Scope(StrEnum):
    """What a client may do."""

    QUOTES_WRITE = "quotes:write"
    QUOTES_READ = "quotes:read"
    PRICES = "prices"
    PROFILES_READ = "profiles:read"
    FEEDBACK_WRITE = "feedback:write"
    PRODUCTS_READ = "products:read"


@dataclass(frozen=True)
class Caller:
    """A client by its id, and what it may do."""

    client: str
    scopes: frozenset[str] = field(default_factory=frozenset)


LOCAL = Caller("local", frozenset(Scope))


async def caller(request: Request) -> Caller:
    """Who sent a request."""
    found = getattr(request.state, "caller", LOCAL)
    return found if isinstance(found, Caller) else LOCAL


def needs(scope: Scope) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that gives the caller, or answers 403 where the scope is not theirs."""

    async def allowed(request: Request) -> Caller:
        who = await caller(request)
        if scope not in who.scopes:
            raise HTTPException(403, f"client {who.client!r} has no scope {scope.value!r}")
        return who

    return allowed
