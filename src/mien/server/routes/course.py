"""Routes of the two earlier services of the course, for their existing clients.

They know three errors: 404 for an unknown recognizer, 412 for a photo that cannot be used, 417 if
no file was chosen.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from mien.errors import BadRequest, FaceError, MienError, PhotoError
from mien.faces.portraits import portrait
from mien.faces.selection import select_face
from mien.photo import LARGE_PHOTO, data_url, decode_photo, encode_jpeg
from mien.problems import problem_of
from mien.server.auth.access import Caller, require_role
from mien.server.auth.keys import Role
from mien.server.http.error_responses import problem_response
from mien.server.http.forms import Upload, read_form
from mien.server.http.guarded_route import GuardedRoute
from mien.server.inference.backends import Backend
from mien.server.routes.openapi import multipart_body, problem_responses
from mien.server.state import AuditDep, StateDep
from mien.types import PORTRAIT_SIDE, EmbeddedPhoto

router = APIRouter(route_class=GuardedRoute, tags=["course"])

Viewer = Annotated[Caller, Depends(require_role(Role.VIEWER))]

_CANDIDATES = 6
"""Number of candidates in a response, as in the earlier service."""


class Guess(BaseModel):
    """A candidate for the face."""

    class_idx: int
    class_name: str
    confidence: float


@router.post(
    "/face-align",
    response_model=str,
    responses=problem_responses(404, 412, 417),
    openapi_extra=multipart_body(),
)
async def face_align(request: Request, state: StateDep, caller: Viewer) -> Response:  # noqa: ARG001
    """Return the aligned largest face, 600 x 600 pixels, as a data URL in a JSON string."""
    engine = state.backend().engine
    state.queue.check_capacity()

    def work(upload: Upload) -> str:
        photo = decode_photo(upload.data, name=upload.name, max_pixels=LARGE_PHOTO)
        found = engine.detect(photo)
        largest = select_face(found.boxes, None, photo=upload.name)
        return data_url(encode_jpeg(portrait(photo, found.points[largest], PORTRAIT_SIDE)))

    try:
        upload = await _uploaded_photo(request)
        text = await state.queue.result(state.queue.submit(lambda: work(upload)))
    except (_NoFileChosen, BadRequest, PhotoError, FaceError) as error:
        return _course_error(error)
    return JSONResponse(text)


@router.post(
    "/classify/{handle}",
    response_model=list[Guess],
    responses=problem_responses(404, 412, 417),
    openapi_extra=multipart_body(),
)
async def classify(
    handle: str, request: Request, state: StateDep, caller: Viewer, audit: AuditDep
) -> Response:
    """Return the candidates for the largest face, best first."""
    backend = state.backend(handle)
    state.queue.check_capacity()

    def then(embedded: EmbeddedPhoto) -> tuple[list[dict[str, Any]], str]:
        largest = select_face(embedded.detections.boxes, None, photo=embedded.photo.name)
        answer = backend.matcher.identify(embedded.embeddings)[largest]
        number = _numbers(backend)
        guesses = [
            {
                "class_idx": number.get(match.person_id or match.name, -1),
                "class_name": match.name,
                "confidence": match.probability,
            }
            for match in answer.candidates[:_CANDIDATES]
        ]
        return guesses, answer.person_id or ""

    try:
        upload = await _uploaded_photo(request)
        (future,) = state.queue.submit_photos([(upload.data, upload.name)], backend.engine, then)
        guesses, person = await state.queue.result(future)
    except (_NoFileChosen, BadRequest, PhotoError, FaceError) as error:
        return _course_error(error)
    await audit.record("looked up", caller.key, [person], handle)
    return JSONResponse(guesses)


class _NoFileChosen(Exception):
    """The form's file has no name and no content."""


async def _uploaded_photo(request: Request) -> Upload:
    upload = (await read_form(request, files=1)).photo()
    if not upload.name and not upload.data:
        raise _NoFileChosen
    return upload


def _course_error(error: Exception) -> Response:
    if isinstance(error, _NoFileChosen):
        problem = problem_of(BadRequest("no file was chosen", hint="Choose a photo."))
        return problem_response({**problem, "status": 417})
    if isinstance(error, MienError):
        return problem_response({**problem_of(error), "status": 412})
    raise error


def _numbers(backend: Backend) -> dict[str, int]:
    """Return the number of each person: the index in the file, or in the gallery's list."""
    if backend.gallery is not None:
        return {person.id: index for index, person in enumerate(backend.gallery.people())}
    people = () if backend.recognizer is None else backend.recognizer.people
    return {name: index for index, name in enumerate(people)}
