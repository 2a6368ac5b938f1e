"""Trainings: photos in, a recognizer and its report out, told as it goes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from mien.errors import BadRequest, JobRefused
from mien.server.auth.access import Caller, need
from mien.server.auth.keys import Role
from mien.server.http.forms import read_form
from mien.server.routes.openapi import answers, form
from mien.server.state import ServerState, ServiceOf
from mien.server.training.jobs import OVER, Job, handle_of
from mien.text import count

router = APIRouter(tags=["training"], dependencies=[Depends(need(Role.OPERATOR))])

_RATE = 0.01
_BEAT = 5.0
"""Seconds after which a stream says that it is still there."""

_REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'none'"
)


@router.post(
    "/v1/jobs",
    status_code=201,
    responses=answers(409, 507),
    openapi_extra=form(
        many=True,
        name={"type": "string", "maxLength": 200},
        false_positive_rate={"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    ),
)
async def create(
    request: Request,
    service: ServiceOf,
    caller: Annotated[Caller, Depends(need(Role.OPERATOR))],
) -> dict[str, Any]:
    """Train a recognizer: a zip of folders, one a person, or files named `Person/photo.jpg`."""
    service.jobs.check_room()
    sent = await read_form(request, files=service.limits.uploads)
    uploads = sent.photos()
    name = " ".join(sent.fields.get("name", "").split())[:200]
    if service.is_gallery(handle_of(name)):
        raise JobRefused(
            f"the living gallery answers by {handle_of(name)!r}",
            hint="Call the recognizer something else.",
        )
    rate = _rate(sent.fields.get("false_positive_rate", ""))
    job = await run_in_threadpool(
        service.jobs.create, uploads, name=name, rate=rate, key=caller.key
    )
    photos = count(job.photos, "photo")
    service.audit.note("training started", caller.key, detail=f"{job.id}, {photos}")
    return service.jobs.as_json(job)


@router.get("/v1/jobs", responses=answers())
def jobs(service: ServiceOf) -> dict[str, Any]:
    """List the trainings, latest first."""
    return {"jobs": [service.jobs.as_json(job) for job in service.jobs.all()]}


@router.get("/v1/jobs/{job}", responses=answers(404))
def one(job: str, service: ServiceOf) -> dict[str, Any]:
    """Return a training as it stands."""
    return service.jobs.as_json(service.jobs.get(job))


@router.get(
    "/v1/jobs/{job}/events",
    response_class=StreamingResponse,
    responses={
        **answers(404),
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
    },
)
async def events(job: str, service: ServiceOf) -> StreamingResponse:
    """Tell of a training as it goes (server-sent events): the job as JSON, whenever it changes."""
    service.jobs.get(job)
    return StreamingResponse(_stream(service, job), media_type="text/event-stream")


@router.get(
    "/v1/jobs/{job}/report",
    response_class=Response,
    responses={**answers(404), 200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def report(job: str, service: ServiceOf) -> Response:
    """Return the report, a page of its own that can reach nothing here."""
    headers = {"content-security-policy": _REPORT_POLICY, "x-frame-options": "SAMEORIGIN"}
    return Response(service.jobs.report(job), media_type="text/html", headers=headers)


@router.delete("/v1/jobs/{job}", status_code=204, responses=answers(404, 409))
def remove(job: str, service: ServiceOf) -> None:
    """Stop a training that is under way; delete one that is over."""
    service.jobs.remove(job)


async def _stream(service: ServerState, job_id: str) -> AsyncIterator[str]:
    seen: Job | None = None
    while not service.stopping.is_set():
        news = await run_in_threadpool(service.jobs.wait, job_id, seen, _BEAT)
        if news is None:
            if seen is not None and job_id not in {job.id for job in service.jobs.all()}:
                return
            yield ": still here\n\n"
            continue
        seen = news
        yield f"data: {json.dumps(service.jobs.as_json(news), ensure_ascii=False)}\n\n"
        if news.state in OVER:
            return


def _rate(text: str) -> float:
    if not text:
        return _RATE
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1:
        raise BadRequest(
            f"false_positive_rate lies between 0 and 1, not {text[:40]!r}",
            hint=f"Leave it out for {_RATE:g}.",
        )
    return rate
