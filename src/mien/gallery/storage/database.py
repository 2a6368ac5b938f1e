"""The SQLite file of a gallery: opening, transactions, wiping deleted data.

The write-ahead log is synced at each commit: a committed change survives a killed process and a
power cut, and a change that is not committed is in the file whole or not at all.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from mien.errors import (
    GalleryBusy,
    GalleryExists,
    GalleryLocked,
    GalleryNotFound,
    NotAGallery,
    OutputError,
)
from mien.files import is_file, make_folder, path_exists
from mien.gallery.storage.connecting import (
    FILE,
    SYSTEM,
    connect,
    connected,
    damaged,
    publish_new,
    translated,
    unless_unwritable,
    unwritable,
)
from mien.gallery.storage.reseal import bring_up_to_date, store_digest, stored_digest
from mien.gallery.storage.row_digests import (
    ChangedRows,
    GalleryDigest,
    as_opened,
    digest_of,
    generation_of,
    settings_digest,
)
from mien.gallery.storage.schema import (
    APPLICATION,
    VERSION,
    application_of,
    migrate,
    schema_differences,
    version_of,
)
from mien.gallery.storage.sealing import Seal, new_gallery_id, seal_of
from mien.gallery.storage.wiping import CLEAN, PATIENCE, TO_CUT, TO_REWRITE, wipe

_OF_A_DATASET = "It is a dataset: train a recognizer on it, or import it into a gallery."

_PATIENCE = 10.0
"""Seconds to wait for another process that is writing."""


class Database:
    """An open connection to a gallery's database.

    Not safe to use from several threads at once: its owner holds a lock.

    Args:
        folder: of the gallery.
        key: 32 bytes, for an encrypted gallery.
        patience: seconds to wait for another process that is writing.

    Attributes:
        seal: encrypts and decrypts its rows.

    Raises:
        GalleryNotFound: there is no gallery.
        NotAGallery: Mien did not make it, it is damaged, or a newer version made it.
        GalleryLocked: it is encrypted, and the key is missing or wrong; or it is not encrypted, and
            a key is given.
    """

    def __init__(
        self, folder: Path, *, key: bytes | None = None, patience: float = _PATIENCE
    ) -> None:
        self.folder = folder
        self._in_memory = False
        path = folder / FILE
        if not is_gallery(folder):
            raise GalleryNotFound(
                f"{folder}: no gallery there",
                hint=_OF_A_DATASET if is_dataset(folder) else "Make one: Gallery.create.",
                code="path-is-a-dataset" if is_dataset(folder) else "gallery-missing",
                data={"folder": str(folder)},
            )
        with translated(folder):
            self.base = connect(path, patience)
            try:
                self._check_maker()
                self.seal = seal_of(self.base, folder, key)
                self._bring_up_to_date(key)
                self._lock = self.meta("lock")
                self._changed = ChangedRows(self.base)
                if self._in_memory:
                    self.base.execute("PRAGMA query_only = ON")
            except BaseException:
                self.base.close()
                raise

    def _check_maker(self) -> None:
        if application_of(self.base) != APPLICATION:
            raise NotAGallery(
                f"{self.folder / FILE} was not made by Mien",
                hint="Give a folder that `Gallery.create` made.",
                code="gallery-of-another-program",
            )
        if version_of(self.base) > VERSION:
            raise NotAGallery(
                f"{self.folder}: a newer version of Mien made this gallery",
                hint="Use that version, or export there and import here.",
            )

    def _bring_up_to_date(self, key: bytes | None) -> None:
        with unless_unwritable():
            self.base.execute("PRAGMA journal_mode = WAL")
        if version_of(self.base) < VERSION:
            try:
                bring_up_to_date(self.base, key, self.seal)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in SYSTEM:
                    raise
                self._read_in_memory()
                bring_up_to_date(self.base, key, self.seal)
            self.seal = seal_of(self.base, self.folder, key)  # another process may have been faster
        with suppress(OutputError, GalleryBusy):  # on a full disk, or while others read: later
            self.finish_scrub()

    def _read_in_memory(self) -> None:
        """Go on with a copy in memory: of a gallery of an older version that cannot be written."""
        copy = connected(Path(":memory:"), ":memory:", 0.0)
        try:
            self.base.backup(copy)
        except BaseException:
            copy.close()
            raise
        self.base.close()
        self.base, self._in_memory = copy, True

    def close(self) -> None:
        """Close the file, after moving the contents of the log into it."""
        with suppress(sqlite3.Error):
            self.base.execute("PRAGMA busy_timeout = 0")  # a reader that stays holds up no one
            self.base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.base.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold a write transaction: committed when the block ends, rolled back on an exception.

        The digest of all rows changes with them, in the same transaction.

        Raises:
            GalleryBusy: another process keeps writing for longer than `patience`.
            OutputError: the disk is full or may not be written.
            NotAGallery: another program has changed the gallery.
        """
        with self._transaction():
            before = self.stored_digest()
            self._changed.start(self.seal.digest_key)
            yield
            after = replace(
                self._changed.applied(before),
                generation=self.generation,
                settings=settings_digest(self.base),
            )
            if after != before:
                store_digest(self.base, after, self.seal)

    @contextmanager
    def resealing(self, seal: Seal) -> Iterator[None]:
        """Hold a write transaction in which every row is encrypted again, with another key.

        The rows are checked before: what another program changed is not taken over.

        Args:
            seal: of the gallery from then on.

        Raises:
            NotAGallery: another program has changed the gallery.
            GalleryBusy, OutputError: as for `writing`.
        """
        with self._transaction():
            stored = self.stored_digest()
            if digest_of(self.base, self.seal) != stored:
                raise damaged(self.folder, "its rows are not as they were stored")
            yield
            self.set_meta("lock", seal.lock())
            store_digest(self.base, digest_of(self.base, seal), seal)
            lock = self.meta("lock")
        self.seal, self._lock = seal, lock

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with translated(self.folder):
            self.base.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._commit()
            except BaseException:
                with suppress(sqlite3.Error):  # the first error says what is wrong
                    self.base.rollback()
                raise
            finally:
                self._changed.stop()

    def stored_digest(self) -> GalleryDigest:
        """Return the digest of the gallery's rows and settings that is stored.

        Raises:
            GalleryLocked: it was changed, or another process has changed the key.
            NotAGallery: it was changed, or the generation, a setting or the schema.
        """
        if self.meta("lock") != self._lock:
            raise GalleryLocked(
                f"{self.folder}: its key was changed", hint="Open it again with the new key."
            )
        try:
            stored = stored_digest(self.base, self.seal)
        except ValueError as error:
            raise damaged(self.folder, str(error)) from error
        here = replace(stored, generation=self.generation, settings=settings_digest(self.base))
        for difference in stored.differences(here):
            raise damaged(self.folder, difference)
        for difference in schema_differences(self.base) if self.seal.encrypts else ():
            raise damaged(self.folder, difference)
        return stored

    def check_as_opened(self) -> None:
        """Compare an encrypted gallery with its digest, as far as that takes no reading of rows.

        A gallery without a key is not compared: its owner may change the file with other programs.

        Raises:
            GalleryLocked, NotAGallery: another program has changed it.
        """
        if self.seal.encrypts:
            stored = self.stored_digest()
            for difference in stored.differences(as_opened(self.base, stored)):
                raise damaged(self.folder, difference)

    def faults(self) -> Iterator[str]:
        """Read every row and yield in words what is not as it was stored."""
        try:
            stored = stored_digest(self.base, self.seal)
        except (ValueError, GalleryLocked) as error:
            yield f"the digest of its rows: {error}"
            return
        yield from stored.differences(digest_of(self.base, self.seal))

    def _commit(self) -> None:
        if not self.base.in_transaction:  # SQLite has rolled it back, as on a full disk
            raise unwritable(self.folder, "the change could not be saved")
        self.base.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold a read transaction: a view of the file in which nothing changes."""
        with translated(self.folder):
            if self.base.in_transaction:
                yield
                return
            self.base.execute("BEGIN")
            try:
                yield
            finally:
                self.base.rollback()  # nothing to do where SQLite ended it, as on some errors

    @property
    def generation(self) -> int:
        """How often people, photos or rejected faces were changed."""
        return generation_of(self.base)

    def raise_generation(self) -> int:
        """Count a change and return the new generation; other processes reload when it rises."""
        generation = self.generation + 1
        self.set_meta("generation", str(generation))
        return generation

    def meta(self, key: str) -> str:
        """Return a value of the table `meta`; empty where the key is missing."""
        row = self.base.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else ""

    def set_meta(self, key: str, value: str) -> None:
        """Write a value of the table `meta`; inside a transaction."""
        # In place, so that a wiped file stays equal to a freshly made one.
        sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2"
        self.base.execute(sql, (key, value))

    def must_scrub(self) -> None:
        """Note, in the transaction that deletes, that traces are left until `scrub` has run."""
        self.set_meta("scrub", TO_REWRITE)

    @property
    def must_be_scrubbed(self) -> bool:
        """Whether traces of deleted data may be left in the files."""
        return self.meta("scrub") in {TO_REWRITE, TO_CUT}

    def scrub(self) -> None:
        """Wipe every byte of deleted data from the folder's files; see `wiping`.

        Raises:
            GalleryBusy: another process is still reading; `finish_scrub` goes on later.
        """
        with translated(self.folder):
            wipe(self.base, self._note_scrub, rewrite=True, patience=PATIENCE)

    def finish_scrub(self) -> None:
        """Wipe what is left to wipe, if anything is, without waiting for other processes.

        Raises:
            GalleryBusy: another process is still reading.
        """
        with translated(self.folder):
            state = self.meta("scrub")
            if state == TO_REWRITE:
                self.scrub()
            elif state == TO_CUT:
                wipe(self.base, self._note_scrub, rewrite=False, patience=0)

    def _note_scrub(self, state: str) -> None:
        self.set_meta("scrub", state)


def create_database(folder: Path, meta: Mapping[str, str], key: bytes | None = None) -> None:
    """Make the database of a new gallery; written whole or not at all.

    Args:
        folder: made where it does not exist.
        meta: its settings, the first contents of the table `meta`.
        key: 32 bytes to encrypt its rows with; None for no encryption.

    Raises:
        GalleryExists: there is one already, or another process makes it at the same time.
        OutputError: it cannot be written, or the folder holds other files.
        GalleryLocked: the key does not have 32 bytes.
    """
    seal = Seal(key, new_gallery_id())
    own = {"id": seal.gallery, "lock": seal.lock(), "generation": "0", "scrub": CLEAN}
    path = folder / FILE
    if path_exists(path):
        raise _exists(folder)
    with translated(folder):
        if folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
            raise OutputError(
                f"{folder}: holds files that are not a gallery's",
                hint="Give an empty or new folder.",
            )
        make_folder(folder, private=True)
        handle, name = tempfile.mkstemp(prefix=f".{FILE}.", suffix=".part", dir=folder)
        os.close(handle)
        part = Path(name)
        try:
            base = sqlite3.connect(part, isolation_level=None)
            try:
                migrate(base)
                base.executemany("INSERT INTO meta VALUES (?, ?)", {**meta, **own}.items())
                store_digest(base, digest_of(base, seal), seal)
            finally:
                base.close()
            publish_new(part, path)
        except FileExistsError as error:
            part.unlink(missing_ok=True)
            raise _exists(folder) from error
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def _exists(folder: Path) -> GalleryExists:
    return GalleryExists(
        f"{folder}: there is a gallery already", hint="Use it, or give another folder."
    )


def watcher(folder: Path) -> sqlite3.Connection:
    """Return a second connection, used only to see whether the file has changed."""
    with translated(folder):
        return connect(folder / FILE, 1.0)


def is_gallery(folder: Path) -> bool:
    """Return whether a folder holds a gallery."""
    return is_file(folder / FILE)


def is_dataset(folder: Path) -> bool:
    """Return whether a folder holds a dataset."""
    return is_file(folder / "dataset.json")
