"""What keeps a gallery alive: one writer at a time, an index that never changes under a reader."""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from mien.errors import ContractMismatch, GalleryLocked, NotAGallery
from mien.gallery.decision_rule import derive
from mien.gallery.index import Index, compare_session
from mien.gallery.person_matrix import PersonMatrix
from mien.gallery.storage.cipher import Cipher, locked
from mien.gallery.storage.database import Database, damaged, translated, watcher
from mien.gallery.storage.rows import GalleryStore
from mien.gallery.values import Origin
from mien.policy import EnrolmentLimits

_LOCK = "gallery lock"
_MANY = 20
"""From so many changed people on, everything is read anew: it takes no longer."""


class GalleryBase:
    """A gallery's store and index, kept in step.

    Args:
        path: the folder.
        key: 32 bytes, for an encrypted gallery.

    Raises:
        GalleryNotFound: there is no gallery.
        NotAGallery: it is not one of Mien's, is damaged, or a newer version made it.
        GalleryLocked: it is encrypted, and the key is missing or another.
    """

    def __init__(self, path: Path | str, *, key: bytes | None = None) -> None:
        self.path = Path(path)
        database = Database(self.path)
        try:
            with translated(self.path):
                origin, self.rate = _read_meta(database)
                self.origin = origin.completed()
                self.limits = EnrolmentLimits.of(self.origin.statistics)
                self._lock_text = database.meta("lock")
                self.keeps_thumbnails = database.meta("thumbnails") == "1"
                seal = cipher_of(database, key)
            self._database = database
            self._store = GalleryStore(database, seal, self.origin.dimension, self.origin.contract)
            self._lock = threading.RLock()
            self._watch_lock = threading.Lock()
            self._session = compare_session(self.origin.dimension)
            self._stale = False
            self._watcher = watcher(self.path)
            self._seen = self._look_at_version()
            self._read_all()
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Let go of the files."""
        with self._lock, self._watch_lock:
            self._watcher.close()
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def encrypted(self) -> bool:
        """Whether templates and thumbnails are encrypted."""
        return self._store.seal.encrypts

    @property
    def contract(self) -> str:
        """Id of its embeddings."""
        return self.origin.contract

    def check_contract(self, contract: str) -> None:
        """Raise ContractMismatch unless `contract` is this gallery's."""
        if contract != self.contract:
            raise ContractMismatch(
                f"{self.path} has embeddings of contract {self.contract}, not {contract}",
                hint=f"Use the embedder it was made with, {self.origin.embedder}.",
            )

    @contextmanager
    def exclusively(self) -> Iterator[GalleryStore]:
        """Yield the store while no other thread may use it: for export and check."""
        with self._lock:
            yield self._store

    def _current(self) -> Index:
        """Return the index as it stands; what another process wrote is taken in first."""
        with self._watch_lock:
            version = self._look_at_version()
            if version != self._seen:
                self._seen, self._stale = version, True
        # Whoever holds the lock is changing the gallery, and puts the new index in place.
        if self._stale and self._lock.acquire(blocking=False):
            try:
                self._catch_up()
            finally:
                self._lock.release()
        return self._index

    def _look_at_version(self) -> int:
        with translated(self.path):
            return int(self._watcher.execute("PRAGMA data_version").fetchone()[0])

    def _catch_up(self) -> None:
        self._stale = False
        with translated(self.path):
            generation = self._database.generation
        if generation != self._index.generation:
            self._read_all()

    def _read_all(self) -> None:
        with self._database.reading():
            self.rate = _read_meta(self._database)[1]
            generation = self._database.generation
            self._named = self._store.names()
            people = PersonMatrix.of(self._store, self.origin.dimension)
            if not self._named.keys() >= set(people.numbers.tolist()):
                raise damaged(self.path, "it has photos of somebody who is not in it")
            self._put(generation, people)

    def _put(self, generation: int, people: PersonMatrix) -> None:
        rule = derive(people, self.rate, self.origin.statistics)
        negatives = self._store.negatives()
        self._index = Index.of(generation, people, self._named, negatives, rule)

    @contextmanager
    def _changing(self, *, more: bool = False) -> Iterator[set[int]]:
        """Hold the one transaction that may change people; yields the set to put their numbers in.

        When the block ends what was written is on the disk, and then in the index.

        Args:
            more: another change follows at once: the index can wait for it.
        """
        changed: set[int] = set()
        with self._lock:
            with self._database.writing():
                self._check_key()
                if not self._stale:
                    self._catch_up()
                yield changed
                generation = self._database.raise_generation() if changed else 0
            if changed and more:
                self._stale = True
            elif changed:
                self._take_in(generation, changed)

    def _check_key(self) -> None:
        """Raise GalleryLocked where another process has changed the key meanwhile."""
        if self._database.meta("lock") != self._lock_text:
            raise GalleryLocked(
                f"{self.path}: its key was changed", hint="Open it again with the new key."
            )

    def set_rate(self, rate: float) -> None:
        """Set the share of strangers who may be given any name, in (0, 1); ValueError otherwise."""
        valid_rate(rate)
        with self._lock:
            with self._database.writing():
                self._database.set_meta("rate", repr(rate))
                self._store.note("rate changed", "", "", f"{rate:g}")
                self._database.raise_generation()
            self._read_all()

    def scrub(self) -> None:
        """Leave no byte of what was deleted in the files.

        Raises:
            GalleryBusy: another process reads on; done when the gallery is next opened.
        """
        with self._lock:
            self._database.scrub()

    def rotate_key(self, new: bytes | None) -> None:
        """Cipher templates and thumbnails with another key, or with none; all or nothing.

        What the old key sealed is wiped from the files. Other processes that have the gallery
        open must open it again.

        Raises:
            GalleryLocked: the key has not 32 bytes, or the old one does not fit.
            GalleryBusy: done, but another process still reads what was there.
        """
        seal = Cipher(new)
        text = lock_text(seal)
        with self._lock:
            with self._database.writing():
                self._check_key()
                self._store.reseal(seal)
                self._database.set_meta("lock", text)
                self._store.note("key changed", "", "", "encrypted" if new else "not encrypted")
                self._database.must_scrub()
            self._store.seal, self._lock_text = seal, text
            self.scrub()

    def _take_in(self, generation: int, changed: set[int]) -> None:
        if len(changed) >= _MANY:
            self._read_all()
            return
        people, named = self._index.people, dict(self._named)
        for number in changed:
            found = self._store.person("number", number)
            named.pop(number, None)
            if found:
                named[number] = (found[1].id, found[1].name)
            people = people.with_person(number, self._store.templates(number))
        self._named = named
        self._put(generation, people)


