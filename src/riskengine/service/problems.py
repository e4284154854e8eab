"""Errors on the wire: RFC 9457 problem details, one mapping for the whole error tree."""

import json
from collections.abc import Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from riskengine.errors import (
    AnswerError,
    ReleaseError,
    RiskEngineError,
    StoreError,
    UnknownMemberError,
)


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


def install(app: FastAPI) -> None:
    """Make every error of `app` answer with problem details."""
    app.add_exception_handler(RiskEngineError, _engine_error)
    app.add_exception_handler(RequestValidationError, _request_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


async def _engine_error(_: Request, error: Exception) -> Response:
    if isinstance(error, UnknownMemberError):
        return _respond(HTTPStatus.NOT_FOUND, str(error))
    if isinstance(error, ReleaseError | StoreError):
        return _respond(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
    if isinstance(error, AnswerError):
        items = [
            ProblemItem(field=p.field, value=p.value, message=p.message) for p in error.problems
        ]
        return _respond(HTTPStatus.UNPROCESSABLE_ENTITY, "answers cannot be priced", items)
    return _respond(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))


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
    return _respond(HTTPStatus.UNPROCESSABLE_ENTITY, "the request does not fit its schema", items)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = _respond(HTTPStatus(error.status_code), str(error.detail))
    response.headers.update(error.headers or {})
    return response


async def _unexpected(_: Request, error: Exception) -> Response:
    return _respond(HTTPStatus.INTERNAL_SERVER_ERROR, f"unexpected {type(error).__name__}")


def _respond(status: HTTPStatus, detail: str, errors: Sequence[ProblemItem] = ()) -> Response:
    body = ProblemDetails(
        title=status.phrase, status=status.value, detail=detail, errors=list(errors)
    )
    # ASCII escapes carry even what is no valid text, such as half of a surrogate pair.
    content = json.dumps(body.model_dump(mode="python"))
    return Response(content, status.value, media_type="application/problem+json")


def _shown(value: object) -> str:
    """A value in at most 200 printable characters."""
    return ascii(value)[:200]
