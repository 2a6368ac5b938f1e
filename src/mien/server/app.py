"""The ASGI application: routes, security middleware, problem documents, OpenAPI document."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from mien.server.auth.web_sessions import COOKIE, CSRF_HEADER, SECURE_COOKIE
from mien.server.http.error_responses import install_error_handlers
from mien.server.http.security import AccessRules, SecurityMiddleware
from mien.server.routes import (
    audit,
    course,
    forgetting,
    health,
    identify,
    jobs,
    page,
    people,
    recognizers,
    sign_in,
    versions,
)
from mien.server.state import ServerState
from mien.version import __version__

_ABOUT = (
    "Identifies the people in photos, manages a gallery of people and trains recognizers. Photos "
    "are uploaded as multipart files; errors are problem documents (RFC 9457). If API keys exist, "
    "each request needs one: `Authorization: Bearer KEY`."
)


def create_app(state: ServerState) -> FastAPI:
    """Return the application over a server's state, which it closes on shutdown."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        state.jobs.start()
        yield
        await run_in_threadpool(state.close)

    app = FastAPI(
        title="Mien",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=lifespan,
    )
    app.state.server = state
    install_error_handlers(app)
    for module in (
        health,
        sign_in,
        audit,
        identify,
        people,
        forgetting,
        recognizers,
        versions,
        jobs,
        course,
    ):
        app.include_router(module.router)
    page.add_page(app)
    _describe(app)
    return app


def with_security(app: FastAPI) -> ASGIApp:
    """Return the application with CORS and the security middleware around it."""
    state: ServerState = app.state.server
    settings = state.settings
    inner: ASGIApp = app
    if settings.origins:
        inner = CORSMiddleware(
            app,
            allow_origins=sorted(settings.origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["authorization", "content-type", CSRF_HEADER],
            max_age=600,
        )
    rules = AccessRules(settings.hosts, settings.origins, settings.limits)
    return SecurityMiddleware(inner, rules, state.metrics)


def _describe(app: FastAPI) -> None:
    """Add the problem documents and the two ways to send a key to the OpenAPI document."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        found = plain()
        parts = found.setdefault("components", {})
        parts.setdefault("schemas", {})["Problem"] = _PROBLEM
        for unused in ("HTTPValidationError", "ValidationError"):
            parts["schemas"].pop(unused, None)
        parts["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer"},
            "cookie": {
                "type": "apiKey",
                "in": "cookie",
                "name": COOKIE,
                "description": f"Over TLS its name is `{SECURE_COOKIE}`.",
            },
        }
        found["security"] = [{"key": []}, {"cookie": []}, {}]
        app.openapi_schema = found
        return found

    app.openapi = described  # type: ignore[method-assign]


_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "A problem document (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "hint": {"type": "string", "description": "How to solve it; may be empty."},
        "reason": {"type": "string"},
        "evidence": {"type": "object"},
    },
}
