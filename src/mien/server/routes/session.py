"""Signing in with a key, and the audit trail."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from mien.errors import KeyNeeded, TooManyRequests
from mien.gallery import Gallery
from mien.server.auth.access import address_of, check_token, need
from mien.server.auth.audit_trail import Line
from mien.server.auth.keys import Role
from mien.server.auth.web_sessions import COOKIE, LIFETIME
from mien.server.routes.openapi import answers
from mien.server.state import ServerState, ServiceOf

router = APIRouter(tags=["access"])


class SignIn(BaseModel):
    """A key."""

    key: str = Field(max_length=200)


class SessionState(BaseModel):
    """Who is signed in."""

    authentication: bool
    role: str | None
    csrf: str | None


class EventRow(BaseModel):
    """A line of the audit trail: ids, no names."""

    time: str
    action: str
    person: str
    key: str
    detail: str


class Trail(BaseModel):
    """The audit trail, latest first."""

    events: list[EventRow]


@router.get("/v1/session", responses=answers())
async def session(request: Request, service: ServiceOf) -> SessionState:
    """Say whether a key is needed and what the caller may do."""
    access = service.access
    try:
        caller = access.caller(request)
    except (KeyNeeded, TooManyRequests):
        caller = None
    csrf = caller.session.csrf if caller and caller.session else None
    role = caller.role.word if caller else None
    return SessionState(authentication=access.asks, role=role, csrf=csrf)


@router.post("/v1/session", responses=answers())
async def sign_in(
    given: SignIn, request: Request, response: Response, service: ServiceOf
) -> SessionState:
    """Give a key and get a cookie, which the page's scripts cannot read."""
    key = service.access.by_key(given.key.strip(), address_of(request))
    cookie, made = service.access.sessions.start(key.id)
    secure = request.url.scheme == "https"
    response.set_cookie(
        COOKIE, cookie, max_age=LIFETIME, httponly=True, samesite="strict", secure=secure, path="/"
    )
    service.audit.note("signed in", key.id)
    return SessionState(authentication=True, role=key.role.word, csrf=made.csrf)


@router.delete("/v1/session", status_code=204, responses=answers())
async def sign_out(request: Request, response: Response, service: ServiceOf) -> None:
    """Make the cookie worthless."""
    cookie = request.cookies.get(COOKIE, "")
    found = service.access.sessions.find(cookie)
    if found:
        check_token(found, request)
        service.access.sessions.end(cookie)
    response.delete_cookie(COOKIE, path="/")


@router.get("/v1/audit", responses=answers(), dependencies=[Depends(need(Role.ADMIN))])
def audit(service: ServiceOf, limit: Annotated[int, Query(ge=1, le=10_000)] = 1000) -> Trail:
    """Return who was enrolled, looked up and forgotten, by which key."""
    lines: list[Any] = [*service.audit.latest(limit)]
    for gallery in _galleries(service):
        lines += gallery.audit_trail(limit=limit)
    lines.sort(key=_time, reverse=True)
    rows = [
        EventRow(
            time=line.time, action=line.action, person=line.person, key=line.key, detail=line.detail
        )
        for line in lines[:limit]
    ]
    return Trail(events=rows)


def _galleries(service: ServerState) -> list[Gallery]:
    backends = [service.backend(handle) for handle in service.handles]
    return [backend.gallery for backend in backends if backend.gallery is not None]


def _time(line: Line) -> str:
    return line.time
