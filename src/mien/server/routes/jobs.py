"""Training jobs: upload photos, follow the progress, read the report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from mien.errors import BadRequest, JobRefused
from mien.server.auth.access import Caller, address_of, require_role
from mien.server.auth.keys import Role
from mien.server.http.event_streams import EventStream
from mien.server.http.forms import read_form
from mien.server.http.guarded_route import GuardedRoute
from mien.server.routes.openapi import multipart_body, problem_responses
from mien.server.state import AuditDep, ServerState, StateDep
from mien.server.training.jobs import FINISHED, Job, handle_of
from mien.text import count

router = APIRouter(
    route_class=GuardedRoute, tags=["training"], dependencies=[Depends(require_role(Role.OPERATOR))]
)

_RATE = 0.01
_KEEP_ALIVE = 5.0
"""Interval of keep-alive comments in an event stream, in seconds."""

_REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'none'"
)


@router.post(
    "/v1/jobs",
    status_code=201,
    responses=problem_responses(409, 507),
    openapi_extra=multipart_body(
        many=True,
        name={"type": "string", "maxLength": 200},
        false_positive_rate={"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    ),
)
async def create(
    request: Request,
    state: StateDep,
    caller: Annotated[Caller, Depends(require_role(Role.OPERATOR))],
    audit: AuditDep,
) -> dict[str, Any]:
    """Train a recognizer from a zip archive of folders per person, or files `Person/photo.jpg`."""
    state.jobs.check_capacity()
    sent = await read_form(request, files=state.limits.uploads)
    uploads = sent.photos()
    name = " ".join(sent.fields.get("name", "").split())[:200]
    if state.is_gallery(handle_of(name)):
        raise JobRefused(
            f"{handle_of(name)!r} is the name of the gallery",
            hint="Choose another name for the recognizer.",
        )
    rate = _rate(sent.fields.get("false_positive_rate", ""))
    job = await run_in_threadpool(state.jobs.create, uploads, name=name, rate=rate, key=caller.key)
    photos = count(job.photos, "photo")
    await audit.record("training started", caller.key, detail=f"{job.id}, {photos}")
    return state.jobs.as_json(job)


@router.get("/v1/jobs", responses=problem_responses())
def jobs(state: StateDep) -> dict[str, Any]:
    """List the training jobs, latest first."""
    return {"jobs": [state.jobs.as_json(job) for job in state.jobs.all()]}


@router.get("/v1/jobs/{job}", responses=problem_responses(404))
def one(job: str, state: StateDep) -> dict[str, Any]:
    """Return the state of a training job."""
    return state.jobs.as_json(state.jobs.get(job))


@router.get(
    "/v1/jobs/{job}/events",
    response_class=StreamingResponse,
    responses={
        **problem_responses(404),
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
    },
)
async def events(
    job: str,
    request: Request,
    state: StateDep,
    caller: Annotated[Caller, Depends(require_role(Role.OPERATOR))],
) -> StreamingResponse:
    """Stream a training job as server-sent events: the job as JSON whenever it changes."""
    await run_in_threadpool(state.jobs.get, job)
    return EventStream(_stream(state, job), state.streams, caller.key or address_of(request))


@router.get(
    "/v1/jobs/{job}/report",
    response_class=Response,
    responses={
        **problem_responses(404),
        200: {"content": {"text/html": {"schema": {"type": "string"}}}},
    },
)
def report(job: str, state: StateDep) -> Response:
    """Return the report, a sandboxed HTML page without access to this server."""
    headers = {"content-security-policy": _REPORT_POLICY, "x-frame-options": "SAMEORIGIN"}
    return Response(state.jobs.report(job), media_type="text/html", headers=headers)


@router.delete("/v1/jobs/{job}", status_code=204, responses=problem_responses(404, 409))
async def remove(
    job: str,
    state: StateDep,
    caller: Annotated[Caller, Depends(require_role(Role.OPERATOR))],
    audit: AuditDep,
) -> None:
    """Cancel an unfinished training job; delete a finished one with its recognizer and report."""
    found = state.jobs.get(job)
    await run_in_threadpool(state.jobs.remove, job)
    if found.state not in FINISHED:
        await audit.record("training cancelled", caller.key, detail=found.id)
    elif found.version:
        detail = f"{found.handle} {found.version}"
        await audit.record("recognizer deleted", caller.key, detail=detail)
    else:
        await audit.record("training deleted", caller.key, detail=found.id)


async def _stream(state: ServerState, job_id: str) -> AsyncIterator[str]:
    """Yield the events of a job. It holds no thread while it waits."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()
    last: Job | None = None
    with state.jobs.listened_to(lambda: loop.call_soon_threadsafe(changed.set)):
        while not state.stopping.is_set():
            changed.clear()
            job = state.jobs.current(job_id)
            if job is None:
                return
            if job is not last:
                last = job
                row = await run_in_threadpool(state.jobs.as_json, job)
                yield f"data: {json.dumps(row, ensure_ascii=False)}\n\n"
                if job.state in FINISHED:
                    return
                continue
            try:
                async with asyncio.timeout(_KEEP_ALIVE):
                    await changed.wait()
            except TimeoutError:
                yield ": still here\n\n"


def _rate(text: str) -> float:
    if not text:
        return _RATE
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1:
        raise BadRequest(
            f"false_positive_rate must be between 0 and 1, not {text[:40]!r}",
            hint=f"Omit it for {_RATE:g}.",
        )
    return rate
