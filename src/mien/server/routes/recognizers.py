"""Recognizers of the server: description, and which version is in service."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from mien.errors import JobRefused, NotServed
from mien.server.auth.access import Caller, require_role
from mien.server.auth.keys import Role
from mien.server.http.guarded_route import GuardedRoute
from mien.server.inference.versions import GIVEN
from mien.server.routes.openapi import problem_responses
from mien.server.state import AuditDep, RequestAudit, ServerState, StateDep

router = APIRouter(route_class=GuardedRoute, tags=["recognizers"])

Admin = Annotated[Caller, Depends(require_role(Role.ADMIN))]


class VersionChoice(BaseModel):
    """The version to put in service."""

    version: str = Field(max_length=100)


@router.get(
    "/v1/recognizer",
    responses=problem_responses(),
    dependencies=[Depends(require_role(Role.VIEWER))],
)
def recognizers(state: StateDep) -> dict[str, Any]:
    """List the recognizers with weights, licences and measured rates, the default first."""
    return {"recognizers": [_about(state, handle) for handle in state.handles]}


@router.put("/v1/recognizer/{handle}/service", responses=problem_responses(404, 409))
async def put(
    handle: str, choice: VersionChoice, state: StateDep, caller: Admin, audit: AuditDep
) -> dict[str, Any]:
    """Put a version of a recognizer in service; an earlier one can be put back the same way."""
    await put_in_service(state, handle, choice.version, caller, audit)
    return await run_in_threadpool(_about, state, handle)


@router.delete("/v1/recognizer/{handle}/service", status_code=204, responses=problem_responses(404))
async def take_out(handle: str, state: StateDep, caller: Admin, audit: AuditDep) -> None:
    """Take a trained recognizer out of service; the file given at the start serves again, if any.

    Its versions stay and can be put in service again, or deleted.
    """
    given = await run_in_threadpool(state.versions.take_out_of_service, handle)
    if given is not None:
        state.set_backend(handle, given)
    elif not state.is_gallery(handle):
        state.remove_backend(handle)
    await audit.record("taken out of service", caller.key, detail=handle)


async def put_in_service(
    state: ServerState, handle: str, version: str, caller: Caller, audit: RequestAudit
) -> None:
    """Answer requests by a version of a recognizer from now on.

    Raises:
        JobRefused: the name is the gallery's.
        NotServed: there is no such version.
        RecognizerError: its file is damaged.
    """
    if state.is_gallery(handle) and version != GIVEN:
        raise JobRefused(
            f"{handle!r} is the name of the gallery", hint="No recognizer takes its place."
        )
    versions = {each.version for each in state.versions.versions_of(handle)}
    if version not in versions:
        raise NotServed(
            f"{handle} has no version {version}",
            hint=f"There are: {', '.join(sorted(versions)) or 'none'}.",
        )
    backend = await run_in_threadpool(state.versions.open, handle, version)
    await run_in_threadpool(state.versions.set_in_service, handle, version)
    state.set_backend(handle, backend)
    await audit.record("put in service", caller.key, detail=f"{handle} {version}")


def _about(state: ServerState, handle: str) -> dict[str, Any]:
    versions = [
        {"version": each.version, "created": each.created, "in_service": each.in_service}
        for each in state.versions.versions_of(handle)
    ]
    return {"handle": handle, **state.backend(handle).about(), "versions": versions}
