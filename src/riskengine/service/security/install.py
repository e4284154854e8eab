"""Puts security around an application, in the one order in which it is safe."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from riskengine.service.security.answers import install_refusals
from riskengine.service.security.member_routes import add_member_routes
from riskengine.service.security.middleware import (
    OPEN_PATHS,
    Authentication,
    MembersOutOfLogs,
    RateLimited,
    SecurityHeaders,
    WholeBody,
)
from riskengine.service.security.security import Security, security_without_keys
from riskengine.service.security.token_routes import add_token_routes


def install_security(
    app: FastAPI, security: Security | None = None, open_paths: frozenset[str] = frozenset()
) -> None:
    """Middleware, refusals and routes of security; before the application's own routes.

    Before them, since the path of a member may hold slashes. `open_paths` need no token, besides
    `/healthz`, the token endpoint and the public keys.
    """
    security = security or security_without_keys()
    app.state.security = security
    install_refusals(app)
    if security.protected is not None:
        add_token_routes(app, security.protected)
        add_member_routes(app)
    # The last one added is the first to see a request.
    app.add_middleware(WholeBody, limits=security.limits, names=security.names)
    app.add_middleware(RateLimited, limits=security.limits)
    app.add_middleware(Authentication, security=security, open_paths=OPEN_PATHS | open_paths)
    app.add_middleware(MembersOutOfLogs, names=security.names)
    if security.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=security.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
        )
    app.add_middleware(SecurityHeaders)
