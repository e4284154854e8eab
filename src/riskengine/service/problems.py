"""Errors on the wire: RFC 9457 problem details, one mapping for the whole error tree."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from riskengine.errors import (
    AnswerError,
    ConflictError,
    ReleaseError,
    RiskEngineError,
    StoreError,
    UnknownMemberError,
    UnknownQuoteError,
)

PROBLEM = "application/problem+json"
RETRY_SECONDS = 2


class ProblemItem(BaseModel):
    """One value that cannot be used: where it is, what it was, what is allowed."""

    field: str
    value: str
    message: str


class ProblemDetails(BaseModel):
    """RFC 9457 body, with `errors` listing every value at fault."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[ProblemItem] = []


_SAID = {
    400: "A request that cannot be read",
    403: "A scope that the client does not have",
    404: "Nothing of this name is stored",
    409: "Does not fit what is stored already",
    415: "A body that is not JSON",
    422: "Values that cannot be used",
    503: "No release is loaded, or the store is away: try again after Retry-After seconds",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says of the problems of a route."""
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        status: {"description": _SAID[status], "content": {PROBLEM: {"schema": schema}}}
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Make every error of `app` answer with problem details."""
    app.add_exception_handler(RiskEngineError, _engine_error)
    app.add_exception_handler(RequestValidationError, _request_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


def problem_of(error: RiskEngineError) -> ProblemDetails:
    """What is told of an error that was raised on purpose."""
    if isinstance(error, AnswerError):
        items = [
            ProblemItem(field=p.field, value=p.value, message=p.message) for p in error.problems
        ]
        return _details(HTTPStatus.UNPROCESSABLE_ENTITY, "answers cannot be priced", items)
    if isinstance(error, UnknownMemberError | UnknownQuoteError):
        return _details(HTTPStatus.NOT_FOUND, str(error))
    if isinstance(error, ConflictError):
        return _details(HTTPStatus.CONFLICT, str(error))
    if isinstance(error, ReleaseError | StoreError):
        return _details(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
    return _details(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))


async def _engine_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RiskEngineError)
    return _respond(problem_of(error))


async def _request_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    items = [
        ProblemItem(
            field=".".join(str(part) for part in fault["loc"]),
            value=_shown(fault.get("input")),
            message=str(fault["msg"]),
        )
        for fault in error.errors()
    ]
    told = "the request does not fit its schema"
    return _respond(_details(HTTPStatus.UNPROCESSABLE_ENTITY, told, items))


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = _respond(_details(HTTPStatus(error.status_code), str(error.detail)))
    response.headers.update(error.headers or {})
    return response


async def _unexpected(_: Request, error: Exception) -> Response:
    told = f"unexpected {type(error).__name__}: the log has it under this request's id"
    return _respond(_details(HTTPStatus.INTERNAL_SERVER_ERROR, told))


def _details(status: HTTPStatus, detail: str, errors: Sequence[ProblemItem] = ()) -> ProblemDetails:
    return ProblemDetails(
        title=status.phrase, status=status.value, detail=detail, errors=list(errors)
    )


def _respond(body: ProblemDetails) -> Response:
    # ASCII escapes carry even what is no valid text, such as half of a surrogate pair.
    content = json.dumps(body.model_dump(mode="python"))
    response = Response(content, body.status, media_type=PROBLEM)
    if body.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["retry-after"] = str(RETRY_SECONDS)
    return response


def _shown(value: object) -> str:
    """A value in at most 200 printable characters."""
    return ascii(value)[:200]
