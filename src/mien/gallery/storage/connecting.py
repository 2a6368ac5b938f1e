"""Connecting to a gallery's file, and what SQLite's errors mean for a gallery."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mien.errors import GalleryBusy, NotAGallery, OutputError
from mien.files import path_exists, sync_file, sync_folder

FILE = "gallery.sqlite"

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
SYSTEM = {
    sqlite3.SQLITE_READONLY: "it is on a read-only disk, or is not yours to change",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "its files cannot be opened",
    sqlite3.SQLITE_PERM: "permission denied",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
    sqlite3.SQLITE_INTERRUPT: "it was interrupted",
    sqlite3.SQLITE_TOOBIG: "a value is too large",
}
"""What the system reports through SQLite, in words; any other error is damage."""

_SETTINGS = (
    "synchronous = FULL",
    "foreign_keys = ON",
    "secure_delete = ON",
    # The file may be untrusted: functions in its schema may not do harm.
    "trusted_schema = OFF",
    # VACUUM would write all templates to a temporary file outside the folder.
    "temp_store = MEMORY",
)


def publish_new(part: Path, final: Path) -> None:
    """Give a finished file a name that no file has; of several processes one succeeds.

    Args:
        part: the finished file, beside `final`.
        final: its new path.

    Raises:
        FileExistsError: a file has the name already.
        OSError: it cannot be named.
    """
    sync_file(part)
    try:
        os.link(part, final)  # unlike a rename, it never replaces a file
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path_exists(final):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final)) from None
        part.replace(final)
    else:
        with suppress(OSError):
            part.unlink()
    sync_folder(final.parent)


def connect(path: Path, patience: float) -> sqlite3.Connection:
    """Connect to a gallery's file; on a read-only or full disk, to read only.

    SQLite needs a file beside the database (`-shm`) to read it while others write. Where that
    cannot be made, no process writes: the database is then read as it is, if nothing is in its log.
    """
    try:
        return connected(path, str(path), patience)
    except sqlite3.OperationalError as error:
        log = path.with_name(f"{FILE}-wal")
        if error.sqlite_errorcode & 0xFF not in SYSTEM or (log.exists() and log.stat().st_size):
            raise
        return connected(path, f"{path.absolute().as_uri()}?mode=ro&immutable=1", patience)


def connected(path: Path, address: str, patience: float) -> sqlite3.Connection:
    """Return a connection with Mien's settings.

    Args:
        path: of the file.
        address: the path, or a URI of the file.
        patience: seconds to wait for another process that is writing.

    Raises:
        sqlite3.Error: there is no database that can be read.
    """
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
def unless_unwritable() -> Iterator[None]:
    """Ignore that something cannot be written."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in SYSTEM:
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
        if code in SYSTEM:
            raise unwritable(folder, SYSTEM[code]) from error
        raise damaged(folder, str(error)) from error
    except UnicodeDecodeError as error:
        # The message of SQLite quotes the schema, which is not valid UTF-8.
        raise damaged(folder, "its schema is not text") from error
    except OSError as error:
        raise unwritable(folder, error.strerror or str(error)) from error


def damaged(folder: Path, why: str) -> NotAGallery:
    """Return the error for a gallery whose file is not what Mien wrote."""
    return NotAGallery(
        f"{folder}: the gallery is damaged: {why}",
        hint="Restore it from an export if you have one.",
        code="gallery-damaged",
        data={"folder": str(folder)},
    )


def unwritable(folder: Path, why: str) -> OutputError:
    """Return the error for a gallery that cannot be written."""
    return OutputError(
        f"{folder}: the gallery cannot be written: {why}",
        hint="Make room on the disk, or give a folder that you may write to. What was saved before "
        "is still there.",
    )
