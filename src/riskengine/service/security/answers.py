"""Refusals as problem details, whoever refuses: a route, or a middleware before any route."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import Response

from riskengine.errors import AccessError, LimitError, ScopeError, TokenError
from riskengine.service.problems import ProblemDetails

_TYPES = "urn:riskengine:problem:"


def install_refusals(app: FastAPI) -> None:
    """Make refusals raised in a route answer with their status and what to do."""
    app.add_exception_handler(AccessError, _access)
    app.add_exception_handler(LimitError, _limit)


def problem(
    status: HTTPStatus, detail: str, kind: str, headers: Mapping[str, str] | None = None
) -> Response:
    """A problem detail of one of our types; `kind` is the last part of its type."""
    body = ProblemDetails(
        type=_TYPES + kind, title=status.phrase, status=status.value, detail=detail
    )
    content = json.dumps(body.model_dump(mode="python"))
    return Response(content, status.value, headers, media_type="application/problem+json")


def refusal(error: AccessError) -> Response:
    """The answer to who may not: 401 with what to bring, or 403 with what is missing.

    A second factor is asked for as RFC 9470 says, all else as RFC 6750.
    """
    said = str(error)
    if isinstance(error, TokenError):
        return problem(HTTPStatus.UNAUTHORIZED, said, "token", _challenge("invalid_token"))
    if isinstance(error, ScopeError) and error.second_factor:
        asked = _challenge("insufficient_user_authentication", error.scopes)
        return problem(HTTPStatus.UNAUTHORIZED, said, "second-factor", asked)
    if isinstance(error, ScopeError):
        asked = _challenge("insufficient_scope", error.scopes)
        return problem(HTTPStatus.FORBIDDEN, said, "scope", asked)
    return problem(HTTPStatus.FORBIDDEN, said, "consent")


async def _access(_: Request, error: Exception) -> Response:
    assert isinstance(error, AccessError)
    return refusal(error)


async def _limit(_: Request, error: Exception) -> Response:
    return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error), "size")


def _challenge(fault: str, scopes: str = "") -> dict[str, str]:
    asked = f', scope="{scopes}"' if scopes else ""
    return {"www-authenticate": f'Bearer realm="riskengine", error="{fault}"{asked}'}
