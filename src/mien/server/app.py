"""The app: routes behind the shield, errors as problem documents, the OpenAPI document."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from mien.server.auth.web_sessions import CSRF_HEADER
from mien.server.http import error_responses as problems
from mien.server.http.security import Borders, Shield
from mien.server.routes import course, health, identify, jobs, page, people, recognizers, session
from mien.server.state import ServerState
from mien.version import __version__

_ABOUT = (
    "Names the people in photos, keeps a gallery of them and trains recognizers. Photos go in as "
    "multipart files; errors are problem documents (RFC 9457). Where keys were made, each request "
    "carries one: `Authorization: Bearer KEY`."
)


def create_app(service: ServerState) -> FastAPI:
    """Return the app over a service; it closes the service when it stops."""

    @contextlib.asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        service.jobs.start()
        yield
        await run_in_threadpool(service.close)

    app = FastAPI(
        title="Mien",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=life,
    )
    app.state.service = service
    problems.install(app)
    for room in (health, session, identify, people, recognizers, jobs, course):
        app.include_router(room.router)
    page.mount(app)
    _describe(app)
    return app


def shielded(app: FastAPI) -> ASGIApp:
    """Return the app behind its shield, as it is to be served."""
    service: ServerState = app.state.service
    settings = service.settings
    inner: ASGIApp = app
    if settings.origins:
        inner = CORSMiddleware(
            app,
            allow_origins=sorted(settings.origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["authorization", "content-type", CSRF_HEADER],
            max_age=600,
        )
    borders = Borders(settings.hosts, settings.origins, settings.limits)
    return Shield(inner, borders, service.metrics)


def _describe(app: FastAPI) -> None:
    """Have the document say that errors are problem documents, and how keys are sent."""
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
            "cookie": {"type": "apiKey", "in": "cookie", "name": "mien_session"},
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
        "hint": {"type": "string", "description": "What to do about it; may be empty."},
        "reason": {"type": "string"},
        "evidence": {"type": "object"},
    },
}
