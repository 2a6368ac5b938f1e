"""Identify faces, verify two photos, align faces, return embeddings."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from mien.errors import (
    BadRequest,
    MienError,
    UnusableWeights,
)
from mien.faces.portraits import portrait
from mien.faces.selection import select_face
from mien.photo import LARGE_PHOTO, decode_photo, encode_jpeg
from mien.problems import problem_of
from mien.server.auth.access import Caller, require_role
from mien.server.auth.keys import Role
from mien.server.http.forms import Upload, read_form
from mien.server.http.guarded_route import GuardedRoute
from mien.server.inference.face_tokens import FaceFormat, photo_json
from mien.server.routes.openapi import multipart_body, problem_responses
from mien.server.state import AuditDep, ServerState, StateDep
from mien.text import count
from mien.types import EmbeddedPhoto
from mien.verification import verification_of

router = APIRouter(route_class=GuardedRoute, tags=["identify"])

Viewer = Annotated[Caller, Depends(require_role(Role.VIEWER))]
Handle = Annotated[
    str, Query(max_length=100, description="Name of the recognizer; the default if empty.")
]

RECORDED = Field(
    description="Whether this is in the audit trail; as in the header `X-Audit-Recorded`."
)


class CandidateRow(BaseModel):
    """A candidate for a face."""

    name: str
    person_id: str | None
    similarity: float
    probability: float


class FaceRow(BaseModel):
    """A face of a photo, in pixels of the upright photo."""

    box: list[float]
    points: list[list[float]]
    score: float
    name: str | None
    person_id: str | None
    probability: float
    similarity: float
    false_positive_rate: float | None
    nearest: str | None
    candidates: list[CandidateRow]
    crop: str | None
    face_token: str | None


class PhotoRow(BaseModel):
    """A photo and its faces, best detection first; or a problem in `error`."""

    photo: str
    width: int | None = None
    height: int | None = None
    faces: list[FaceRow]
    error: dict[str, Any] | None


class IdentifyResponse(BaseModel):
    """The photos of a request, in order."""

    results: list[PhotoRow]
    recognizer: dict[str, str]
    recorded: bool = RECORDED


class VerifyResponse(BaseModel):
    """Whether two photos show the same person."""

    same: bool
    similarity: float
    probability: float | None
    threshold: float
    false_match_rate: float
    recorded: bool = RECORDED


@router.post(
    "/v1/identify",
    response_model=IdentifyResponse,
    responses=problem_responses(404),
    openapi_extra=multipart_body(many=True),
)
async def identify(
    request: Request,
    state: StateDep,
    caller: Viewer,
    audit: AuditDep,
    *,
    handle: Handle = "",
    crops: bool = False,
    top: Annotated[int, Query(ge=1, le=10)] = 5,
) -> Response:
    """Identify the people in one or several photos; strangers get no name.

    A photo that cannot be read has a problem document in `error`; the other photos are processed.
    The status is 200 even for a single photo.
    """
    backend = state.backend(handle)
    name = state.handle_or_default(handle)
    state.queue.check_capacity()
    uploads = (await read_form(request, files=state.limits.photos)).photos()
    seen_at = 0
    if crops and backend.gallery is not None:
        seen_at = await run_in_threadpool(backend.gallery.last_forgotten)
        state.tokens.drop_before(seen_at)
    face_format = FaceFormat(backend, name, crops, top, seen_at)
    futures = state.queue.submit_photos(
        [(upload.data, upload.name) for upload in uploads],
        backend.engine,
        lambda embedded: photo_json(embedded, face_format, state.tokens),
    )
    rows = await asyncio.gather(
        *(_row(state, upload, future) for upload, future in zip(uploads, futures, strict=True))
    )
    people = sorted({face["person_id"] or "" for row in rows for face in row["faces"]} - {""})
    faces = sum(len(row["faces"]) for row in rows)
    detail = f"{name}, {count(faces, 'face')}"
    recorded = await audit.record("looked up", caller.key, people or [""], detail)
    about = {"handle": name, "kind": backend.kind}
    body = {"results": rows, "recognizer": about, "recorded": recorded}
    return JSONResponse(body)


async def _row(state: ServerState, upload: Upload, future: Any) -> dict[str, Any]:
    """Return a photo's result or its problem; errors of the server fail the whole request."""
    try:
        found: dict[str, Any] = await state.queue.result(future)
    except MienError as error:
        problem = problem_of(error)
        if problem["status"] >= 500:
            raise
        return {"photo": upload.name, "faces": [], "error": problem}
    return found


