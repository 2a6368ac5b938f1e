"""Liveness, readiness and metrics."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import Response

from mien.errors import ServerBusy
from mien.server.auth.access import anyone, require_role
from mien.server.auth.keys import Role
from mien.server.http.guarded_route import GuardedRoute
from mien.server.routes.openapi import problem_responses
from mien.server.state import StateDep

router = APIRouter(route_class=GuardedRoute, tags=["health"])


class Status(BaseModel):
    """Status of the server."""

    status: str


@router.get("/healthz", responses=problem_responses(), dependencies=[Depends(anyone)])
async def health() -> Status:
    """Liveness: return ok while the process responds."""
    return Status(status="ok")


@router.get("/readyz", responses=problem_responses(), dependencies=[Depends(anyone)])
async def ready(state: StateDep) -> Status:
    """Readiness: return ready if new photos are accepted."""
    if state.stopping.is_set():
        raise ServerBusy("the server is stopping", hint="Ask again when it is up.")
    state.queue.check_capacity()
    return Status(status="ready")


@router.get(
    "/metrics",
    responses={
        **problem_responses(),
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
    },
    response_class=Response,
    dependencies=[Depends(require_role(Role.VIEWER))],
)
async def metrics(state: StateDep) -> Response:
    """Return metrics in Prometheus' text format."""
    return Response(state.metrics.text(), media_type="text/plain")
