"""Web sessions (signing in with an API key) and the audit trail."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from mien.errors import KeyNeeded, TooManyRequests
from mien.gallery import Gallery
from mien.server.auth.access import address_of, anyone, check_csrf, require_role
from mien.server.auth.audit_trail import AccessEvent
from mien.server.auth.keys import Role
from mien.server.auth.web_sessions import COOKIE, LIFETIME
from mien.server.http.guarded_route import GuardedRoute
from mien.server.routes.openapi import problem_responses
from mien.server.state import ServerState, StateDep

router = APIRouter(route_class=GuardedRoute, tags=["access"])


class SignIn(BaseModel):
    """The API key to sign in with."""

    key: str = Field(max_length=200)


class SessionState(BaseModel):
    """State of the web session."""

    authentication: bool
    role: str | None
    csrf: str | None


class EventRow(BaseModel):
    """An event of the audit trail, with ids instead of names."""

    time: str
    action: str
    person: str
    key: str
    detail: str


class AuditEvents(BaseModel):
    """Events of the audit trail, latest first."""

    events: list[EventRow]


@router.get("/v1/session", responses=problem_responses(), dependencies=[Depends(anyone)])
async def session(request: Request, state: StateDep) -> SessionState:
    """Return whether a key is required, and the role of the client."""
    access = state.access
    try:
        caller = await access.caller(request)
    except (KeyNeeded, TooManyRequests):
        caller = None
    csrf = caller.session.csrf if caller and caller.session else None
    role = caller.role.word if caller else None
    return SessionState(authentication=await access.requires_key(), role=role, csrf=csrf)


@router.post("/v1/session", responses=problem_responses(), dependencies=[Depends(anyone)])
async def sign_in(
    given: SignIn, request: Request, response: Response, state: StateDep
) -> SessionState:
    """Sign in with a key; the response sets an HttpOnly session cookie."""
    key = await state.access.authenticate(given.key.strip(), address_of(request))
    cookie, made = state.access.sessions.start(key.id)
    secure = request.url.scheme == "https"
    response.set_cookie(
        COOKIE, cookie, max_age=LIFETIME, httponly=True, samesite="strict", secure=secure, path="/"
    )
    state.audit.record("signed in", key.id)
    return SessionState(authentication=True, role=key.role.word, csrf=made.csrf)


@router.delete(
    "/v1/session",
    status_code=204,
    responses=problem_responses(),
    dependencies=[Depends(anyone)],
)
async def sign_out(request: Request, response: Response, state: StateDep) -> None:
    """Sign out: end the session and delete the cookie."""
    cookie = request.cookies.get(COOKIE, "")
    found = state.access.sessions.find(cookie)
    if found:
        check_csrf(found, request)
        state.access.sessions.end(cookie)
    response.delete_cookie(COOKIE, path="/")


@router.get(
    "/v1/audit", responses=problem_responses(), dependencies=[Depends(require_role(Role.ADMIN))]
)
def audit(state: StateDep, limit: Annotated[int, Query(ge=1, le=10_000)] = 1000) -> AuditEvents:
    """Return who was enrolled, identified and forgotten, by which key."""
    lines: list[Any] = [*state.audit.latest(limit)]
    for gallery in _galleries(state):
        lines += gallery.audit_trail(limit=limit)
    lines.sort(key=_time, reverse=True)
    rows = [
        EventRow(
            time=line.time, action=line.action, person=line.person, key=line.key, detail=line.detail
        )
        for line in lines[:limit]
    ]
    return AuditEvents(events=rows)


def _galleries(state: ServerState) -> list[Gallery]:
    backends = [state.backend(handle) for handle in state.handles]
    return [backend.gallery for backend in backends if backend.gallery is not None]


def _time(line: AccessEvent) -> str:
    return line.time
