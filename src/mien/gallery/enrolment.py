"""Enrolment: check one face sample and write it; import people; delete rejected faces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.gallery.enrolment_checks import Objection, find_objection
from mien.gallery.index import Index
from mien.gallery.people import NumberedPerson, add_person
from mien.gallery.person_matrix import early_prototype
from mien.gallery.storage.rows import GalleryStore, Templates
from mien.gallery.values import Enrolment, FaceSample, ImportedPerson
from mien.names import name_key
from mien.session import Session
from mien.text import count


@dataclass(frozen=True, slots=True)
class EnrolmentRequest:
    """A face sample to enrol.

    Attributes:
        sample: to enrol.
        person: the person it shows; None for a new person.
        force: enrol even if checks fail.
        key: name of the API key that does it, for the audit trail.
    """

    sample: FaceSample
    person: NumberedPerson | None
    force: bool = False
    key: str = ""


def check_request(
    request: EnrolmentRequest,
    index: Index,
    session: Session,
    store: GalleryStore,
    least: float | None,
) -> Enrolment | Objection | None:
    """Return the refusal of a request, the objection that force overrules, or None.

    Args:
        request: to check.
        index: of the gallery before the change.
        session: of the compare stage.
        store: inside a transaction.
        least: see `find_objection`.
    """
    sample = request.sample
    row, early, person_id = None, None, ""
    if request.person is not None:
        number, person = request.person
        person_id = person.id
        same = store.picture_of(number, sample.sha256)
        if same:
            detail = f"enrolled as {person.name} already"
            return Enrolment(False, person_id, same, "already-enrolled", detail)
        row = index.people.index(number)
        early = early_prototype(store.templates(number))
    (answer,) = index.identify(session, np.ascontiguousarray(sample.embedding[None]))
    objection = find_objection(index, answer, sample, row, early, least)
    if objection is None or request.force:
        return objection
    return Enrolment(False, person_id, "", objection.reason, objection.detail, objection.evidence)


def write_enrolment(
    request: EnrolmentRequest,
    objection: Objection | None,
    store: GalleryStore,
    add: Callable[[], NumberedPerson],
    *,
    thumbnails: bool,
) -> tuple[int, Enrolment]:
    """Write a face sample and return the number of its person and the result.

    Args:
        request: to write.
        objection: that force overrules, or None.
        store: inside a transaction.
        add: adds a new person and returns it.
        thumbnails: whether the crop is kept.
    """
    sample = request.sample
    number, person = request.person or add()
    if objection and objection.reason == "rejected-before":
        withdraw_rejections(store, number, sample.embedding)
    reason = objection.reason if objection else ""
    picture = _add_sample(store, number, sample, forced=reason, thumbnails=thumbnails)
    store.touch(number)
    store.add_event("enrolled", person.id, request.key, f"photo {picture}")
    if objection is None:
        return number, Enrolment(True, person.id, picture)
    return number, Enrolment(
        True, person.id, picture, objection.reason, objection.detail, objection.evidence
    )


def _add_sample(
    store: GalleryStore,
    number: int,
    sample: FaceSample,
    *,
    forced: str,
    thumbnails: bool,
    added: str = "",
) -> str:
    return store.add_photo(
        number,
        np.stack([sample.embedding, sample.mirrored]),
        quality=sample.quality,
        sha256=sample.sha256,
        source=sample.source,
        forced=forced,
        added=added,
        thumbnail=sample.crop if thumbnails else b"",
    )


def withdraw_rejections(store: GalleryStore, number: int, embedding: NDArray[np.float32]) -> None:
    """Delete the rejected faces by which this face would not be the person's."""
    templates, negatives = store.templates(number), store.negatives()
    own = float((templates.faces @ embedding).max(initial=-1))
    contradicting = (negatives.numbers == number) & (negatives.vectors @ embedding >= own)
    store.delete_negatives([negatives.ids[row] for row in np.flatnonzero(contradicting)])


def write_imported(
    store: GalleryStore, imported: ImportedPerson, key: str, *, thumbnails: bool
) -> tuple[int, int]:
    """Write a person with all photos, without checks, inside a transaction.

    Returns:
        The person's number, and how many photos were not in the gallery yet.
    """
    found = store.person("spelling", name_key(imported.name))
    if found is None:
        free = imported.id if imported.id and not store.person("id", imported.id) else ""
        found = add_person(
            store,
            imported.name,
            imported.consent,
            imported.source,
            key,
            person_id=free,
            created=imported.created,
        )
    number, person = found
    added = 0
    for sample in imported.samples:
        if not store.picture_of(number, sample.sha256):
            _add_sample(
                store,
                number,
                sample,
                forced=sample.forced,
                thumbnails=thumbnails,
                added=sample.added,
            )
            added += 1
    for vector in imported.negatives:
        store.add_negative(number, vector, None)
    store.touch(number)
    store.add_event("taken in", person.id, key, count(added, "photo"))
    return number, added


def delete_similar_negatives(
    store: GalleryStore,
    templates: Templates,
    *,
    of: int | None = None,
    but: int | None = None,
    least: float | None,
) -> None:
    """Delete rejected faces that are similar to some photos.

    Args:
        store: inside a transaction.
        templates: of the photos.
        of: only faces rejected as the person with this number.
        but: except faces rejected as the person with this number.
        least: similarity from which a face is similar to a photo; None where it is not calibrated
            for the embedder: then a face that is more similar to these photos than to those of the
            person it was rejected as.
    """
    negatives = store.negatives()
    similarity = _highest_similarity(negatives.vectors, templates)
    if least is None:
        own = np.zeros(len(similarity), np.float32)
        for number in np.unique(negatives.numbers):
            rows = negatives.numbers == number
            own[rows] = _highest_similarity(negatives.vectors[rows], store.templates(int(number)))
        gone = similarity >= own
    else:
        gone = similarity >= least
    if of is not None:
        gone &= negatives.numbers == of
    if but is not None:
        gone &= negatives.numbers != but
    store.delete_negatives([negatives.ids[row] for row in np.flatnonzero(gone)])


def _highest_similarity(vectors: NDArray[np.float32], templates: Templates) -> NDArray[np.float32]:
    """Return (N,) each face's highest similarity to some photos; -1 where there are none."""
    faces = np.concatenate([templates.faces, templates.mirrored])
    result: NDArray[np.float32] = (vectors @ faces.T).max(axis=1, initial=-1)
    return result
