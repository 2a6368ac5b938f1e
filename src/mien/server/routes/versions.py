"""Versions of the recognizers that were trained here: list, download, delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse

from mien.errors import NotAllowed
from mien.server.auth.access import Caller, require_role
from mien.server.auth.keys import Role
from mien.server.http.guarded_route import GuardedRoute
from mien.server.routes.openapi import problem_responses
from mien.server.routes.recognizers import put_in_service
from mien.server.state import AuditDep, ServerState, StateDep

router = APIRouter(route_class=GuardedRoute, tags=["recognizers"])

_KIND = "application/octet-stream"


class VersionRow(BaseModel):
    """A version of a trained recognizer."""

    handle: str
    version: str
    created: str
    in_service: bool
    bytes: int
    name: str
    people: int
    photos: int


class VersionList(BaseModel):
    """The versions, latest first."""

    versions: list[VersionRow]


@router.get(
    "/v1/versions",
    responses=problem_responses(),
    dependencies=[Depends(require_role(Role.OPERATOR))],
)
def versions(state: StateDep) -> VersionList:
    """List the recognizers that were trained here, also those that never were in service."""
    rows = []
    for each in state.versions.trained():
        job = state.jobs.current(each.version)
        rows.append(
            VersionRow(
                handle=each.handle,
                version=each.version,
                created=each.created,
                in_service=each.in_service,
                bytes=each.size,
                name=job.name if job else "",
                people=job.people if job else 0,
                photos=job.photos if job else 0,
            )
        )
    return VersionList(versions=rows)


@router.get(
    "/v1/recognizer/{handle}/versions/{version}",
    response_class=FileResponse,
    responses={
        **problem_responses(404),
        200: {"content": {_KIND: {"schema": {"type": "string", "format": "binary"}}}},
    },
)
async def download(
    handle: str,
    version: str,
    state: StateDep,
    caller: Annotated[Caller, Depends(require_role(Role.ADMIN))],
    audit: AuditDep,
) -> FileResponse:
    """Download a trained recognizer: names and prototypes, so the role admin is required."""
    path = await run_in_threadpool(state.versions.file, handle, version)
    await audit.record("recognizer downloaded", caller.key, detail=f"{handle} {version}")
    return FileResponse(path, media_type=_KIND, filename=f"{handle}-{version}.onnx")


@router.delete(
    "/v1/recognizer/{handle}/versions/{version}",
    status_code=204,
    responses=problem_responses(404, 409, 507),
)
async def delete(
    handle: str,
    version: str,
    state: StateDep,
    caller: Annotated[Caller, Depends(require_role(Role.OPERATOR))],
    audit: AuditDep,
    instead: Annotated[
        str, Query(max_length=100, description="A version to put in service before; by an admin.")
    ] = "",
) -> None:
    """Delete a trained recognizer with its job and report. One in service is not deleted."""
    await run_in_threadpool(state.versions.file, handle, version)
    if instead:
        if caller.role < Role.ADMIN:
            raise NotAllowed(
                "putting a version in service requires the role admin",
                hint="Ask an administrator to do it.",
            )
        await put_in_service(state, handle, instead, caller, audit)
    await run_in_threadpool(_delete, state, handle, version)
    await audit.record("recognizer deleted", caller.key, detail=f"{handle} {version}")


def _delete(state: ServerState, handle: str, version: str) -> None:
    """Delete a version, and the job that made it with whatever is in its folder."""
    state.versions.delete(handle, version)
    if state.jobs.current(version) is not None:
        state.jobs.remove(version)
