"""What routes ask of security: who calls, whether a member agreed, that it was written down."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from riskengine.errors import LimitError, ScopeError, StoreError, TokenError
from riskengine.security.audit import AuditEvent
from riskengine.security.consents import ConsentPurpose
from riskengine.security.scopes import Caller, Scope, needs_second_factor
from riskengine.service.security.security import Protected, Security

Dependency = Callable[[Request], Coroutine[Any, Any, Caller]]
_NAMED = "scopes_needed"


def caller(*scopes: Scope) -> Dependency:
    """A dependency that gives the caller, who has all of `scopes`; raises `ScopeError` if not.

    A person must have shown a second factor where a scope asks for it.
    """

    async def dependency(request: Request) -> Caller:
        return caller_of(getattr(request.state, "caller", None), *scopes)

    setattr(dependency, _NAMED, scopes)
    return dependency


def caller_of(found: Caller | None, *scopes: Scope) -> Caller:
    """The caller that a request was found to have, if they have all of `scopes`; see `caller`."""
    if found is None:
        message = "a token is needed: ask for one at /oauth/token"
        raise TokenError(message)
    for scope in scopes:
        require_scope(found, scope)
    return found


def require_scope(caller: Caller, scope: Scope) -> None:
    """Pass if the caller may use the scope; raises `ScopeError` that says what is missing."""
    if scope not in caller.scopes:
        message = f"client {caller.client!r} has no scope {scope!s}: ask who runs the service"
        raise ScopeError(message, scope)
    if needs_second_factor(scope, person=caller.person) and not caller.second_factor:
        message = f"scope {scope!s} needs a second factor: ask for a token with your one-time code"
        raise ScopeError(message, scope, second_factor=True)


def routes_without_scope(app: FastAPI, open_paths: frozenset[str]) -> tuple[str, ...]:
    """Routes that neither are open nor say which scope they need: a test keeps it empty."""
    return tuple(
        f"{','.join(sorted(route.methods or ()))} {route.path}"
        for route in app.routes
        if isinstance(route, APIRoute)
        and route.path not in open_paths
        and not _asks(route.dependant)
    )


def security_in(app: FastAPI) -> Security:
    """The security that was installed in an application."""
    security = app.state.security
    assert isinstance(security, Security)
    return security


def protected_in(app: FastAPI) -> Protected:
    """What a service with keys has; raises `StoreError` in one without."""
    protected = security_in(app).protected
    if protected is None:
        message = "this service has no keys: make them with `riskengine keys new`"
        raise StoreError(message)
    return protected


async def use_stored_profile(
    app: FastAPI, caller: Caller, member_id: str | None, *purposes: ConsentPurpose
) -> None:
    """Pass if the stored profile of a member may be used for one of the purposes.

    An answer shows the values it was computed from, so that whoever names a member reads health
    data. Raises `ScopeError` without the scope `profiles` (and second factor), `ConsentError` when
    the member does not agree. Without keys, and for a request that names nobody, it passes.
    """
    protected = security_in(app).protected
    if member_id is None or protected is None:
        return
    require_scope(caller, Scope.PROFILES)
    await asyncio.to_thread(protected.consents.require, member_id, *purposes)
    await record(app, caller, f"profile.used.{'.'.join(purposes)}", member_id)


async def record(
    app: FastAPI,
    caller: Caller,
    action: str,
    member_id: str | None = None,
    detail: Mapping[str, object] | None = None,
    *,
    about: str = "",
) -> None:
    """Write to the audit log, durably, before the answer; without keys there is no log.

    It is on the member, by a pseudonym, or else `about` something that is nobody.
    """
    security = security_in(app)
    if security.protected is None:
        return
    subject = about if member_id is None else security.names.of(member_id)
    event = AuditEvent(caller.client, action, subject, detail)
    await asyncio.to_thread(security.protected.audit.append, event, security.clock())


def require_batch(app: FastAPI, items: int) -> None:
    """Pass if a request has not more items than allowed; raises `LimitError` (413) if it has."""
    most = security_in(app).limits.batch_items
    if items > most:
        message = f"the request has {items} items, more than {most}: send it in parts"
        raise LimitError(message)


def _asks(dependant: Dependant) -> bool:
    return hasattr(dependant.call, _NAMED) or any(_asks(one) for one in dependant.dependencies)