@router.post(
    "/v1/verify",
    responses=problem_responses(404, 415),
    openapi_extra=multipart_body(files=("a", "b")),
)
async def verify(
    request: Request,
    state: StateDep,
    caller: Viewer,
    audit: AuditDep,
    *,
    handle: Handle = "",
    false_match_rate: Annotated[float, Query(gt=0, lt=1)] = 0.001,
) -> VerifyResponse:
    """Return whether the largest faces of the photos `a` and `b` are of the same person."""
    engine = state.backend(handle).engine
    try:
        verification_of(engine.statistics, 0.0, false_match_rate)
    except UnusableWeights as error:
        raise BadRequest(str(error), hint=error.hint) from error
    state.queue.check_capacity()
    sent = await read_form(request, files=2)
    a, b = sent.photo("a"), sent.photo("b")
    futures = state.queue.submit_photos([(a.data, a.name), (b.data, b.name)], engine, _largest)
    first, second = [await state.queue.result(future) for future in futures]
    result = verification_of(engine.statistics, float(first @ second), false_match_rate)
    recorded = await audit.record("compared", caller.key)
    return VerifyResponse(
        same=result.same,
        similarity=result.similarity,
        probability=result.probability,
        threshold=result.threshold,
        false_match_rate=result.false_match_rate,
        recorded=recorded,
    )


@router.post(
    "/v1/align",
    response_class=Response,
    responses={
        **problem_responses(404, 415),
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
    },
    openapi_extra=multipart_body(),
)
async def align(
    request: Request,
    state: StateDep,
    caller: Viewer,  # noqa: ARG001
    *,
    size: Annotated[int, Query(ge=16, le=2048)] = 600,
    face: Annotated[int, Query(ge=1, le=1000)] | None = None,
) -> Response:
    """Return one aligned face as JPEG: the largest, or number `face` from the left."""
    engine = state.backend().engine
    state.queue.check_capacity()
    upload = (await read_form(request, files=1)).photo()

    def work() -> bytes:
        photo = decode_photo(upload.data, name=upload.name, max_pixels=LARGE_PHOTO)
        found = engine.detect(photo)
        chosen = select_face(found.boxes, face, photo=photo.name)
        return encode_jpeg(portrait(photo, found.points[chosen], size))

    jpeg = await state.queue.result(state.queue.submit(work))
    return Response(jpeg, media_type="image/jpeg")


@router.post("/v1/embed", responses=problem_responses(404), openapi_extra=multipart_body(many=True))
async def embed(
    request: Request,
    state: StateDep,
    caller: Annotated[Caller, Depends(require_role(Role.OPERATOR))],
    audit: AuditDep,
    *,
    handle: Handle = "",
) -> dict[str, Any]:
    """Return the embeddings of all faces: biometric data, so the role operator is required."""
    engine = state.backend(handle).engine
    state.queue.check_capacity()
    uploads = (await read_form(request, files=state.limits.photos)).photos()
    futures = state.queue.submit_photos(
        [(upload.data, upload.name) for upload in uploads], engine, _vectors
    )
    rows = [await _row(state, u, f) for u, f in zip(uploads, futures, strict=True)]
    recorded = await audit.record("embedded", caller.key, detail=count(len(rows), "photo"))
    about = {"contract": engine.contract, "dimension": engine.dimension}
    return {**about, "results": rows, "recorded": recorded}


def _vectors(embedded: EmbeddedPhoto) -> dict[str, Any]:
    faces = [
        {
            "box": [round(float(side / embedded.photo.scale), 1) for side in box],
            "score": round(float(score), 4),
            "embedding": [round(float(value), 6) for value in vector],
        }
        for box, score, vector in zip(
            embedded.detections.boxes, embedded.detections.scores, embedded.embeddings, strict=True
        )
    ]
    return {"photo": embedded.photo.name, "faces": faces, "error": None}


def _largest(embedded: EmbeddedPhoto) -> NDArray[np.float32]:
    largest = select_face(embedded.detections.boxes, None, photo=embedded.photo.name)
    vector: NDArray[np.float32] = embedded.embeddings.vectors[largest]
    return vector