def _read_meta(database: Database) -> tuple[Origin, float]:
    try:
        return Origin.parse(database.meta("origin")), valid_rate(float(database.meta("rate")))
    except (ValueError, TypeError, KeyError) as error:
        raise NotAGallery(
            f"{database.folder}: what the gallery says of itself is damaged: {error}",
            hint="Go back to an export if you have one.",
        ) from error


def valid_rate(rate: float) -> float:
    """Return a share between 0 and 1; raises ValueError where it is not."""
    if not 0 < rate < 1:
        raise ValueError(f"a rate lies between 0 and 1, got {rate}")
    return rate


def lock_text(seal: Cipher) -> str:
    """Return what tells the right key from a wrong one; empty where nothing is encrypted."""
    return base64.b64encode(seal.close(b"mien", _LOCK)).decode() if seal.encrypts else ""


def cipher_of(database: Database, key: bytes | None) -> Cipher:
    """Return the seal of a gallery.

    Raises:
        GalleryLocked: it is encrypted, and the key is missing or another.
    """
    lock = database.meta("lock")
    if not lock:
        return Cipher()
    if key is None:
        raise locked(str(database.folder))
    seal = Cipher(key)
    try:
        seal.open(base64.b64decode(lock, validate=True), _LOCK)
    except binascii.Error as error:
        raise NotAGallery(f"{database.folder}: its lock is damaged") from error
    return seal
