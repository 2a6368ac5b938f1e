"""A living gallery: people enrolled, found, renamed, merged and forgotten while others look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mien.engine import Engine, FaceEngine
from mien.errors import (
    EnrolmentRefused,
    NoFace,
    UnknownPicture,
)
from mien.gallery.base import GalleryBase, lock_text, valid_rate
from mien.gallery.directory import LONGEST_NOTE, add, check_free, find, known, valid_name
from mien.gallery.enrolment import EnrolmentRequest, drop_negatives, judge, take, write
from mien.gallery.enrolment_checks import extract_sample
from mien.gallery.storage.cipher import Cipher
from mien.gallery.storage.database import make
from mien.gallery.values import (
    Enrolment,
    Event,
    FaceSample,
    ImportedPerson,
    Origin,
    Person,
    Picture,
)
from mien.matching import PhotoIdentifier
from mien.names import name_key
from mien.photo import PhotoSource, open_photo
from mien.types import Answer, Embeddings, Face, Head, Policy, Progress, silent

_AT_ONCE = 200
"""How many people one transaction takes in."""

_SAME_FACE = 0.999
"""Cosine from which two embeddings are of one crop, whatever the embedder."""


class Gallery(GalleryBase):
    """A gallery, open. Safe to use from many threads, and by several processes at once.

    Whoever identifies sees the gallery as it was at one moment; changes are made one at a time,
    and are on the disk when the call returns. `close` it, or use it in a `with` statement.

    Wherever a person is asked for, the id does and so does the name; UnknownPerson is raised where
    nobody has it. `key` in a method is the name of the API key that does it, for the audit trail.
    """

    @classmethod
    def create(
        cls,
        path: Path | str,
        origin: Origin | Engine,
        *,
        rate: float = 0.01,
        thumbnails: bool = False,
        key: bytes | None = None,
    ) -> Self:
        """Make a gallery without people and open it.

        Args:
            path: a folder, made where there is none.
            origin: the engine that will make its embeddings, or how they will be made.
            rate: share of strangers who may be given any name (FPIR), in (0, 1).
            thumbnails: whether the aligned crop of each enrolled photo is kept, to be shown.
            key: 32 bytes to encrypt templates and thumbnails with; None to leave them readable.

        Raises:
            GalleryExists: there is one.
            OutputError: it cannot be written.
        """
        engine = origin if isinstance(origin, Engine) else None
        origin = Origin.of(origin) if isinstance(origin, Engine) else origin
        meta = {
            "origin": origin.text(),
            "rate": repr(valid_rate(rate)),
            "thumbnails": str(int(thumbnails)),
            "lock": lock_text(Cipher(key)),
            "generation": "0",
            "scrub": "0",
        }
        make(Path(path), meta)
        made = cls(path, key=key)
        if engine is not None:
            made.engine = engine
        return made

    @classmethod
    def open(cls, path: Path | str, *, key: bytes | None = None) -> Self:
        """Open a gallery; see `GalleryBase`."""
        return cls(path, key=key)

    # Who is there

    def people(self) -> tuple[Person, ...]:
        """Return everybody, in the order of their names."""
        with self._lock:
            found = [person for _, person in self._store.people()]
        return tuple(sorted(found, key=lambda person: name_key(person.name)))

    def person(self, person: str) -> Person:
        """Return somebody."""
        with self._lock:
            return known(self._store, person)[1]

    def find(self, name: str) -> Person | None:
        """Return somebody by name, however it is spelled, or None."""
        with self._lock:
            found = self._store.person("spelling", name_key(name))
        return found[1] if found else None

    def pictures(self, person: str) -> tuple[Picture, ...]:
        """Return what is known of somebody's enrolled photos, in the order they came."""
        with self._lock:
            return tuple(self._store.pictures(known(self._store, person)[0]))

    def thumbnail(self, picture: str) -> bytes:
        """Return the JPEG of an enrolled photo's crop, 112 x 112; empty where none is kept."""
        with self._lock:
            return self._store.thumbnail(picture)

    def prototype(self, person: str) -> NDArray[np.float32] | None:
        """Return what somebody's photos have in common, (D,) of length 1; None without photos."""
        with self._lock:
            number, _ = known(self._store, person)
            people = self._current().people
            row = people.index(number)
        return None if row is None else people.prototypes[row]

    def audit_trail(self, person: str = "", *, limit: int = 1000) -> tuple[Event, ...]:
        """Return who did what, latest first; about one person where an id is given."""
        with self._lock:
            return tuple(self._store.events(person, limit))

    # Who is this

    def identify(self, embeddings: Embeddings) -> tuple[Answer, ...]:
        """Return who the faces of one photo are: nobody is twice in one.

        Raises:
            ContractMismatch: the embeddings were made in another way than the gallery's.
        """
        self.check_contract(embeddings.contract)
        return self._current().identify(self._session, np.ascontiguousarray(embeddings.vectors))

    def identify_photo(self, photo: PhotoSource) -> list[Face]:
        """Return the faces of a photo, best detection first, each named or unknown.

        Args:
            photo: in any form that `Recognizer.identify` takes.

        Raises:
            PhotoError: it cannot be read.
        """
        return PhotoIdentifier(self.engine, self).identify(photo)

    @cached_property
    def engine(self) -> FaceEngine:
        """The engine over the models that the gallery's embeddings are made with.

        Raises:
            ModelError: the models cannot be had.
            ContractMismatch: the model of that name makes other embeddings now.
        """
        return self.origin.open_engine()

    @property
    def policy(self) -> Policy:
        """When a name is given; derived anew whenever people or photos come or go."""
        return self._current().rule.policy

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know of the policy; empty where all is well."""
        return self._current().rule.warnings

    def head(self) -> Head:
        """Return it as what a recognizer file is made of: everybody who has a photo."""
        return self._current().head(self.contract)

    # Changes

    def add_person(
        self, name: str, *, consent: str = "", source: str = "", key: str = ""
    ) -> Person:
        """Add somebody who has no photo yet.

        Args:
            name: any text; made one line.
            consent: a note on what the person has agreed to.
            source: where the person comes from.
            key: for the audit trail.

        Raises:
            NameTaken: somebody has the name.
            InvalidName: it is empty or too long.
        """
        with self._changing() as changed:
            number, person = add(self._store, name, consent, source, key)
            changed.add(number)
        return person

    def enrol(
        self,
        person: str,
        sighting: FaceSample,
        *,
        force: bool = False,
        consent: str = "",
        key: str = "",
    ) -> Enrolment:
        """Enrol what was seen of a person in one photo.

        Args:
            person: somebody new, of that name, where nobody has it.
            sighting: what `look` returned.
            force: take it in spite of what speaks against it.
            consent: a note for somebody new.
            key: for the audit trail.

        Returns:
            That it was taken, or why not, with the evidence. Nobody is added for a photo that is
            not taken, and the same photo is not taken twice.

        Raises:
            InvalidName: nobody has the name, and nobody can.
            ContractMismatch: the sighting was made in another way than the gallery's.
        """
        self.check_contract(sighting.contract)
        with self._changing() as changed:
            owner = find(self._store, person)
            if owner is None:
                valid_name(person)
            wish = EnrolmentRequest(sighting, owner, force, key)
            judged = judge(wish, self._index, self._session, self._store, self.limits.unlike_own)
            if isinstance(judged, Enrolment):
                return judged
            number, enrolment = write(
                wish,
                judged,
                self._store,
                lambda: add(self._store, person, consent, "photos", key),
                thumbnails=self.keeps_thumbnails,
            )
            changed.add(number)
        return enrolment

    def enrol_photo(
        self,
        person: str,
        photo: PhotoSource,
        *,
        engine: FaceEngine | None = None,
        force: bool = False,
        consent: str = "",
        key: str = "",
    ) -> Enrolment:
        """Find the person's face in a photo and enrol it; see `extract_sample` and `enrol`.

        Args:
            person: id or name; a new person of that name where nobody has it.
            photo: in any form that `Recognizer.identify` takes.
            engine: over the models that the gallery's embeddings are made with; opened where None.
            force: enrol even if checks fail.
            consent: a note for a new person.
            key: name of the API key, for the audit trail.
        """
        engine = engine or self.engine
        self.check_contract(engine.contract)
        with self._lock:
            owner = find(self._store, person)
            near = self.prototype(owner[1].id) if owner else None
        opened = open_photo(photo, long_side=engine.max_long_side)
        try:
            sample = extract_sample(engine, opened, near=near, force=force)
        except NoFace as error:
            return Enrolment(False, "", "", "no-face", str(error))
        except EnrolmentRefused as error:
            return Enrolment(False, "", "", "several-faces", str(error), error.evidence)
        return self.enrol(person, sample, force=force, consent=consent, key=key)

    def take(
        self,
        newcomers: Iterable[ImportedPerson],
        *,
        key: str = "",
        together: bool = False,
        progress: Progress = silent,
    ) -> tuple[int, int]:
        """Take in people with all their photos: from a dataset or another gallery, unguarded.

        Args:
            newcomers: one after the other; a photo that its person has already is passed over.
            key: for the audit trail.
            together: all in one transaction; else some people at a time.
            progress: told after each person.

        Returns:
            How many people, and how many photos that were not there yet.
        """
        waiting = iter(newcomers)
        people = photos = 0
        while part := list(islice(waiting, None if together else _AT_ONCE)):
            with self._changing(more=True) as changed:
                for newcomer in part:
                    for sighting in newcomer.sightings:
                        self.check_contract(sighting.contract)
                    number, taken = take(
                        self._store, newcomer, key, thumbnails=self.keeps_thumbnails
                    )
                    changed.add(number)
                    people, photos = people + 1, photos + taken
                    progress(people, None, "people")
        self._current()
        return people, photos

    def rename(self, person: str, name: str, *, key: str = "") -> Person:
        """Give somebody another name; raises NameTaken or InvalidName."""
        shown = valid_name(name)
        with self._changing() as changed:
            number, before = known(self._store, person)
            check_free(self._store, shown, number)
            self._store.rename(number, shown, name_key(shown))
            self._store.touch(number)
            self._store.note("renamed", before.id, key, "")
            changed.add(number)
        return self.person(before.id)

    def note_consent(self, person: str, consent: str, *, key: str = "") -> Person:
        """Note what somebody has agreed to, in place of what was noted before."""
        with self._changing():
            number, before = known(self._store, person)
            self._store.set_consent(number, consent[:LONGEST_NOTE])
            self._store.touch(number)
            self._store.note("consent noted", before.id, key, "")
        return self.person(before.id)

    def merge(self, person: str, other: str, *, key: str = "") -> Person:
        """Make two people one: `other`'s photos become `person`'s, and `other` is gone.

        Rejected faces that say that the one is not the other are dropped.
        """
        with self._changing() as changed:
            (number, kept), (second, gone) = known(self._store, person), known(self._store, other)
            if number == second:
                return kept
            least = self.limits.unlike_own
            drop_negatives(self._store, self._store.templates(second), of=number, least=least)
            drop_negatives(self._store, self._store.templates(number), of=second, least=least)
            self._store.give_photos(second, number)
            self._store.give_negatives(second, number)
            if gone.consent and not kept.consent:
                self._store.set_consent(number, gone.consent)
            self._store.delete_person(second)
            self._store.touch(number)
            self._store.note("merged", kept.id, key, f"with {gone.id}")
            changed.update((number, second))
        return self.person(kept.id)

    def reject(
        self,
        person: str,
        embedding: NDArray[np.float32],
        *,
        shows: str = "",
        key: str = "",
    ) -> None:
        """Note "this is not X": the face, and faces more like it than like X, are not X.

        Args:
            person: X.
            embedding: (D,) float32 of length 1, of the face.
            shows: whose face it is, where that is known: forgotten with that person.
            key: for the audit trail.
        """
        with self._changing() as changed:
            number, found = known(self._store, person)
            negatives = self._store.negatives()
            own = negatives.vectors[negatives.numbers == number]
            if not np.any(own @ embedding >= _SAME_FACE):
                whose = known(self._store, shows)[0] if shows else None
                self._store.add_negative(number, embedding, whose)
                self._store.note("rejected", found.id, key, "")
                changed.add(number)

    def forget(self, person: str, *, key: str = "") -> None:
        """Forget somebody: photos, thumbnails, name and rejected faces, down to the last byte.

        Rejected faces of others that show this person are forgotten too. The audit trail keeps
        that somebody of this id was here.

        Raises:
            GalleryBusy: deleted, but another process still reads what was there; its bytes are
                wiped when the gallery is next opened.
        """
        with self._changing() as changed:
            number, found = known(self._store, person)
            shown = self._store.templates(number)
            drop_negatives(self._store, shown, but=number, least=self.limits.unlike_own)
            self._store.delete_person(number)
            self._store.note("forgotten", found.id, key, "")
            self._database.must_scrub()
            changed.add(number)
        self.scrub()

    def forget_picture(self, picture: str, *, key: str = "") -> None:
        """Forget one enrolled photo, down to the last byte; its person stays.

        Raises:
            UnknownPicture: no photo has this id.
            GalleryBusy: as for `forget`.
        """
        with self._changing() as changed:
            number = self._store.owner(picture)
            found = None if number is None else self._store.person("number", number)
            if number is None or found is None:
                raise UnknownPicture(f"no enrolled photo has the id {picture}")
            seen = self._store.template(picture)
            least = self.limits.same_photo or _SAME_FACE
            drop_negatives(self._store, seen, but=number, least=least)
            self._store.delete_photo(picture)
            self._store.touch(number)
            self._store.note("photo forgotten", found[1].id, key, f"photo {picture}")
            self._database.must_scrub()
            changed.add(number)
        self.scrub()

    def audit(self, action: str, people: Sequence[str] = ("",), *, key: str = "") -> None:
        """Write a line of the audit trail for each of some people's ids."""
        with self._lock, self._database.writing():
            for person in people:
                self._store.note(action, person, key, "")
