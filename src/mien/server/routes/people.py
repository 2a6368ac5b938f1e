"""The people of the living gallery: list, add, photos, rename, merge, forget, correct."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import PureWindowsPath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mien.engine import FaceEngine
from mien.errors import NotServed, PhotoError
from mien.gallery import Enrolment, FaceSample, Gallery, Person, sample_of
from mien.photo import decode_photo
from mien.problems import problem_of
from mien.server.auth.access import Caller, need
from mien.server.auth.keys import Role
from mien.server.http.forms import Upload, read_form
from mien.server.inference.face_tokens import Remembered
from mien.server.routes.openapi import answers, form
from mien.server.state import ServiceOf

router = APIRouter(tags=["people"])

Viewer = Annotated[Caller, Depends(need(Role.VIEWER))]
Operator = Annotated[Caller, Depends(need(Role.OPERATOR))]

_NAME = Field(min_length=1, max_length=1000)
_NOTE = Field(max_length=2000)


class NewPerson(BaseModel):
    """Somebody to add."""

    name: str = _NAME
    consent: str = Field("", max_length=2000, description="What the person has agreed to.")


class Changes(BaseModel):
    """What to change of somebody; what is left out stays."""

    name: Annotated[str, _NAME] | None = None
    consent: Annotated[str, _NOTE] | None = None


class Other(BaseModel):
    """Somebody who is the same person."""

    other: str = Field(max_length=100)


class PictureRow(BaseModel):
    """An enrolled photo."""

    id: str
    source: str
    added: str
    quality: float
    forced: str


class PersonRow(BaseModel):
    """Somebody who is known."""

    id: str
    name: str
    photos_count: int
    consent: str = ""
    source: str = ""
    created: str = ""
    changed: str = ""
    thumbnail: bool = False


class WholePerson(PersonRow):
    """Somebody, with their photos."""

    photos: list[PictureRow]


class Everybody(BaseModel):
    """Everybody, in the order of their names."""

    people: list[PersonRow]


class PhotoTaken(BaseModel):
    """What came of a photo."""

    photo: str
    taken: bool
    reason: str = ""
    detail: str = ""
    evidence: dict[str, Any] = Field(default_factory=dict)
    picture: str = ""
    error: dict[str, Any] | None = None


class PhotosTaken(BaseModel):
    """What came of each photo, in their order."""

    results: list[PhotoTaken]


class NewName(BaseModel):
    """Somebody by name."""

    name: str = _NAME


class Correction(BaseModel):
    """This face is not somebody, or is somebody."""

    face_token: str = Field(max_length=100)
    is_not: Annotated[str, Field(max_length=100)] | None = Field(None, alias="not")
    is_: Annotated[str, Field(max_length=100)] | NewName | None = Field(None, alias="is")

    @model_validator(mode="after")
    def one_of_them(self) -> Correction:
        """Refuse both, and neither."""
        if (self.is_not is None) == (self.is_ is None):
            raise ValueError("give either `is` or `not`")
        return self


@router.get("/v1/people", responses=answers(404))
def people(
    service: ServiceOf,
    caller: Viewer,  # noqa: ARG001
    handle: Annotated[str, Query(max_length=100)] = "",
) -> Everybody:
    """List everybody whom a recognizer knows: the living gallery's people, or a file's names."""
    backend = service.backend(handle)
    gallery = backend.gallery
    if gallery is None and not handle:
        with suppress(NotServed):
            gallery = service.gallery()
    if gallery is None:
        head = None if backend.recognizer is None else backend.recognizer.head
        rows = () if head is None else zip(head.people, head.photos.tolist(), strict=True)
        return Everybody(
            people=[
                PersonRow(id=f"{number}", name=name, photos_count=photos)
                for number, (name, photos) in enumerate(rows)
            ]
        )
    return Everybody(people=[_row(gallery, person) for person in gallery.people()])


@router.post("/v1/people", status_code=201, responses=answers(404, 409))
def add(new: NewPerson, service: ServiceOf, caller: Operator) -> PersonRow:
    """Add somebody who has no photo yet."""
    gallery = service.gallery()
    made = gallery.add_person(new.name, consent=new.consent, source="page or API", key=caller.key)
    return _row(gallery, made)


@router.get("/v1/people/{person}", responses=answers(404))
def person(person: str, service: ServiceOf, caller: Viewer) -> WholePerson:
    """Return somebody with their photos."""
    gallery = service.gallery()
    found = gallery.person(person)
    pictures = gallery.pictures(found.id)
    service.audit.note("shown", caller.key, [found.id])
    row = _row(gallery, found)
    row.thumbnail = any(picture.thumbnail for picture in pictures)
    return WholePerson(
        **row.model_dump(),
        photos=[
            PictureRow(
                id=picture.id,
                # Enrolled at the command line it is a path, which is nobody else's business.
                source=PureWindowsPath(picture.source).name,
                added=picture.added,
                quality=picture.quality,
                forced=picture.forced,
            )
            for picture in pictures
        ],
    )


@router.patch("/v1/people/{person}", responses=answers(404, 409))
def change(person: str, changes: Changes, service: ServiceOf, caller: Operator) -> PersonRow:
    """Rename somebody, or note what they have agreed to."""
    gallery = service.gallery()
    found = gallery.person(person)
    if changes.name is not None:
        found = gallery.rename(found.id, changes.name, key=caller.key)
    if changes.consent is not None:
        found = gallery.note_consent(found.id, changes.consent, key=caller.key)
    return _row(gallery, found)


@router.delete("/v1/people/{person}", status_code=204, responses=answers(404))
def forget(person: str, service: ServiceOf, caller: Operator) -> None:
    """Forget somebody, down to the last byte."""
    gallery = service.gallery()
    found = gallery.person(person)
    # Faces that are remembered for corrections may be theirs.
    service.tokens.drop_all()
    gallery.forget(found.id, key=caller.key)


@router.post("/v1/people/{person}/merge", responses=answers(404))
def merge(person: str, other: Other, service: ServiceOf, caller: Operator) -> PersonRow:
    """Make two people one: the photos of `other` become this person's."""
    gallery = service.gallery()
    kept, gone = gallery.person(person), gallery.person(other.other)
    return _row(gallery, gallery.merge(kept.id, gone.id, key=caller.key))


