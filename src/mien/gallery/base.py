"""Locking and in-memory index of a gallery: one writer at a time, an index that never changes."""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from mien.errors import (
    ContractMismatch,
    GalleryBusy,
    GalleryLocked,
    MienError,
    NotAGallery,
    UnknownPerson,
)
from mien.gallery.decision_rule import derive_rule
from mien.gallery.index import Index, compare_session
from mien.gallery.person_matrix import PersonMatrix
from mien.gallery.storage.cipher import Cipher, key_missing, key_unused
from mien.gallery.storage.database import Database, damaged, translated, watcher
from mien.gallery.storage.rows import GalleryStore
from mien.gallery.storage.wiping import BackgroundWiper
from mien.gallery.values import Origin
from mien.policy import EnrolmentLimits

_LOCK = "gallery lock"
_RELOAD_FROM = 20
"""From this many changed people on, the whole index is made again: that takes no longer."""


class GalleryBase:
    """An open gallery: its store on disk, and the index in memory that follows it.

    Args:
        path: the folder.
        key: 32 bytes, for an encrypted gallery.

    Raises:
        GalleryNotFound: there is no gallery.
        NotAGallery: Mien did not make it, it is damaged, or a newer version made it.
        GalleryLocked: it is encrypted, and the key is missing or wrong; or it is not encrypted, and
            a key is given.
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
                cipher = cipher_of(database, key)
            self._database = database
            dimension, contract = self.origin.dimension, self.origin.contract
            self._store = GalleryStore(database, cipher, dimension, contract)
            self._lock = threading.RLock()
            self._watch_lock = threading.Lock()
            self._session = compare_session(dimension)
            self._stale = False
            self._watcher = watcher(self.path)
            self._seen_version = self._data_version()
            self._reload()
        except BaseException:
            database.close()
            raise
        self._wiper = BackgroundWiper(self._finish_wiping)
        if not self.wiped:
            self._wiper.start()

    def close(self) -> None:
        """Close the files."""
        self._wiper.close()
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
        return self._store.cipher.encrypts

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
        """Hold the lock and yield the store: no other thread uses it meanwhile."""
        with self._lock:
            yield self._store

    def _current_index(self) -> Index:
        """Return the index, after reading changes that another process has made."""
        with self._watch_lock:
            version = self._data_version()
            if version != self._seen_version:
                self._seen_version, self._stale = version, True
        # A thread that holds the lock is changing the gallery, and will set the new index.
        if self._stale and self._lock.acquire(blocking=False):
            try:
                self._refresh()
            finally:
                self._lock.release()
        return self._index

    def _data_version(self) -> int:
        with translated(self.path):
            return int(self._watcher.execute("PRAGMA data_version").fetchone()[0])

    def _refresh(self) -> None:
        self._stale = False
        with translated(self.path):
            generation = self._database.generation
        if generation != self._index.generation:
            self._reload()

    def _reload(self) -> None:
        with self._database.reading():
            self.rate = _read_meta(self._database)[1]
            generation = self._database.generation
            self._named = self._store.names()
            people = PersonMatrix.from_store(self._store, self.origin.dimension)
            if not self._named.keys() >= set(people.numbers.tolist()):
                raise damaged(self.path, "it has photos of a person who is not in it")
            self._set_index(generation, people)

    def _set_index(self, generation: int, people: PersonMatrix) -> None:
        rule = derive_rule(people, self.rate, self.origin.statistics)
        negatives = self._store.negatives()
        self._index = Index.of(generation, people, self._named, negatives, rule)

    @contextmanager
    def _changing(self, *, more: bool = False) -> Iterator[set[int]]:
        """Hold the lock and a write transaction; yields a set for the numbers of changed people.

        When the block ends, the changes are committed to disk, and then applied to the index.

        Args:
            more: another change follows at once, so that the index is updated later.
        """
        changed: set[int] = set()
        with self._lock:
            with self._database.writing():
                self._check_key()
                if not self._stale:
                    self._refresh()
                yield changed
                generation = self._database.raise_generation() if changed else 0
            if changed and more:
                self._stale = True
            elif changed:
                self._update_index(generation, changed)

    def _check_key(self) -> None:
        """Raise GalleryLocked where another process has changed the key since it was opened."""
        if self._database.meta("lock") != self._lock_text:
            raise GalleryLocked(
                f"{self.path}: its key was changed", hint="Open it again with the new key."
            )

    def _check_none_forgotten(self, since: int | None) -> None:
        """Raise UnknownPerson where a person was forgotten after a face was seen.

        Args:
            since: what `last_forgotten` returned then; None not to check.
        """
        if since is not None and self._store.last_event("forgotten") != since:
            raise UnknownPerson(
                "someone was forgotten after the face was seen, and it may be theirs",
                hint="Identify the photo again.",
            )

    def set_rate(self, rate: float) -> None:
        """Set the share of strangers who may be given any name (FPIR).

        Args:
            rate: in (0, 1).

        Raises:
            ValueError: the rate is outside of it.
        """
        rate = valid_rate(rate)
        with self._lock:
            with self._database.writing():
                self._database.set_meta("rate", repr(rate))
                self._store.add_event("rate changed", "", "", f"{rate:g}")
                self._database.raise_generation()
            self._reload()

    @property
    def wiped(self) -> bool:
        """Whether all data that was deleted is wiped from the files.

        False while another process still reads an older state: it is wiped when that process has
        ended, in the background or when the gallery is next opened.
        """
        with self._lock, translated(self.path):
            return not self._database.must_be_scrubbed

    def scrub(self) -> None:
        """Wipe every byte of deleted data from the files.

        Raises:
            GalleryBusy: another process is still reading; wiped when it has ended.
        """
        with self._lock:
            self._database.scrub()

    def wipe(self) -> bool:
        """Wipe every byte of deleted data from the files, in the background if others read them.

        Returns:
            Whether it is done; see `wiped`.
        """
        try:
            self.scrub()
        except GalleryBusy:
            self._wiper.start()
            return False
        return True

    def _finish_wiping(self) -> bool:
        """Try to wipe what is left; return whether there is nothing more to try."""
        try:
            with self._lock:
                self._database.finish_scrub()
        except GalleryBusy:
            return False
        except (MienError, ValueError):  # the disk is full, it is damaged, or was closed
            return True
        return True

    def rotate_key(self, new: bytes | None) -> bool:
        """Encrypt templates and thumbnails with another key, in one transaction.

        Data encrypted with the old key is wiped from the files. Other processes that have the
        gallery open must open it again.

        Args:
            new: 32 bytes; None to leave the gallery readable without a key.

        Returns:
            Whether the old data is wiped from the files; see `wiped`.

        Raises:
            GalleryLocked: the key does not have 32 bytes, or another process has changed the key.
        """
        cipher = Cipher(new)
        text = lock_text(cipher)
        with self._lock:
            with self._database.writing():
                self._check_key()
                self._store.reencrypt(cipher)
                self._database.set_meta("lock", text)
                state = "encrypted" if new else "not encrypted"
                self._store.add_event("key changed", "", "", state)
                self._database.must_scrub()
            self._store.cipher, self._lock_text = cipher, text
            return self.wipe()

    def _update_index(self, generation: int, changed: set[int]) -> None:
        if len(changed) >= _RELOAD_FROM:
            self._reload()
            return
        people, named = self._index.people, dict(self._named)
        for number in changed:
            found = self._store.person("number", number)
            named.pop(number, None)
            if found:
                named[number] = (found[1].id, found[1].name)
            people = people.with_person(number, self._store.templates(number))
        self._named = named
        self._set_index(generation, people)


def _read_meta(database: Database) -> tuple[Origin, float]:
    try:
        return Origin.parse(database.meta("origin")), valid_rate(float(database.meta("rate")))
    except (ValueError, TypeError, KeyError) as error:
        raise NotAGallery(
            f"{database.folder}: the metadata of the gallery is damaged: {error}",
            hint="Go back to an export if you have one.",
        ) from error


def valid_rate(rate: float) -> float:
    """Return a rate in (0, 1); raises ValueError where it is not."""
    if not 0 < rate < 1:
        raise ValueError(f"a rate lies between 0 and 1, got {rate}")
    return float(rate)  # the text of a NumPy number cannot be read back


def lock_text(cipher: Cipher) -> str:
    """Return a known text encrypted, by which a key is checked; empty without a key."""
    return base64.b64encode(cipher.encrypt(b"mien", _LOCK)).decode() if cipher.encrypts else ""


def cipher_of(database: Database, key: bytes | None) -> Cipher:
    """Return the cipher of a gallery.

    Raises:
        GalleryLocked: it is encrypted, and the key is missing or wrong; or it is not encrypted, and
            a key is given.
    """
    lock = database.meta("lock")
    if not lock:
        if key is not None:
            # Who gives a key expects that what is written is encrypted.
            raise key_unused(database.folder)
        return Cipher()
    if key is None:
        raise key_missing(str(database.folder))
    cipher = Cipher(key)
    try:
        cipher.decrypt(base64.b64decode(lock, validate=True), _LOCK)
    except binascii.Error as error:
        raise NotAGallery(f"{database.folder}: its lock is damaged") from error
    return cipher
