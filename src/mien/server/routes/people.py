"""People of the gallery: list, add, enrol photos, rename, merge, forget, correct."""

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
from mien.server.auth.access import Caller, require_role
from mien.server.auth.keys import Role
from mien.server.http.forms import Upload, read_form
from mien.server.http.guarded_route import GuardedRoute
from mien.server.inference.face_tokens import TokenFace
from mien.server.routes.openapi import multipart_body, problem_responses
from mien.server.state import AuditDep, StateDep

router = APIRouter(route_class=GuardedRoute, tags=["people"])

Viewer = Annotated[Caller, Depends(require_role(Role.VIEWER))]
Operator = Annotated[Caller, Depends(require_role(Role.OPERATOR))]

_NAME = Field(min_length=1, max_length=1000)
_NOTE = Field(max_length=2000)


class NewPerson(BaseModel):
    """A person to add."""

    name: str = _NAME
    consent: str = Field("", max_length=2000, description="What the person has consented to.")


class PersonChanges(BaseModel):
    """Changes of a person; omitted fields stay unchanged."""

    name: Annotated[str, _NAME] | None = None
    consent: Annotated[str, _NOTE] | None = None


class MergeRequest(BaseModel):
    """The person to merge."""

    other: str = Field(max_length=100)


class PictureRow(BaseModel):
    """An enrolled photo."""

    id: str
    source: str
    added: str
    quality: float
    forced: str


class PersonRow(BaseModel):
    """A known person."""

    id: str
    name: str
    photos_count: int
    consent: str = ""
    source: str = ""
    created: str = ""
    changed: str = ""
    thumbnail: bool = False


class PersonDetails(PersonRow):
    """A person with enrolled photos."""

    photos: list[PictureRow]


class PeopleList(BaseModel):
    """The people, sorted by name."""

    people: list[PersonRow]


class EnrolledPhoto(BaseModel):
    """Result of enrolling a photo."""

    photo: str
    taken: bool
    reason: str = ""
    detail: str = ""
    evidence: dict[str, Any] = Field(default_factory=dict)
    picture: str = ""
    error: dict[str, Any] | None = None


class EnrolledPhotos(BaseModel):
    """Results per photo, in order."""

    results: list[EnrolledPhoto]


class NamedPerson(BaseModel):
    """A person by name."""

    name: str = _NAME


class Correction(BaseModel):
    """A correction: who the face is, or who it is not."""

    face_token: str = Field(max_length=100)
    is_not: Annotated[str, Field(max_length=100)] | None = Field(None, alias="not")
    is_: Annotated[str, Field(max_length=100)] | NamedPerson | None = Field(None, alias="is")

    @model_validator(mode="after")
    def check_one_given(self) -> Correction:
        """Require exactly one of `is` and `not`."""
        if (self.is_not is None) == (self.is_ is None):
            raise ValueError("give either `is` or `not`")
        return self


@router.get("/v1/people", responses=problem_responses(404))
def people(
    state: StateDep,
    caller: Viewer,  # noqa: ARG001
    handle: Annotated[str, Query(max_length=100)] = "",
) -> PeopleList:
    """List the people of a recognizer: those of the gallery, or the names in a file."""
    backend = state.backend(handle)
    gallery = backend.gallery
    if gallery is None and not handle:
        with suppress(NotServed):
            gallery = state.gallery()
    if gallery is None:
        head = None if backend.recognizer is None else backend.recognizer.head
        rows = () if head is None else zip(head.people, head.photos.tolist(), strict=True)
        return PeopleList(
            people=[
                PersonRow(id=f"{number}", name=name, photos_count=photos)
                for number, (name, photos) in enumerate(rows)
            ]
        )
    return PeopleList(people=[_row(gallery, person) for person in gallery.people()])


@router.post("/v1/people", status_code=201, responses=problem_responses(404, 409))
def add(new: NewPerson, state: StateDep, caller: Operator) -> PersonRow:
    """Add a person without photos."""
    gallery = state.gallery()
    made = gallery.add_person(new.name, consent=new.consent, source="page or API", key=caller.key)
    return _row(gallery, made)


@router.get("/v1/people/{person}", responses=problem_responses(404))
async def person(person: str, state: StateDep, caller: Viewer, audit: AuditDep) -> PersonDetails:
    """Return a person with the enrolled photos."""
    gallery = state.gallery()
    found = await run_in_threadpool(gallery.person, person)
    pictures = await run_in_threadpool(gallery.pictures, found.id)
    await audit.record("shown", caller.key, [found.id])
    row = _row(gallery, found)
    row.thumbnail = any(picture.thumbnail for picture in pictures)
    return PersonDetails(
        **row.model_dump(),
        photos=[
            PictureRow(
                id=picture.id,
                # Photos enrolled on the command line have a path here: only the file name is shown.
                source=PureWindowsPath(picture.source).name,
                added=picture.added,
                quality=picture.quality,
                forced=picture.forced,
            )
            for picture in pictures
        ],
    )


