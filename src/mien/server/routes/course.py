"""The paths of the course's two services, so that its clients work unchanged.

They know three failures: 404 for a recognizer that is not there, 412 for a photo that cannot be
used, 417 where no file was chosen.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from mien.errors import BadRequest, FaceError, MienError, PhotoError
from mien.faces import select_face
from mien.photo import data_url, decode_photo, encode_jpeg
from mien.portrait import PORTRAIT_SIDE, portrait
from mien.problems import problem_of
from mien.server.auth.access import Caller, need
from mien.server.auth.keys import Role
from mien.server.http.error_responses import answer
from mien.server.http.forms import Upload, read_form
from mien.server.inference.backends import Backend
from mien.server.routes.openapi import answers, form
from mien.server.state import ServiceOf
from mien.types import EmbeddedPhoto

router = APIRouter(tags=["course"])

Viewer = Annotated[Caller, Depends(need(Role.VIEWER))]

_LISTED = 6
"""The best so many, as that system's larger recognizer answered."""


class Guess(BaseModel):
    """A person that the face may be."""

    class_idx: int
    class_name: str
    confidence: float


@router.post(
    "/face-align", response_model=str, responses=answers(404, 412, 417), openapi_extra=form()
)
async def face_align(request: Request, service: ServiceOf, caller: Viewer) -> Response:  # noqa: ARG001
    """Cut out the largest face, 600 x 600, as a data URL in a JSON string."""
    engine = service.backend().engine
    service.inference.check_room()

    def work(upload: Upload) -> str:
        photo = decode_photo(upload.data, name=upload.name)
        found = engine.detect(photo)
        largest = select_face(found.boxes, None, photo=upload.name)
        return data_url(encode_jpeg(portrait(photo, found.points[largest], PORTRAIT_SIDE)))

    try:
        upload = await _chosen(request)
        text = await service.inference.result(service.inference.call(lambda: work(upload)))
    except (_NotChosen, BadRequest, PhotoError, FaceError) as error:
        return _refusal(error)
    return JSONResponse(text)


@router.post(
    "/classify/{handle}",
    response_model=list[Guess],
    responses=answers(404, 412, 417),
    openapi_extra=form(),
)
async def classify(handle: str, request: Request, service: ServiceOf, caller: Viewer) -> Response:
    """Say who the largest face may be, best first."""
    backend = service.backend(handle)
    service.inference.check_room()

    def then(seen: EmbeddedPhoto) -> list[dict[str, Any]]:
        largest = select_face(seen.detections.boxes, None, photo=seen.photo.name)
        found = backend.matcher.identify(seen.embeddings)[largest].candidates
        number = _numbers(backend)
        return [
            {
                "class_idx": number.get(match.person_id or match.name, -1),
                "class_name": match.name,
                "confidence": match.probability,
            }
            for match in found[:_LISTED]
        ]

    try:
        upload = await _chosen(request)
        (future,) = service.inference.look([(upload.data, upload.name)], backend.engine, then)
        guesses = await service.inference.result(future)
    except (_NotChosen, BadRequest, PhotoError, FaceError) as error:
        return _refusal(error)
    service.audit.note("looked up", caller.key, detail=handle)
    return JSONResponse(guesses)


class _NotChosen(Exception):
    """The form's file has neither a name nor bytes."""


async def _chosen(request: Request) -> Upload:
    upload = (await read_form(request, files=1)).photo()
    if not upload.name and not upload.data:
        raise _NotChosen
    return upload


def _refusal(error: Exception) -> Response:
    if isinstance(error, _NotChosen):
        problem = problem_of(BadRequest("no file was chosen", hint="Choose a photo."))
        return answer({**problem, "status": 417})
    if isinstance(error, MienError):
        return answer({**problem_of(error), "status": 412})
    raise error


def _numbers(backend: Backend) -> dict[str, int]:
    """Return each person's number: the place in the file, or in the gallery's order of names."""
    if backend.gallery is not None:
        return {person.id: index for index, person in enumerate(backend.gallery.people())}
    people = () if backend.recognizer is None else backend.recognizer.people
    return {name: index for index, name in enumerate(people)}
