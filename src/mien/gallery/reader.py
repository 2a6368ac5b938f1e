"""Reading from a gallery: its people, and who a face is."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine import FaceEngine
from mien.gallery.base import GalleryBase
from mien.gallery.people import require_person
from mien.gallery.values import AuditEvent, Person, Picture
from mien.matching import PhotoIdentifier
from mien.names import name_key
from mien.photo import PhotoSource
from mien.text import Notice, count
from mien.types import Answer, Embeddings, Face, Head, Policy


class GalleryReader(GalleryBase):
    """What can be asked of an open gallery; see `Gallery`."""

    # People

    def people(self) -> tuple[Person, ...]:
        """Return all people, in the order of their names."""
        with self._lock:
            found = [person for _, person in self._store.people()]
        return tuple(sorted(found, key=lambda person: name_key(person.name)))

    def person(self, person: str) -> Person:
        """Return the person with this id or name.

        Raises:
            UnknownPerson: no person has it.
        """
        with self._lock:
            return require_person(self._store, person)[1]

    def find(self, name: str) -> Person | None:
        """Return the person with this name, in any spelling, or None."""
        with self._lock:
            found = self._store.person("spelling", name_key(name))
        return found[1] if found else None

    def pictures(self, person: str) -> tuple[Picture, ...]:
        """Return a person's enrolled photos, in the order in which they were enrolled."""
        with self._lock:
            return tuple(self._store.pictures(require_person(self._store, person)[0]))

    def thumbnail(self, picture: str) -> bytes:
        """Return the JPEG of an enrolled photo's crop, 112 x 112; empty where no crop is kept."""
        with self._lock:
            return self._store.thumbnail(picture)

    def prototype(self, person: str) -> NDArray[np.float32] | None:
        """Return the quality-weighted mean of a person's photos, (D,) float32 of length 1.

        None where the person has no photo.
        """
        with self._lock:
            number, _ = require_person(self._store, person)
            people = self._current_index().people
            row = people.index(number)
        return None if row is None else people.prototypes[row]

    def templates(self, person: str) -> NDArray[np.float32]:
        """Return the embeddings of a person's photos, (N, D) float32 of length 1, oldest first."""
        with self._lock:
            number, _ = require_person(self._store, person)
            return self._store.templates(number).faces

    def audit_trail(self, person: str = "", *, limit: int = 1000) -> tuple[AuditEvent, ...]:
        """Return the audit trail, latest first; only events of one person where an id is given."""
        with self._lock:
            return tuple(self._store.events(person, limit))

    def last_forgotten(self) -> int:
        """Return a number that rises whenever a person is forgotten, also by another process.

        A face that was seen before may be of that person. `enrol` and `reject` take the number that
        was current when the face was seen, and refuse the face if it has risen since.
        """
        with self._lock:
            return self._store.last_event("forgotten")

    # Identification

    def identify(self, embeddings: Embeddings) -> tuple[Answer, ...]:
        """Return an answer per face of one photo; no person is named twice.

        Raises:
            ContractMismatch: the embeddings were made in another way than the gallery's.
        """
        self.check_contract(embeddings.contract)
        faces = np.ascontiguousarray(embeddings.vectors)
        return self._current_index().identify(self._session, faces)

    def identify_photo(self, photo: PhotoSource) -> list[Face]:
        """Return the faces of a photo, best detection first, each named or unknown.

        Args:
            photo: in any form that `Recognizer.identify` takes.

        Raises:
            PhotoError: it cannot be read.
            ModelError: the models of the gallery cannot be had.
        """
        return PhotoIdentifier(self.engine, self).identify(photo)

    @cached_property
    def engine(self) -> FaceEngine:
        """The engine that makes the gallery's embeddings; opened when it is first used.

        Raises:
            ModelError: the models cannot be had.
            ContractMismatch: the model of that name makes other embeddings now.
        """
        return self.origin.open_engine()

    @property
    def policy(self) -> Policy:
        """When a name is given; computed again whenever people or photos change."""
        return self._current_index().rule.policy

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """What limits the policy; empty where nothing does."""
        return self._current_index().rule.warnings

    def head(self) -> Head:
        """Return the head of a recognizer file: all people who have a photo."""
        return self._current_index().head(self.contract)

    # Display

    def to_dict(self) -> dict[str, Any]:
        """Return counts, settings, policy and warnings as JSON values."""
        people = self.people()
        return {
            "people": len(people),
            "photos": sum(person.photos for person in people),
            "encrypted": self.encrypted,
            "thumbnails": self.keeps_thumbnails,
            "wiped": self.wiped,
            "embedder": self.origin.embedder,
            "contract": self.contract,
            "policy": asdict(self.policy),
            "warnings": [notice.text for notice in self.warnings],
            "warning_codes": [notice.code for notice in self.warnings],
        }

    def __repr__(self) -> str:
        people = count(len(self._named), "person", "people")
        threshold = self._index.rule.policy.threshold
        unknown = "always unknown" if threshold > 1 else f"unknown below {threshold:.3f}"
        return f"<Gallery {str(self.path)!r}, {people}, {unknown}>"
