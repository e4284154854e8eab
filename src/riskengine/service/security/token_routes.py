"""Where clients get tokens: OAuth 2 client credentials, with a one-time code for people.

Errors here have the shape of RFC 6749, which is what its libraries read.
"""

import asyncio
import base64
import binascii
from dataclasses import replace
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from riskengine.errors import LimitError, TokenError
from riskengine.security.clients import Credentials
from riskengine.security.scopes import Caller, Scope
from riskengine.security.tokens import issue_token, public_keys
from riskengine.service.security.access import record, security_in
from riskengine.service.security.middleware import TOKEN_PATH
from riskengine.service.security.security import Protected

_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"const": "client_credentials"},
                        "client_id": {"type": "string"},
                        "client_secret": {"type": "string"},
                        "scope": {"type": "string", "description": "Fewer scopes than all."},
                        "otp": {"type": "string", "description": "One-time code of a person."},
                    },
                }
            }
        },
    }
}


class TokenResponse(BaseModel):
    access_token: str
    token_type: str
    expires_in: int
    scope: str


class _Code(StrEnum):
    """Codes of RFC 6749, section 5.2."""

    REQUEST = "invalid_request"
    CLIENT = "invalid_client"
    GRANT = "unsupported_grant_type"
    SCOPE = "invalid_scope"


class _RefusedError(Exception):
    def __init__(self, code: _Code, description: str, status: int = 400) -> None:
        self.code, self.description, self.status = code, description, status
        super().__init__(description)


def add_token_routes(app: FastAPI, protected: Protected) -> None:
    """`POST /oauth/token` and the public keys, to a service with keys."""

    @app.post(TOKEN_PATH, tags=["security"], openapi_extra=_FORM, response_model=TokenResponse)
    async def token(request: Request) -> JSONResponse:
        """A token for a client, good for some minutes."""
        try:
            shown, scope = _asked(request, await request.body())
            granted = _fewer(await _authenticated(app, protected, shown), scope)
        except _RefusedError as error:
            body = {"error": error.code, "error_description": error.description}
            basic = {"www-authenticate": 'Basic realm="riskengine"'} if error.status == 401 else {}
            return JSONResponse(body, error.status, basic)
        await record(app, granted, "token.issued", detail={"otp": granted.second_factor})
        text = issue_token(protected.keys(), granted, security_in(app).clock(), protected.terms)
        answer = TokenResponse(
            access_token=text,
            token_type="Bearer",
            expires_in=int(protected.terms.lifetime.total_seconds()),
            scope=" ".join(sorted(granted.scopes)),
        )
        return JSONResponse(answer.model_dump())

    @app.get("/.well-known/jwks.json", tags=["security"])
    async def keys() -> dict[str, Any]:
        """The public keys that verify tokens, as a JSON Web Key Set."""
        return public_keys(protected.keys(), security_in(app).clock())


async def _authenticated(app: FastAPI, protected: Protected, shown: Credentials) -> Caller:
    now = security_in(app).clock()
    try:
        return await asyncio.to_thread(protected.clients.authenticate, shown, now)
    except TokenError as error:
        refused = _RefusedError(_Code.CLIENT, str(error), 401)
    except LimitError as error:
        refused = _RefusedError(_Code.CLIENT, str(error), 429)
    # The name is as it was sent: it may be of nobody, and long.
    await record(app, Caller(shown.client_id[:64], frozenset()), "token.refused")
    raise refused


def _asked(request: Request, body: bytes) -> tuple[Credentials, str | None]:
    """Credentials and scope of a request, from its form or from HTTP Basic."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise _RefusedError(_Code.REQUEST, "send application/x-www-form-urlencoded")
    try:
        form = parse_qs(body.decode(), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise _RefusedError(_Code.REQUEST, "the form cannot be read") from None
    if any(len(values) > 1 for values in form.values()):
        raise _RefusedError(_Code.REQUEST, "a field is given twice")
    given = {name: values[0] for name, values in form.items()}
    if given.get("grant_type") != "client_credentials":
        raise _RefusedError(_Code.GRANT, "the one grant is client_credentials")
    client_id, secret = _basic(request) or (given.get("client_id"), given.get("client_secret"))
    if not client_id or not secret:
        raise _RefusedError(_Code.CLIENT, "give client_id and client_secret", 401)
    if not client_id.isprintable():
        # No database could look it up, and no client has such a name.
        raise _RefusedError(_Code.CLIENT, "client_id has characters that no name has", 401)
    return Credentials(client_id, secret, given.get("otp") or None), given.get("scope")


def _basic(request: Request) -> tuple[str, str] | None:
    kind, _, coded = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise _RefusedError(_Code.CLIENT, "HTTP Basic cannot be read", 401) from None
    return unquote_plus(name), unquote_plus(secret)


def _fewer(caller: Caller, scope: str | None) -> Caller:
    """The caller with no more than the scopes asked for, all of which it must have."""
    if not scope:
        return caller
    asked = set(scope.split())
    if not asked <= caller.scopes:
        more = ", ".join(sorted(asked - caller.scopes))
        raise _RefusedError(_Code.SCOPE, f"the client has no scope {more}")
    return replace(caller, scopes=frozenset(Scope(one) for one in asked))
