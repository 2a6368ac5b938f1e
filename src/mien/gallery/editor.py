"""Changing a gallery: add, rename, merge, reject and forget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.errors import UnknownPicture
from mien.gallery.enrolment import delete_similar_negatives
from mien.gallery.people import (
    LONGEST_NOTE,
    add_person,
    check_name_free,
    require_person,
    valid_name,
)
from mien.gallery.reader import GalleryReader
from mien.gallery.values import Person
from mien.names import name_key

_SAME_FACE = 0.999
"""Cosine from which two embeddings are of one crop, whatever the embedder."""


class GalleryEditor(GalleryReader):
    """Changes of an open gallery but for enrolment; see `Gallery`."""

    def add_person(
        self, name: str, *, consent: str = "", source: str = "", key: str = ""
    ) -> Person:
        """Add a person without photos.

        Args:
            name: any text; made one line.
            consent: a note on what the person has agreed to.
            source: where the person comes from.
            key: for the audit trail.

        Raises:
            NameTaken: another person has the name.
            InvalidName: it is empty or too long.
        """
        with self._changing() as changed:
            number, person = add_person(self._store, name, consent, source, key)
            changed.add(number)
        return person

    def rename(self, person: str, name: str, *, key: str = "") -> Person:
        """Give a person another name.

        Raises:
            NameTaken: another person has the name.
            InvalidName: it is empty or too long.
        """
        shown = valid_name(name)
        with self._changing() as changed:
            number, before = require_person(self._store, person)
            check_name_free(self._store, shown, number)
            self._store.rename(number, shown, name_key(shown))
            self._store.touch(number)
            self._store.add_event("renamed", before.id, key, "")
            changed.add(number)
        return self.person(before.id)

    def note_consent(self, person: str, consent: str, *, key: str = "") -> Person:
        """Replace the note on what a person has agreed to."""
        with self._changing():
            number, before = require_person(self._store, person)
            self._store.set_consent(number, consent[:LONGEST_NOTE])
            self._store.touch(number)
            self._store.add_event("consent noted", before.id, key, "")
        return self.person(before.id)

    def merge(self, person: str, other: str, *, key: str = "") -> Person:
        """Merge two entries of one person: `person` gets the photos of `other`, which is deleted.

        Rejected faces by which the one is not the other are deleted; the rest move to `person`.
        """
        with self._changing() as changed:
            number, kept = require_person(self._store, person)
            second, gone = require_person(self._store, other)
            if number == second:
                return kept
            least = self.limits.unlike_own
            for one, another in ((second, number), (number, second)):
                photos = self._store.templates(one)
                delete_similar_negatives(self._store, photos, of=another, least=least)
            self._store.move_photos(second, number)
            self._store.move_negatives(second, number)
            if gone.consent and not kept.consent:
                self._store.set_consent(number, gone.consent)
            self._store.delete_person(second)
            self._store.touch(number)
            self._store.add_event("merged", kept.id, key, f"with {gone.id}")
            changed.update((number, second))
        return self.person(kept.id)

    def reject(
        self,
        person: str,
        embedding: NDArray[np.float32],
        *,
        shows: str = "",
        key: str = "",
        seen_at: int | None = None,
    ) -> None:
        """Reject a face as a person: "this is not X".

        From then on a face that is at least as similar to the rejected face as to X is not
        identified as X.

        Args:
            person: X.
            embedding: (D,) float32 of length 1, of the face.
            shows: the person that the face shows, where known; the rejected face is deleted when
                that person is forgotten.
            key: for the audit trail.
            seen_at: what `last_forgotten` returned when the face was seen, if that is a while ago.

        Raises:
            UnknownPerson: no such person; or someone was forgotten since `seen_at`, and it may be
                that person's face.
        """
        with self._changing() as changed:
            self._check_none_forgotten(seen_at)
            number, found = require_person(self._store, person)
            negatives = self._store.negatives()
            own = negatives.vectors[negatives.numbers == number]
            if not np.any(own @ embedding >= _SAME_FACE):
                shown = require_person(self._store, shows)[0] if shows else None
                self._store.add_negative(number, embedding, shown)
                self._store.add_event("rejected", found.id, key, "")
                changed.add(number)

    def forget(self, person: str, *, key: str = "") -> bool:
        """Delete a person's name, photos, thumbnails and rejected faces, and wipe their bytes.

        Faces that show this person and were rejected as another are deleted too. The audit trail
        keeps the id.

        Returns:
            Whether the bytes are wiped; False while another process still reads an older state of
            the files. They are wiped when it has ended; see `wiped`.

        Raises:
            UnknownPerson: no person has this id or name.
        """
        with self._changing() as changed:
            number, found = require_person(self._store, person)
            photos = self._store.templates(number)
            delete_similar_negatives(self._store, photos, but=number, least=self.limits.unlike_own)
            self._store.delete_person(number)
            self._store.add_event("forgotten", found.id, key, "")
            self._database.must_scrub()
            changed.add(number)
        return self.wipe()

    def forget_picture(self, picture: str, *, key: str = "") -> bool:
        """Delete one enrolled photo and wipe its bytes; the person stays.

        Returns:
            Whether the bytes are wiped; see `forget`.

        Raises:
            UnknownPicture: no photo has this id.
        """
        with self._changing() as changed:
            number = self._store.person_of(picture)
            found = None if number is None else self._store.person("number", number)
            if number is None or found is None:
                raise UnknownPicture(f"no enrolled photo has the id {picture}")
            photo = self._store.template(picture)
            least = self.limits.same_photo or _SAME_FACE
            delete_similar_negatives(self._store, photo, but=number, least=least)
            self._store.delete_photo(picture)
            self._store.touch(number)
            self._store.add_event("photo forgotten", found[1].id, key, f"photo {picture}")
            self._database.must_scrub()
            changed.add(number)
        return self.wipe()

    def audit(self, action: str, people: Sequence[str] = ("",), *, key: str = "") -> None:
        """Add a line to the audit trail for each of the people's ids."""
        with self._lock, self._database.writing():
            for person in people:
                self._store.add_event(action, person, key, "")
