"""A gallery: people who are enrolled, renamed, merged and forgotten while it is in use."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Self

from mien.engine import Engine, FaceEngine
from mien.errors import EnrolmentRefused, NoFace
from mien.gallery.base import valid_rate
from mien.gallery.editor import GalleryEditor
from mien.gallery.enrolment import (
    EnrolmentRequest,
    check_request,
    write_enrolment,
    write_imported,
)
from mien.gallery.enrolment_checks import extract_sample
from mien.gallery.people import (
    add_person,
    find_person,
    require_person,
    valid_name,
)
from mien.gallery.storage.database import create_database
from mien.gallery.values import Enrolment, FaceSample, ImportedPerson, Origin
from mien.photo import PhotoSource, open_photo
from mien.types import Progress, silent

_BATCH = 200
"""How many people are imported in one transaction."""


class Gallery(GalleryEditor):
    """An open gallery. Safe to use from many threads, and by several processes at once.

    Identification uses the gallery as it is at one moment. Changes are made one at a time, and are
    on the disk when the call returns. `close` it, or use it in a `with` statement::

        with Gallery.create("office", Engine.open()) as gallery:
            gallery.enrol_photo("Ada Lovelace", "ada.jpg")
            for face in gallery.identify_photo("party.jpg"):
                print(face.name, face.probability)

    A method that takes a person takes the id or the name, in any spelling, and raises
    UnknownPerson where no person has it. `key` is the name of the API key that makes a change, for
    the audit trail.
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
            origin: the engine that will make its embeddings, or the `Origin` of one.
            rate: share of strangers who may be given any name (FPIR), in (0, 1).
            thumbnails: whether the aligned crop of each enrolled photo is kept for display.
            key: 32 bytes to encrypt templates, thumbnails, names and notes with; None for no
                encryption.

        Raises:
            GalleryExists: there is one already.
            OutputError: it cannot be written.
            ValueError: the rate is not in (0, 1).
        """
        engine = origin if isinstance(origin, Engine) else None
        origin = Origin.of(origin) if isinstance(origin, Engine) else origin
        if not isinstance(origin, Origin):
            raise TypeError(f"an Engine or an Origin is wanted, not {origin!r:.80}")
        meta = {
            "origin": origin.text(),
            "rate": repr(valid_rate(rate)),
            "thumbnails": str(int(thumbnails)),
        }
        create_database(Path(path), meta, key)
        gallery = cls(path, key=key)
        if engine is not None:
            gallery.engine = engine
        return gallery

    @classmethod
    def open(cls, path: Path | str, *, key: bytes | None = None) -> Self:
        """Open a gallery.

        Args:
            path: its folder.
            key: 32 bytes, for an encrypted gallery.

        Raises:
            GalleryNotFound: there is no gallery.
            NotAGallery: Mien did not make it, it is damaged, or a newer version made it.
            GalleryLocked: it is encrypted, and the key is missing or wrong; or it is not
                encrypted, and a key is given.
        """
        return cls(path, key=key)

    def enrol(
        self,
        person: str,
        sample: FaceSample,
        *,
        force: bool = False,
        consent: str = "",
        key: str = "",
        seen_at: int | None = None,
        must_exist: bool = False,
    ) -> Enrolment:
        """Enrol a face sample of a person, unless a check fails.

        Args:
            person: id or name; a new person of that name where no person has it.
            sample: what `extract_sample` returns.
            force: enrol even if checks fail.
            consent: a note on what the person has agreed to, for a new person.
            key: for the audit trail.
            seen_at: what `last_forgotten` returned when the face was seen, if that is a while ago.
            must_exist: add no new person.

        Returns:
            Whether it was enrolled, or else the reason and the evidence. A new person is added only
            with the photo, and the same photo is not enrolled twice.

        Raises:
            InvalidName: a new person's name is empty or too long.
            UnknownPerson: a person was forgotten since `seen_at`, and it may be that person's face;
                or no person has the id or name, and `must_exist` is set.
            ContractMismatch: the sample was made in another way than the gallery's.
        """
        self.check_contract(sample.contract)
        with self._changing() as changed:
            self._check_none_forgotten(seen_at)
            found = (require_person if must_exist else find_person)(self._store, person)
            if found is None:
                valid_name(person)
            request = EnrolmentRequest(sample, found, force, key)
            checked = check_request(
                request, self._index, self._session, self._store, self.limits.unlike_own
            )
            if isinstance(checked, Enrolment):
                return checked
            number, enrolment = write_enrolment(
                request,
                checked,
                self._store,
                lambda: add_person(self._store, person, consent, "photos", key),
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
        must_exist: bool = False,
    ) -> Enrolment:
        """Find the person's face in a photo and enrol it; see `extract_sample` and `enrol`.

        Args:
            person: id or name; a new person of that name where no person has it.
            photo: in any form that `Recognizer.identify` takes.
            engine: makes the gallery's embeddings; `Gallery.engine` where None.
            force: enrol even if checks fail.
            consent: a note on what the person has agreed to, for a new person.
            key: for the audit trail.
            must_exist: add no new person.

        Returns:
            Whether it was enrolled, or else the reason and the evidence.

        Raises:
            PhotoError: the photo cannot be read.
            UnknownPerson: no person has the id or name, and `must_exist` is set.
            InvalidName: a new person's name is empty or too long.
            ContractMismatch: the engine makes other embeddings than the gallery's.
        """
        engine = engine or self.engine
        self.check_contract(engine.contract)
        with self._lock:
            found = find_person(self._store, person)
            near = self.prototype(found[1].id) if found else None
        opened = open_photo(photo, long_side=engine.max_long_side)
        try:
            sample = extract_sample(engine, opened, near=near, force=force)
        except NoFace as error:
            return Enrolment(False, "", "", "no-face", str(error))
        except EnrolmentRefused as error:
            return Enrolment(False, "", "", "several-faces", str(error), error.evidence)
        return self.enrol(
            person, sample, force=force, consent=consent, key=key, must_exist=must_exist
        )

    def import_people(
        self,
        people: Iterable[ImportedPerson],
        *,
        key: str = "",
        together: bool = False,
        progress: Progress = silent,
    ) -> tuple[int, int]:
        """Add people with all their photos, from a dataset or another gallery, without checks.

        Args:
            people: in turn; a photo that its person has already is left out.
            key: for the audit trail.
            together: all in one transaction; else in batches.
            progress: called after each person.

        Returns:
            The number of people, and the number of photos that were not in the gallery yet.

        Raises:
            ContractMismatch: the samples were made in another way than the gallery's.
        """
        waiting = iter(people)
        people_done = photos_added = 0
        while batch := list(islice(waiting, None if together else _BATCH)):
            with self._changing(more=True) as changed:
                for imported in batch:
                    for sample in imported.samples:
                        self.check_contract(sample.contract)
                    number, added = write_imported(
                        self._store, imported, key, thumbnails=self.keeps_thumbnails
                    )
                    changed.add(number)
                    people_done, photos_added = people_done + 1, photos_added + added
                    progress(people_done, None, "people")
        self._current_index()
        return people_done, photos_added
