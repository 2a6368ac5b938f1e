"""The file under a gallery: opened, written in whole transactions, wiped where something is gone.

SQLite with a write-ahead log that is synced at each commit: what is acknowledged survives a
killed process and a lost power supply, and what is not acknowledged is there whole or not at all.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from mien.errors import GalleryBusy, GalleryExists, GalleryNotFound, NotAGallery, OutputError
from mien.files import publish
from mien.gallery.storage.schema import APPLICATION, VERSION, application_of, migrate, version_of

FILE = "gallery.sqlite"

_PATIENCE = 10.0
"""Seconds to wait for another process that is writing."""

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_SYSTEM = (
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
)


class Database:
    """A gallery's database, open.

    Not safe to use from several threads at once: its owner holds a lock.

    Args:
        folder: of the gallery.
        patience: seconds to wait for another process that is writing.

    Raises:
        GalleryNotFound: there is no gallery.
        NotAGallery: it is not one of Mien's, is damaged, or a newer version made it.
    """

    def __init__(self, folder: Path, *, patience: float = _PATIENCE) -> None:
        self.folder = folder
        path = folder / FILE
        if not is_gallery(folder):
            raise GalleryNotFound(
                f"{folder}: no gallery there",
                hint=dataset_hint(folder) or f"Make one: mien gallery create {folder}",
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
                hint="Give a folder that `mien gallery create` made.",
            )
        if version_of(self.base) > VERSION:
            raise NotAGallery(
                f"{self.folder}: a newer version of Mien made this gallery",
                hint="Use that version, or export there and import here.",
            )
        self.base.execute("PRAGMA journal_mode = WAL")
        migrate(self.base)
        if self.meta("scrub") == "1":  # whoever was to wipe was interrupted
            self.scrub()

    def close(self) -> None:
        """Let go of the file; what the log holds is moved to its place."""
        with suppress(sqlite3.Error):
            self.base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.base.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold a transaction: all of it is in the file when the block ends, or nothing.

        Raises:
            GalleryBusy: another process is writing and does not end.
            OutputError: the disk is full or may not be written.
        """
        with translated(self.folder):
            self.base.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.base.execute("COMMIT")
            except BaseException:
                if self.base.in_transaction:
                    self.base.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold a view of the file in which nothing changes."""
        with translated(self.folder):
            if self.base.in_transaction:
                yield
                return
            self.base.execute("BEGIN")
            try:
                yield
            finally:
                self.base.execute("ROLLBACK")

    @property
    def generation(self) -> int:
        """How often people, photos or negatives were changed."""
        return int(self.meta("generation") or 0)

    def raise_generation(self) -> int:
        """Tell others that people, photos or negatives changed; inside the transaction."""
        generation = self.generation + 1
        self.set_meta("generation", str(generation))
        return generation

    def meta(self, key: str) -> str:
        """Return what is noted under a key; empty where nothing is."""
        row = self.base.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else ""

    def set_meta(self, key: str, value: str) -> None:
        """Note something; inside a transaction."""
        # In place, so that a file that was just wiped stays as if made anew.
        sql = (
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        )
        self.base.execute(sql, (key, value))

    def must_scrub(self) -> None:
        """Note, inside the transaction that deletes, that traces are left until `scrub` ends."""
        self.set_meta("scrub", "1")

    def scrub(self) -> None:
        """Leave no byte of what was deleted in the folder's files.

        Deleted rows are overwritten as they go (secure_delete); VACUUM then writes the file anew,
        and the log, which holds older pages, is moved and cut to nothing.

        Raises:
            GalleryBusy: another process reads on; the next one that opens the gallery goes on.
        """
        with translated(self.folder):
            self.set_meta("scrub", "1")
            self.base.execute("VACUUM")
            self._cut_log()
            self.set_meta("scrub", "0")
            self._cut_log()

    def _cut_log(self) -> None:
        busy, _, _ = self.base.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise GalleryBusy(
                "deleted, but another process still reads the old pages",
                hint="They are wiped when that process has ended and the gallery is next opened.",
            )


def make(folder: Path, meta: Mapping[str, str]) -> None:
    """Make the database of a new gallery; it is there whole or not at all.

    Raises:
        GalleryExists: there is one.
        OutputError: it cannot be written.
    """
    path = folder / FILE
    if path.exists():
        raise GalleryExists(
            f"{folder}: there is a gallery already", hint="Use it, or give another folder."
        )
    with translated(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
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
    """Return a second connection that only looks whether the file has changed."""
    with translated(folder):
        return _connect(folder / FILE, 1.0)


def is_gallery(folder: Path) -> bool:
    """Return whether a folder holds a gallery."""
    return (folder / FILE).is_file()


def dataset_hint(folder: Path) -> str:
    """Return what becomes of a dataset where its folder was given; empty where it is none."""
    if not (folder / "dataset.json").is_file():
        return ""
    return (
        f"It is a dataset: mien train {folder} -o people.onnx makes a recognizer of it, "
        f"mien gallery create GALLERY --from {folder} a gallery."
    )


_SETTINGS = (
    "synchronous = FULL",
    "foreign_keys = ON",
    "secure_delete = ON",
    # The file may come from somebody else: nothing that its schema holds may do harm.
    "trusted_schema = OFF",
    # VACUUM would write everybody's templates to a temporary file outside the folder.
    "temp_store = MEMORY",
)


def _connect(path: Path, patience: float) -> sqlite3.Connection:
    base = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
    try:
        for setting in _SETTINGS:
            base.execute(f"PRAGMA {setting}")
    except BaseException:
        base.close()
        raise
    return base


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Turn the errors of SQLite and of the system into the gallery's.

    Raises:
        GalleryBusy: another process holds the file.
        NotAGallery: the file is damaged.
        OutputError: it cannot be written.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _BUSY:
            raise GalleryBusy(
                "another process is using the gallery",
                hint="Try again when it has ended.",
            ) from error
        if code in _SYSTEM:
            raise _unwritable(folder, str(error)) from error
        raise damaged(folder, str(error)) from error
    except UnicodeDecodeError as error:
        # SQLite names what is wrong in the file's own words, which are no text any more.
        raise damaged(folder, "its schema is no text") from error
    except OSError as error:
        raise _unwritable(folder, error.strerror or str(error)) from error


def damaged(folder: Path, why: str) -> NotAGallery:
    """Return the error of a gallery whose file is not what Mien wrote."""
    return NotAGallery(
        f"{folder}: the gallery is damaged: {why}",
        hint="`mien gallery check DIR` says more; go back to an export if you have one.",
    )


def _unwritable(folder: Path, why: str) -> OutputError:
    return OutputError(
        f"{folder}: the gallery cannot be written: {why}",
        hint="Give a folder that you may write to, on a disk with room.",
    )
