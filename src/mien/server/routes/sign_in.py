"""Web sessions: signing in with an API key, and the list of sessions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from mien.errors import KeyNeeded, NotServed, TooManyRequests
from mien.server.auth.access import (
    Caller,
    address_of,
    anyone,
    check_csrf,
    require_role,
    session_cookie,
)
from mien.server.auth.keys import Role
from mien.server.auth.web_sessions import LIFETIME, WebSession, cookie_name
from mien.server.http.guarded_route import GuardedRoute
from mien.server.routes.openapi import problem_responses
from mien.server.state import AuditDep, ServerState, StateDep

router = APIRouter(route_class=GuardedRoute, tags=["access"])

Viewer = Annotated[Caller, Depends(require_role(Role.VIEWER))]


class SignIn(BaseModel):
    """The API key to sign in with."""

    key: str = Field(max_length=200)


class SessionState(BaseModel):
    """State of the web session."""

    authentication: bool
    role: str | None
    csrf: str | None


class SessionRow(BaseModel):
    """A signed-in browser."""

    id: str
    key: str
    created: str
    idle_seconds: int
    address: str
    current: bool = Field(description="Whether this is the session that asks.")


class SessionList(BaseModel):
    """The sessions, latest first."""

    sessions: list[SessionRow]


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
    given: SignIn, request: Request, response: Response, state: StateDep, audit: AuditDep
) -> SessionState:
    """Sign in with a key; the response sets an HttpOnly session cookie.

    Over TLS its name is `__Host-mien_session`, else `mien_session`.
    """
    key = await state.access.authenticate(given.key.strip(), request)
    address = address_of(request)
    cookie, made = state.access.sessions.start(key.id, address)
    _set_cookie(request, response, cookie)
    await audit.record("signed in", key.id, detail=f"session {made.id}", address=address)
    return SessionState(authentication=True, role=key.role.word, csrf=made.csrf)


@router.delete(
    "/v1/session",
    status_code=204,
    responses=problem_responses(),
    dependencies=[Depends(anyone)],
)
async def sign_out(request: Request, response: Response, state: StateDep, audit: AuditDep) -> None:
    """Sign out: end the session and delete the cookie."""
    cookie = session_cookie(request)
    found = state.access.sessions.find(cookie)
    if found:
        check_csrf(found, request)
        state.access.sessions.end(cookie)
        await audit.record("signed out", found.key, detail=f"session {found.id}")
    _set_cookie(request, response, "")


@router.get("/v1/sessions", responses=problem_responses())
async def sessions(state: StateDep, caller: Viewer) -> SessionList:
    """List the sessions of the client's key; for an admin, those of all keys."""
    current = caller.session.id if caller.session else ""
    rows = [
        SessionRow(
            id=each.id,
            key=each.key,
            created=each.created,
            idle_seconds=int(idle),
            address=each.address,
            current=each.id == current,
        )
        for each, idle in await _sessions_of(state, caller)
    ]
    return SessionList(sessions=rows)


@router.delete("/v1/sessions/{session}", status_code=204, responses=problem_responses(404))
async def end_session(session: str, state: StateDep, caller: Viewer, audit: AuditDep) -> None:
    """End a session of the client's key; an admin can end any."""
    found = {each.id: each for each, _ in await _sessions_of(state, caller)}.get(session)
    if found is None:
        raise NotServed("there is no such session", hint="GET /v1/sessions lists the sessions.")
    state.access.sessions.end_by_id(found.id)
    await audit.record("session ended", caller.key, detail=f"session {found.id} of key {found.key}")


async def _sessions_of(state: ServerState, caller: Caller) -> list[tuple[WebSession, float]]:
    """Return the sessions that a client may see and end, with the seconds since each was used."""
    keys = await run_in_threadpool(state.access.keys.all)
    valid = {key.id for key in keys if not key.revoked}
    admin = caller.role >= Role.ADMIN
    return [
        (each, idle)
        for each, idle in state.access.sessions.all()
        if each.key in valid and (admin or each.key == caller.key)
    ]


def _set_cookie(request: Request, response: Response, cookie: str) -> None:
    """Set the session cookie, or delete it if it is empty."""
    scheme = request.url.scheme
    response.set_cookie(
        cookie_name(scheme),
        cookie,
        max_age=LIFETIME if cookie else 0,
        httponly=True,
        samesite="strict",
        secure=scheme == "https",
        path="/",
    )
