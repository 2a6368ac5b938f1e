"""Enrolment: one sighting judged, and written where nothing speaks against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.gallery.directory import Owner, add
from mien.gallery.enrolment_checks import Objection, find_objection
from mien.gallery.index import Index
from mien.gallery.person_matrix import early_prototype
from mien.gallery.storage.rows import GalleryStore, Templates
from mien.gallery.values import Enrolment, FaceSample, ImportedPerson
from mien.names import name_key
from mien.session import Session
from mien.text import count


@dataclass(frozen=True, slots=True)
class EnrolmentRequest:
    """What is asked for.

    Attributes:
        sighting: to enrol.
        owner: the person it shows; None for somebody new.
        force: take it in spite of what speaks against it.
        key: name of the key that does it, for the audit trail.
    """

    sighting: FaceSample
    owner: Owner | None
    force: bool = False
    key: str = ""


def judge(
    wish: EnrolmentRequest,
    index: Index,
    session: Session,
    store: GalleryStore,
    least: float | None,
) -> Enrolment | Objection | None:
    """Return the refusal of a wish, the objection that force has overruled, or None.

    Args:
        wish: what is asked for.
        index: the gallery as it stands.
        session: of the compare stage.
        store: inside a transaction.
        least: see `find_objection`.
    """
    sighting, owner = wish.sighting, wish.owner
    row, elder = None, None
    if owner is not None:
        there = store.picture_of(owner[0], sighting.sha256)
        if there:
            detail = f"enrolled as {owner[1].name} already"
            return Enrolment(False, owner[1].id, there, "already-enrolled", detail)
        row = index.people.index(owner[0])
        elder = early_prototype(store.templates(owner[0]))
    (answer,) = index.identify(session, np.ascontiguousarray(sighting.embedding[None]))
    objection = find_objection(index, answer, sighting, row, elder, least)
    if objection is None or wish.force:
        return objection
    person = owner[1].id if owner else ""
    return Enrolment(False, person, "", objection.reason, objection.detail, objection.evidence)


def write(
    wish: EnrolmentRequest,
    objection: Objection | None,
    store: GalleryStore,
    add: Callable[[], Owner],
    *,
    thumbnails: bool,
) -> tuple[int, Enrolment]:
    """Write a sighting and return the number of its person and what came of it.

    Args:
        wish: what is asked for.
        objection: that force has overruled, or None.
        store: inside a transaction.
        add: adds somebody new and returns them.
        thumbnails: whether the crop is kept.
    """
    sighting = wish.sighting
    number, person = wish.owner or add()
    if objection and objection.reason == "rejected-before":
        take_back(store, number, sighting.embedding)
    picture = store.add_photo(
        number,
        np.stack([sighting.embedding, sighting.mirrored]),
        quality=sighting.quality,
        sha256=sighting.sha256,
        source=sighting.source,
        forced=objection.reason if objection else "",
        thumbnail=sighting.crop if thumbnails else b"",
    )
    store.touch(number)
    store.note("enrolled", person.id, wish.key, f"photo {picture}")
    if objection is None:
        return number, Enrolment(True, person.id, picture)
    told = Enrolment(
        True, person.id, picture, objection.reason, objection.detail, objection.evidence
    )
    return number, told


def take_back(store: GalleryStore, number: int, embedding: NDArray[np.float32]) -> None:
    """Delete the rejected faces that say that this face is not of the person."""
    templates, negatives = store.templates(number), store.negatives()
    own = float((templates.faces @ embedding).max(initial=-1))
    said = (negatives.numbers == number) & (negatives.vectors @ embedding >= own)
    store.delete_negatives([negatives.ids[row] for row in np.flatnonzero(said)])


def take(
    store: GalleryStore, newcomer: ImportedPerson, key: str, *, thumbnails: bool
) -> tuple[int, int]:
    """Write somebody with all their photos, inside a transaction.

    Returns:
        The person's number, and how many photos were not there yet.
    """
    owner = store.person("spelling", name_key(newcomer.name))
    if owner is None:
        free = newcomer.id if newcomer.id and not store.person("id", newcomer.id) else ""
        owner = add(
            store,
            newcomer.name,
            newcomer.consent,
            newcomer.source,
            key,
            person_id=free,
            created=newcomer.created,
        )
    number, person = owner
    taken = 0
    for sighting in newcomer.sightings:
        if not store.picture_of(number, sighting.sha256):
            store.add_photo(
                number,
                np.stack([sighting.embedding, sighting.mirrored]),
                quality=sighting.quality,
                sha256=sighting.sha256,
                source=sighting.source,
                forced=sighting.forced,
                added=sighting.added,
                thumbnail=sighting.crop if thumbnails else b"",
            )
            taken += 1
    for vector in newcomer.negatives:
        store.add_negative(number, vector, None)
    store.touch(number)
    store.note("taken in", person.id, key, count(taken, "photo"))
    return number, taken


def drop_negatives(
    store: GalleryStore,
    templates: Templates,
    *,
    of: int | None = None,
    but: int | None = None,
    least: float | None,
) -> None:
    """Delete rejected faces that look like some photos.

    Args:
        store: inside a transaction.
        templates: the photos.
        of: only faces that are not this person.
        but: not those that are not this person.
        least: similarity from which a face looks like a photo; None where it is not calibrated:
            then a face does that is more like these photos than like those of the person it is
            not.
    """  # fmt: skip
    negatives = store.negatives()
    alike = _most_alike(negatives.vectors, templates)
    if least is None:
        own = np.zeros(len(alike), np.float32)
        for number in np.unique(negatives.numbers):
            rows = negatives.numbers == number
            own[rows] = _most_alike(negatives.vectors[rows], store.templates(int(number)))
        gone = alike >= own
    else:
        gone = alike >= least
    if of is not None:
        gone &= negatives.numbers == of
    if but is not None:
        gone &= negatives.numbers != but
    store.delete_negatives([negatives.ids[row] for row in np.flatnonzero(gone)])


def _most_alike(vectors: NDArray[np.float32], templates: Templates) -> NDArray[np.float32]:
    """Return (N,) each face's highest similarity to some photos; -1 where there are none."""
    faces = np.concatenate([templates.faces, templates.mirrored])
    result: NDArray[np.float32] = (vectors @ faces.T).max(axis=1, initial=-1)
    return result
