"""Who is in a photo; whether two show one person; faces cut out; embeddings."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from numpy.typing import NDArray
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from mien.errors import (
    BadRequest,
    MienError,
    UnusableWeights,
)
from mien.faces import select_face
from mien.photo import decode_photo, encode_jpeg
from mien.portrait import portrait
from mien.problems import problem_of
from mien.server.auth.access import Caller, need
from mien.server.auth.keys import Role
from mien.server.http.forms import Upload, read_form
from mien.server.inference.face_tokens import FaceFormat, photo_json
from mien.server.routes.openapi import answers, form
from mien.server.state import ServerState, ServiceOf
from mien.text import count
from mien.types import EmbeddedPhoto
from mien.verification import verification_of

router = APIRouter(tags=["recognise"])

Viewer = Annotated[Caller, Depends(need(Role.VIEWER))]
Handle = Annotated[str, Query(max_length=100, description="Which recognizer; the first if empty.")]


class CandidateRow(BaseModel):
    """A person that a face may be."""

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
    """A photo and its faces, best detection first; or why it could not be read."""

    photo: str
    width: int | None = None
    height: int | None = None
    faces: list[FaceRow]
    error: dict[str, Any] | None


class Identified(BaseModel):
    """All photos of a request, in their order."""

    results: list[PhotoRow]
    recognizer: dict[str, str]


class Verified(BaseModel):
    """Whether two photos show one person."""

    same: bool
    similarity: float
    probability: float | None
    threshold: float
    false_match_rate: float


@router.post(
    "/v1/identify",
    response_model=Identified,
    responses=answers(404),
    openapi_extra=form(many=True),
)
async def identify(
    request: Request,
    service: ServiceOf,
    caller: Viewer,
    *,
    handle: Handle = "",
    crops: bool = False,
    top: Annotated[int, Query(ge=1, le=10)] = 5,
) -> Response:
    """Name the people in one or several photos; strangers get no name.

    A photo that cannot be read has its problem in `error` and does not spoil the others: the
    status is 200, for a single photo too.
    """
    backend = service.backend(handle)
    name = service.name_of(handle)
    service.inference.check_room()
    uploads = (await read_form(request, files=service.limits.photos)).photos()
    wanted = FaceFormat(backend, name, crops, top)
    futures = service.inference.look(
        [(upload.data, upload.name) for upload in uploads],
        backend.engine,
        lambda embedded: photo_json(embedded, wanted, service.tokens),
    )
    rows = await asyncio.gather(
        *(_row(service, upload, future) for upload, future in zip(uploads, futures, strict=True))
    )
    people = sorted({face["person_id"] or "" for row in rows for face in row["faces"]} - {""})
    faces = sum(len(row["faces"]) for row in rows)
    service.audit.note("looked up", caller.key, people or [""], f"{name}, {count(faces, 'face')}")
    body = {"results": rows, "recognizer": {"handle": name, "kind": backend.kind}}
    return JSONResponse(body)


async def _row(service: ServerState, upload: Upload, future: Any) -> dict[str, Any]:
    """Return what a photo shows, or its problem; a busy server fails the whole request."""
    try:
        found: dict[str, Any] = await service.inference.result(future)
    except MienError as error:
        problem = problem_of(error)
        if problem["status"] >= 500:
            raise
        return {"photo": upload.name, "faces": [], "error": problem}
    return found


@router.post("/v1/verify", responses=answers(404, 415), openapi_extra=form(files=("a", "b")))
async def verify(
    request: Request,
    service: ServiceOf,
    caller: Viewer,
    *,
    handle: Handle = "",
    false_match_rate: Annotated[float, Query(gt=0, lt=1)] = 0.001,
) -> Verified:
    """Say whether the largest faces of the photos `a` and `b` are one person's."""
    engine = service.backend(handle).engine
    try:
        verification_of(engine.statistics, 0.0, false_match_rate)
    except UnusableWeights as error:
        raise BadRequest(str(error), hint=error.hint) from error
    service.inference.check_room()
    sent = await read_form(request, files=2)
    a, b = sent.photo("a"), sent.photo("b")
    futures = service.inference.look([(a.data, a.name), (b.data, b.name)], engine, _largest)
    first, second = [await service.inference.result(future) for future in futures]
    result = verification_of(engine.statistics, float(first @ second), false_match_rate)
    service.audit.note("compared", caller.key)
    return Verified(
        same=result.same,
        similarity=result.similarity,
        probability=result.probability,
        threshold=result.threshold,
        false_match_rate=result.false_match_rate,
    )


@router.post(
    "/v1/align",
    response_class=Response,
    responses={
        **answers(404, 415),
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
    },
    openapi_extra=form(),
)
async def align(
    request: Request,
    service: ServiceOf,
    caller: Viewer,  # noqa: ARG001
    *,
    size: Annotated[int, Query(ge=16, le=2048)] = 600,
    face: Annotated[int, Query(ge=1, le=1000)] | None = None,
) -> Response:
    """Cut one face out, upright: the largest, or the one of this number from the left."""
    engine = service.backend().engine
    service.inference.check_room()
    upload = (await read_form(request, files=1)).photo()

    def work() -> bytes:
        photo = decode_photo(upload.data, name=upload.name)
        found = engine.detect(photo)
        chosen = select_face(found.boxes, face, photo=photo.name)
        return encode_jpeg(portrait(photo, found.points[chosen], size))

    jpeg = await service.inference.result(service.inference.call(work))
    return Response(jpeg, media_type="image/jpeg")


@router.post("/v1/embed", responses=answers(404), openapi_extra=form(many=True))
async def embed(
    request: Request,
    service: ServiceOf,
    caller: Annotated[Caller, Depends(need(Role.OPERATOR))],
    *,
    handle: Handle = "",
) -> dict[str, Any]:
    """Return the embeddings of all faces: biometric data, so it takes an operator."""
    engine = service.backend(handle).engine
    service.inference.check_room()
    uploads = (await read_form(request, files=service.limits.photos)).photos()
    futures = service.inference.look(
        [(upload.data, upload.name) for upload in uploads], engine, _vectors
    )
    rows = [await _row(service, u, f) for u, f in zip(uploads, futures, strict=True)]
    service.audit.note("embedded", caller.key, detail=count(len(rows), "photo"))
    return {"contract": engine.contract, "dimension": engine.dimension, "results": rows}


def _vectors(seen: EmbeddedPhoto) -> dict[str, Any]:
    faces = [
        {
            "box": [round(float(side / seen.photo.scale), 1) for side in box],
            "score": round(float(score), 4),
            "embedding": [round(float(value), 6) for value in vector],
        }
        for box, score, vector in zip(
            seen.detections.boxes, seen.detections.scores, seen.embeddings, strict=True
        )
    ]
    return {"photo": seen.photo.name, "faces": faces, "error": None}


def _largest(seen: EmbeddedPhoto) -> NDArray[np.float32]:
    largest = select_face(seen.detections.boxes, None, photo=seen.photo.name)
    vector: NDArray[np.float32] = seen.embeddings.vectors[largest]
    return vector
