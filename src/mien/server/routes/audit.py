"""The audit trail: what the gallery and the server recorded, and whether it is whole."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from mien.gallery import Gallery
from mien.server.auth.access import require_role
from mien.server.auth.keys import Role
from mien.server.http.guarded_route import GuardedRoute
from mien.server.routes.openapi import problem_responses
from mien.server.state import ServerState, StateDep

router = APIRouter(route_class=GuardedRoute, tags=["access"])


class EventRow(BaseModel):
    """An event of the audit trail, with ids instead of names."""

    time: str
    action: str
    person: str
    key: str
    detail: str
    address: str = ""


class TrailState(BaseModel):
    """Whether the lines that the server wrote are whole: none changed, added or removed.

    `last` and `link` name the last line. Noted elsewhere, they show later that it is still there:
    `mien audit --check --noted LAST:LINK`.
    """

    whole: bool
    faults: list[str]
    lines: int
    pruned: int
    last: int
    link: str


class AuditEvents(BaseModel):
    """Events of the audit trail, latest first."""

    events: list[EventRow]
    trail: TrailState | None = None


@router.get(
    "/v1/audit", responses=problem_responses(), dependencies=[Depends(require_role(Role.ADMIN))]
)
def audit(
    state: StateDep,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    check: Annotated[bool, Query(description="Check the lines; `trail` has the result.")] = True,
) -> AuditEvents:
    """Return who was enrolled, identified and forgotten, by which key, and who was refused."""
    lines: list[Any] = [*state.audit.latest(limit)]
    for gallery in _galleries(state):
        lines += gallery.audit_trail(limit=limit)
    lines.sort(key=_moment, reverse=True)
    rows = [
        EventRow(
            time=line.time,
            action=line.action,
            person=line.person,
            key=line.key,
            detail=line.detail,
            address=getattr(line, "address", ""),
        )
        for line in lines[:limit]
    ]
    return AuditEvents(
        events=rows, trail=TrailState(**state.audit.check().to_dict()) if check else None
    )


def _galleries(state: ServerState) -> list[Gallery]:
    backends = [state.backend(handle) for handle in state.handles]
    return [backend.gallery for backend in backends if backend.gallery is not None]


def _moment(line: Any) -> str:
    """Return the time to the second, as both `Z` and `+00:00` mean UTC."""
    return str(line.time[:19])
