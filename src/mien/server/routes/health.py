"""Whether it is up, whether it is ready, and its numbers."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import Response

from mien.errors import ServerBusy
from mien.server.auth.access import need
from mien.server.auth.keys import Role
from mien.server.routes.openapi import answers
from mien.server.state import ServiceOf

router = APIRouter(tags=["health"])


class Status(BaseModel):
    """How it is."""

    status: str


@router.get("/healthz", responses=answers())
async def health() -> Status:
    """Say that the process answers."""
    return Status(status="ok")


@router.get("/readyz", responses=answers())
async def ready(service: ServiceOf) -> Status:
    """Say whether photos would be looked at now."""
    if service.stopping.is_set():
        raise ServerBusy("the server is stopping", hint="Ask again when it is up.")
    service.inference.check_room()
    return Status(status="ready")


@router.get(
    "/metrics",
    responses={**answers(), 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    response_class=Response,
    dependencies=[Depends(need(Role.VIEWER))],
)
async def metrics(service: ServiceOf) -> Response:
    """Return the numbers for Prometheus."""
    return Response(service.metrics.text(), media_type="text/plain")
