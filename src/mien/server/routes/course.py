"""The paths of the course's two services, so that its clients work unchanged.

They know three failures: 404 for a recognizer that is not there, 412 for a photo that cannot be
used, 417 where no file was chosen.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from mien.errors import BadRequest, FaceError, MienError, NoFace, PhotoError
from mien.photo import decode_photo, encode_jpeg
from mien.problems import problem_of
from mien.server.auth.access import Caller, need
from mien.server.auth.keys import Role
from mien.server.http.error_responses import answer
from mien.server.http.forms import Upload, read_form
from mien.server.inference.backends import FileMount, GalleryMount, Mount
from mien.server.inference.face_tokens import data_url
from mien.server.inference.photo_queue import EmbeddedPhoto
from mien.server.inference.portraits import COURSE_SIDE, portrait
from mien.server.routes.openapi import answers, form
from mien.server.state import ServiceOf

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
    engine = service.mount().engine
    service.inference.check_room()

    def work(upload: Upload) -> str:
        photo = decode_photo(upload.data, name=upload.name)
        found = engine.detect(photo)
        if not len(found):
            raise _no_face(upload.name)
        return data_url(encode_jpeg(portrait(photo, found, found.largest(), COURSE_SIDE)))

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
    mount = service.mount(handle)
    service.inference.check_room()

    def then(seen: EmbeddedPhoto) -> list[dict[str, Any]]:
        if not len(seen.found):
            raise _no_face(seen.photo.name)
        found = mount.identify(seen.embeddings)[seen.found.largest()].candidates
        number = _numbers(mount)
        return [
            {
                "class_idx": number.get(match.id or match.name, -1),
                "class_name": match.name,
                "confidence": match.probability,
            }
            for match in found[:_LISTED]
        ]

    try:
        upload = await _chosen(request)
        (future,) = service.inference.look([(upload.data, upload.name)], mount.engine, then)
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


def _no_face(name: str) -> NoFace:
    return NoFace(f"no face found in {name}", hint="Give a photo that shows a face.")


def _numbers(mount: Mount) -> dict[str, int]:
    """Return each person's number: the place in the file, or in the gallery's order of names."""
    if isinstance(mount, FileMount):
        return {name: index for index, name in enumerate(mount.head.people)}
    if isinstance(mount, GalleryMount):
        return {person.id: index for index, person in enumerate(mount.gallery.people())}
    return {}
