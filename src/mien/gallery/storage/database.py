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
from pathlib import Path

from mien.errors import GalleryBusy, GalleryExists, GalleryNotFound, NotAGallery, OutputError
from mien.files import is_file, make_folder, path_exists, publish
from mien.gallery.storage.schema import APPLICATION, VERSION, application_of, migrate, version_of
from mien.gallery.storage.wiping import PATIENCE, TO_CUT, TO_REWRITE, wipe

FILE = "gallery.sqlite"

_OF_A_DATASET = "It is a dataset: train a recognizer on it, or import it into a gallery."

_PATIENCE = 10.0
"""Seconds to wait for another process that is writing."""

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_SYSTEM = {
    sqlite3.SQLITE_READONLY: "it is on a read-only disk, or is not yours to change",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "its files cannot be opened",
    sqlite3.SQLITE_PERM: "permission denied",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
    sqlite3.SQLITE_INTERRUPT: "it was interrupted",
    sqlite3.SQLITE_TOOBIG: "a value is too large",
}


class Database:
    """An open connection to a gallery's database.

    Not safe to use from several threads at once: its owner holds a lock.

    Args:
        folder: of the gallery.
        patience: seconds to wait for another process that is writing.

    Raises:
        GalleryNotFound: there is no gallery.
        NotAGallery: Mien did not make it, it is damaged, or a newer version made it.
    """

    def __init__(self, folder: Path, *, patience: float = _PATIENCE) -> None:
        self.folder = folder
        path = folder / FILE
        if not is_gallery(folder):
            raise GalleryNotFound(
                f"{folder}: no gallery there",
                hint=_OF_A_DATASET if is_dataset(folder) else "Make one: Gallery.create.",
                code="path-is-a-dataset" if is_dataset(folder) else "gallery-missing",
                data={"folder": str(folder)},
            )
        with translated(folder):
            self.base = _connect(path, patience)
            try:
                self._check_and_migrate()
            except BaseException:
                self.base.close()
                raise

    def _check_and_migrate(self) -> None:
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
        with _unless_unwritable():
            self.base.execute("PRAGMA journal_mode = WAL")
        migrate(self.base)
        with suppress(OutputError, GalleryBusy):  # on a full disk, or while others read: later
            self.finish_scrub()

    def close(self) -> None:
        """Close the file, after moving the contents of the log into it."""
        with suppress(sqlite3.Error):
            self.base.execute("PRAGMA busy_timeout = 0")  # a reader that stays holds up no one
            self.base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.base.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold a write transaction: committed when the block ends, rolled back on an exception.

        Raises:
            GalleryBusy: another process keeps writing for longer than `patience`.
            OutputError: the disk is full or may not be written.
        """
        with translated(self.folder):
            self.base.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._commit()
            except BaseException:
                with suppress(sqlite3.Error):  # the first error says what is wrong
                    self.base.rollback()
                raise

    def _commit(self) -> None:
        if not self.base.in_transaction:  # SQLite has rolled it back, as on a full disk
            raise _unwritable(self.folder, "the change could not be saved")
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
        return int(self.meta("generation") or 0)

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
        sql = (
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        )
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


def create_database(folder: Path, meta: Mapping[str, str]) -> None:
    """Make the database of a new gallery; written whole or not at all.

    Args:
        folder: made where it does not exist.
        meta: first contents of the table `meta`.

    Raises:
        GalleryExists: there is one already.
        OutputError: it cannot be written, or the folder holds other files.
    """
    path = folder / FILE
    if path_exists(path):
        raise GalleryExists(
            f"{folder}: there is a gallery already", hint="Use it, or give another folder."
        )
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
                base.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            finally:
                base.close()
            publish(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def watcher(folder: Path) -> sqlite3.Connection:
    """Return a second connection, used only to see whether the file has changed."""
    with translated(folder):
        return _connect(folder / FILE, 1.0)


def is_gallery(folder: Path) -> bool:
    """Return whether a folder holds a gallery."""
    return is_file(folder / FILE)


def is_dataset(folder: Path) -> bool:
    """Return whether a folder holds a dataset."""
    return is_file(folder / "dataset.json")


_SETTINGS = (
    "synchronous = FULL",
    "foreign_keys = ON",
    "secure_delete = ON",
    # The file may be untrusted: functions in its schema may not do harm.
    "trusted_schema = OFF",
    # VACUUM would write all templates to a temporary file outside the folder.
    "temp_store = MEMORY",
)


def _connect(path: Path, patience: float) -> sqlite3.Connection:
    """Connect to a gallery's file; on a read-only or full disk, to read only.

    SQLite needs a file beside the database (`-shm`) to read it while others write. Where that
    cannot be made, no process writes: the database is then read as it is, if nothing is in its log.
    """
    try:
        return _connected(path, str(path), patience)
    except sqlite3.OperationalError as error:
        log = path.with_name(f"{FILE}-wal")
        if error.sqlite_errorcode & 0xFF not in _SYSTEM or (log.exists() and log.stat().st_size):
            raise
        return _connected(path, f"{path.absolute().as_uri()}?mode=ro&immutable=1", patience)


def _connected(path: Path, address: str, patience: float) -> sqlite3.Connection:
    base = sqlite3.connect(
        address, timeout=patience, isolation_level=None, check_same_thread=False,
        uri=address != str(path),
    )  # fmt: skip
    try:
        for setting in _SETTINGS:
            base.execute(f"PRAGMA {setting}")
        base.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        base.close()
        raise
    return base


@contextmanager
def _unless_unwritable() -> Iterator[None]:
    """Ignore that something cannot be written."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in _SYSTEM:
            raise


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Translate errors of SQLite and of the operating system into gallery errors.

    Raises:
        GalleryBusy: another process holds the file.
        NotAGallery: the file is damaged.
        OutputError: it cannot be written.
        ValueError: the gallery was closed.
        TypeError: a value is of a type that a database cannot hold.
    """
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError) as error:
        if "closed" in str(error):
            raise ValueError(f"{folder}: the gallery was closed; open it again") from error
        raise TypeError(f"{folder}: {error}") from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _BUSY:
            raise GalleryBusy(
                "another process is using the gallery",
                hint="Try again when it has ended.",
            ) from error
        if code in _SYSTEM:
            raise _unwritable(folder, _SYSTEM[code]) from error
        raise damaged(folder, str(error)) from error
    except UnicodeDecodeError as error:
        # The message of SQLite quotes the schema, which is not valid UTF-8.
        raise damaged(folder, "its schema is not text") from error
    except OSError as error:
        raise _unwritable(folder, error.strerror or str(error)) from error


def damaged(folder: Path, why: str) -> NotAGallery:
    """Return the error for a gallery whose file is not what Mien wrote."""
    return NotAGallery(
        f"{folder}: the gallery is damaged: {why}",
        hint="Restore it from an export if you have one.",
        code="gallery-damaged",
        data={"folder": str(folder)},
    )


def _unwritable(folder: Path, why: str) -> OutputError:
    return OutputError(
        f"{folder}: the gallery cannot be written: {why}",
        hint="Make room on the disk, or give a folder that you may write to. What was saved before "
        "is still there.",
    )