@router.patch("/v1/people/{person}", responses=problem_responses(404, 409))
def change(person: str, changes: PersonChanges, state: StateDep, caller: Operator) -> PersonRow:
    """Rename a person, or note consent."""
    gallery = state.gallery()
    found = gallery.person(person)
    if changes.name is not None:
        found = gallery.rename(found.id, changes.name, key=caller.key)
    if changes.consent is not None:
        found = gallery.note_consent(found.id, changes.consent, key=caller.key)
    return _row(gallery, found)


@router.post("/v1/people/{person}/merge", responses=problem_responses(404))
def merge(person: str, other: MergeRequest, state: StateDep, caller: Operator) -> PersonRow:
    """Merge two people: the photos of `other` are moved to this person."""
    gallery = state.gallery()
    kept, gone = gallery.person(person), gallery.person(other.other)
    return _row(gallery, gallery.merge(kept.id, gone.id, key=caller.key))


@router.post(
    "/v1/people/{person}/photos",
    responses=problem_responses(404),
    openapi_extra=multipart_body(many=True),
)
async def photos(
    person: str, request: Request, state: StateDep, caller: Operator, *, force: bool = False
) -> EnrolledPhotos:
    """Enrol photos of a person; each result says whether it was enrolled, and why not."""
    gallery, engine = state.gallery_backend()
    found = await run_in_threadpool(gallery.person, person)
    state.queue.check_capacity()
    uploads = (await read_form(request, files=state.limits.photos)).photos()

    def work(upload: Upload) -> Callable[[], EnrolledPhoto]:
        return lambda: _enrol(gallery, engine, found.id, upload, key=caller.key, force=force)

    rows = [await state.queue.result(state.queue.submit(work(u))) for u in uploads]
    return EnrolledPhotos(results=rows)


@router.get(
    "/v1/people/{person}/thumbnail",
    response_class=Response,
    responses={
        **problem_responses(404),
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
    },
)
def thumbnail(person: str, state: StateDep, caller: Viewer) -> Response:  # noqa: ARG001
    """Return the aligned crop of a person's best photo, if crops are stored."""
    gallery = state.gallery()
    kept = [picture for picture in gallery.pictures(person) if picture.thumbnail]
    if not kept:
        raise NotServed(
            "no crop of this person is stored",
            hint="The person has no photos, or the gallery stores no crops.",
        )
    best = max(kept, key=lambda picture: picture.quality)
    return Response(gallery.thumbnail(best.id), media_type="image/jpeg")


@router.post("/v1/corrections", responses=problem_responses(404))
async def correct(given: Correction, state: StateDep, caller: Operator) -> EnrolledPhoto:
    """Correct a recent identification: the face is not a person, or is a person."""
    gallery, engine = state.gallery_backend()
    face = state.tokens.find(given.face_token, await run_in_threadpool(gallery.last_forgotten))
    if given.is_not is not None:
        wrong = await run_in_threadpool(gallery.person, given.is_not)
        await run_in_threadpool(
            gallery.reject, wrong.id, face.embedding, key=caller.key, seen_at=face.seen_at
        )
        return EnrolledPhoto(photo=face.photo, taken=False)
    right = given.is_
    if isinstance(right, NamedPerson):
        name = right.name
    else:
        name = (await run_in_threadpool(gallery.person, right or "")).id

    def work() -> EnrolledPhoto:
        # A user confirmed the person: failed enrolment checks are reported, but overruled.
        sample = sample_of_token(face, engine)
        done = gallery.enrol(
            name,
            sample,
            force=True,
            key=caller.key,
            seen_at=face.seen_at,
            must_exist=not isinstance(right, NamedPerson),
        )
        return _enrolled_photo(face.photo, done)

    return await state.queue.result(state.queue.submit(work))


def sample_of_token(face: TokenFace, engine: FaceEngine) -> FaceSample:
    """Return the face of a token as a sample for enrolment."""
    return sample_of(
        engine, face.crop, face.points, scale=face.scale, sha256=face.sha256, source=face.photo
    )


def _enrol(
    gallery: Gallery, engine: FaceEngine, person: str, upload: Upload, *, key: str, force: bool
) -> EnrolledPhoto:
    try:
        photo = decode_photo(upload.data, name=upload.name, long_side=engine.max_long_side)
    except PhotoError as error:
        return EnrolledPhoto(
            photo=upload.name,
            taken=False,
            reason="unreadable",
            detail=str(error),
            error=problem_of(error),
        )
    # The person may have been forgotten meanwhile, and must not come back under the id.
    done = gallery.enrol_photo(person, photo, engine=engine, force=force, key=key, must_exist=True)
    return _enrolled_photo(upload.name, done)


def _enrolled_photo(photo: str, done: Enrolment) -> EnrolledPhoto:
    return EnrolledPhoto(
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
