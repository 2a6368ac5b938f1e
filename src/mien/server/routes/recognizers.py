"""What answers here: its weights, licences and measured rates; and putting another in service."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from mien.errors import NotServed
from mien.server.auth.access import Caller, need
from mien.server.auth.keys import Role
from mien.server.routes.openapi import answers
from mien.server.state import ServerState, ServiceOf

router = APIRouter(tags=["recognizers"])


class ServiceChoice(BaseModel):
    """A version."""

    version: str = Field(max_length=100)


@router.get("/v1/recognizer", responses=answers(), dependencies=[Depends(need(Role.VIEWER))])
def recognizers(service: ServiceOf) -> dict[str, Any]:
    """Return everything that answers, the default first."""
    return {"recognizers": [_about(service, handle) for handle in service.handles]}


@router.put("/v1/recognizer/{handle}/service", responses=answers(404))
async def put(
    handle: str,
    wish: ServiceChoice,
    service: ServiceOf,
    caller: Annotated[Caller, Depends(need(Role.ADMIN))],
) -> dict[str, Any]:
    """Have a version answer by a handle from now on; go back in the same way."""
    versions = {each.version for each in service.versions.of(handle)}
    if wish.version not in versions:
        raise NotServed(
            f"{handle} has no version {wish.version}",
            hint=f"There are: {', '.join(sorted(versions)) or 'none'}.",
        )
    backend = await run_in_threadpool(service.versions.open, handle, wish.version)
    await run_in_threadpool(service.versions.note, handle, wish.version)
    service.put(handle, backend)
    service.audit.note("put in service", caller.key, detail=f"{handle} {wish.version}")
    return await run_in_threadpool(_about, service, handle)


def _about(service: ServerState, handle: str) -> dict[str, Any]:
    versions = [
        {"version": each.version, "created": each.created, "in_service": each.in_service}
        for each in service.versions.of(handle)
    ]
    return {"handle": handle, **service.backend(handle).about(), "versions": versions}