@router.post("/v1/people/{person}/photos", responses=answers(404), openapi_extra=form(many=True))
async def photos(
    person: str, request: Request, service: ServiceOf, caller: Operator, *, force: bool = False
) -> PhotosTaken:
    """Enrol photos of somebody; of each is said whether it was taken, and why not."""
    gallery, engine = service.gallery_backend()
    found = await run_in_threadpool(gallery.person, person)
    service.inference.check_room()
    uploads = (await read_form(request, files=service.limits.photos)).photos()

    def work(upload: Upload) -> Callable[[], PhotoTaken]:
        return lambda: _enrol(gallery, engine, found.id, upload, key=caller.key, force=force)

    rows = [await service.inference.result(service.inference.call(work(u))) for u in uploads]
    return PhotosTaken(results=rows)


@router.get(
    "/v1/people/{person}/thumbnail",
    response_class=Response,
    responses={
        **answers(404),
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
    },
)
def thumbnail(person: str, service: ServiceOf, caller: Viewer) -> Response:  # noqa: ARG001
    """Return the crop of somebody's best photo, where crops are kept."""
    gallery = service.gallery()
    kept = [picture for picture in gallery.pictures(person) if picture.thumbnail]
    if not kept:
        raise NotServed(
            "no crop is kept of this person", hint="Their photos have none, or crops are not kept."
        )
    best = max(kept, key=lambda picture: picture.quality)
    return Response(gallery.thumbnail(best.id), media_type="image/jpeg")


@router.delete("/v1/people/{person}/photos/{picture}", status_code=204, responses=answers(404))
def forget_photo(person: str, picture: str, service: ServiceOf, caller: Operator) -> None:
    """Forget one photo of somebody."""
    gallery = service.gallery()
    if picture not in {each.id for each in gallery.pictures(person)}:
        raise NotServed(
            "the person has no such photo", hint="GET /v1/people/{id} lists the photos of somebody."
        )
    gallery.forget_picture(picture, key=caller.key)


@router.post("/v1/corrections", responses=answers(404))
async def correct(given: Correction, service: ServiceOf, caller: Operator) -> PhotoTaken:
    """Say that a face that was just recognised is not somebody, or is somebody."""
    gallery, engine = service.gallery_backend()
    face = service.tokens.find(given.face_token)
    if given.is_not is not None:
        wrong = await run_in_threadpool(gallery.person, given.is_not)
        await run_in_threadpool(gallery.reject, wrong.id, face.embedding, key=caller.key)
        return PhotoTaken(photo=face.photo, taken=False)
    right = given.is_
    if isinstance(right, NewName):
        name = right.name
    else:
        name = (await run_in_threadpool(gallery.person, right or "")).id

    def work() -> PhotoTaken:
        # Somebody looked and said so: what speaks against it is told, and overruled.
        done = gallery.enrol(name, sample_of_token(face, engine), force=True, key=caller.key)
        return _taken(face.photo, done)

    return await service.inference.result(service.inference.call(work))


def sample_of_token(face: Remembered, engine: FaceEngine) -> FaceSample:
    """Return the face that a token names as a sample to enrol."""
    return sample_of(
        engine, face.crop, face.points, scale=face.scale, sha256=face.sha256, source=face.photo
    )


def _enrol(
    gallery: Gallery, engine: FaceEngine, person: str, upload: Upload, *, key: str, force: bool
) -> PhotoTaken:
    try:
        photo = decode_photo(upload.data, name=upload.name, long_side=engine.max_long_side)
    except PhotoError as error:
        return PhotoTaken(
            photo=upload.name,
            taken=False,
            reason="unreadable",
            detail=str(error),
            error=problem_of(error),
        )
    done = gallery.enrol_photo(person, photo, engine=engine, force=force, key=key)
    return _taken(upload.name, done)


def _taken(photo: str, done: Enrolment) -> PhotoTaken:
    return PhotoTaken(
        photo=photo,
        taken=done.taken,
        reason=done.reason,
        detail=done.detail,
        evidence=dict(done.evidence),
        picture=done.picture,
    )


def _row(gallery: Gallery, found: Person) -> PersonRow:
    return PersonRow(
        id=found.id,
        name=found.name,
        photos_count=found.photos,
        consent=found.consent,
        source=found.source,
        created=found.created,
        changed=found.changed,
        thumbnail=gallery.keeps_thumbnails and found.photos > 0,
    )
