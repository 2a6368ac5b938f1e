"""Forgetting people and photos, and what is left of them elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import Response

from mien.errors import NotServed
from mien.recognizer.holders import SoughtPerson
from mien.server.auth.access import Caller, require_role
from mien.server.auth.keys import Role
from mien.server.http.guarded_route import GuardedRoute
from mien.server.routes.openapi import Responses, problem_responses
from mien.server.state import StateDep
from mien.text import count

router = APIRouter(route_class=GuardedRoute, tags=["people"])

Operator = Annotated[Caller, Depends(require_role(Role.OPERATOR))]


class HoldingVersion(BaseModel):
    """A recognizer file of this server that still holds a forgotten person.

    `by` is `name`, or `face` if the recognizer would give the person's face the name in `name`, or
    `unreadable` if the file cannot be read and may hold the person. The version `given` is a file
    that was given when the server was started: only its operator can delete it.
    """

    handle: str
    version: str
    in_service: bool
    name: str
    by: str


class Forgotten(BaseModel):
    """What is left of a person or photo that was forgotten."""

    wiped: bool = Field(description="Whether the bytes are wiped from the gallery's file.")
    detail: str
    recognizers: list[HoldingVersion] = []


def _forgotten_responses(what: str) -> Responses:
    return {
        **problem_responses(404),
        200: {"model": Forgotten, "description": "Forgotten here, and what is left elsewhere."},
        204: {"description": f"Forgotten: nothing of the {what} is left."},
    }


@router.delete(
    "/v1/people/{person}", response_model=Forgotten, responses=_forgotten_responses("person")
)
def forget(person: str, state: StateDep, caller: Operator) -> Response | Forgotten:
    """Delete a person with all embeddings and crops.

    The status is 204 if nothing is left, else 200: recognizer files that were trained before may
    hold the person, and the bytes stay in the gallery's file while another process reads it.
    """
    gallery = state.gallery()
    found = gallery.person(person)
    wanted = SoughtPerson(found.name, gallery.templates(found.id), gallery.contract)
    try:
        wiped = gallery.forget(found.id, key=caller.key)
    finally:
        state.tokens.drop_before(gallery.last_forgotten())
    rows = [
        HoldingVersion(
            handle=version.handle,
            version=version.version,
            in_service=version.in_service,
            name=holding.name,
            by=holding.by,
        )
        for version, holding in state.versions.holding(wanted)
    ]
    return _forgotten(wiped=wiped, recognizers=rows)


@router.delete(
    "/v1/people/{person}/photos/{picture}",
    response_model=Forgotten,
    responses=_forgotten_responses("photo"),
)
def forget_photo(
    person: str, picture: str, state: StateDep, caller: Operator
) -> Response | Forgotten:
    """Delete one enrolled photo of a person; the status is 204 if nothing is left of it."""
    gallery = state.gallery()
    if picture not in {each.id for each in gallery.pictures(person)}:
        raise NotServed(
            "the person has no such photo", hint="GET /v1/people/{id} lists the photos of a person."
        )
    return _forgotten(wiped=gallery.forget_picture(picture, key=caller.key))


def _forgotten(*, wiped: bool, recognizers: Sequence[HoldingVersion] = ()) -> Response | Forgotten:
    left = [] if wiped else ["bytes are still in the file until the other reader closes"]
    if recognizers:
        left.append(f"still in {count(len(recognizers), 'recognizer file')}")
    if not left:
        return Response(status_code=204)
    detail = "; ".join(["forgotten", *left])
    return Forgotten(wiped=wiped, detail=detail, recognizers=list(recognizers))
