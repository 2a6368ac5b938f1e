"""Checkpoint database: makes builds resumable.

One SQLite database in the dataset's folder holds the faces extracted from each photo, keyed by the
photo's digest and the stamp of the extraction (models, settings and version). A photo is committed
with all its faces or not at all.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.dataset.storage.records import THUMB_SIDE, FaceRecord, Occurrence, PhotoRecord
from mien.errors import DatasetBusy, NotADataset, OutputError
from mien.files import make_folder, make_private_file
from mien.quality import Quality

SCHEMA = 1
"""Version of the tables below; stored as SQLite's `user_version`."""

LEDGER = "ledger.sqlite"
LOCK = ".lock"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS photos (
    number INTEGER PRIMARY KEY, stamp TEXT NOT NULL, sha256 TEXT NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL, thumb BLOB NOT NULL, UNIQUE (stamp, sha256));
CREATE TABLE IF NOT EXISTS faces (
    photo INTEGER NOT NULL REFERENCES photos (number) ON DELETE CASCADE, face INTEGER NOT NULL,
    numbers BLOB NOT NULL, embedding BLOB NOT NULL, mirrored BLOB NOT NULL, thumb BLOB NOT NULL,
    PRIMARY KEY (photo, face));
CREATE TABLE IF NOT EXISTS crops (
    photo INTEGER NOT NULL REFERENCES photos (number) ON DELETE CASCADE, face INTEGER NOT NULL,
    kind TEXT NOT NULL, jpeg BLOB NOT NULL, PRIMARY KEY (photo, face, kind));
CREATE TABLE IF NOT EXISTS occurrences (
    position INTEGER PRIMARY KEY, source TEXT NOT NULL, person TEXT NOT NULL, photo TEXT NOT NULL,
    sha256 TEXT NOT NULL, error TEXT NOT NULL);
"""
ALIGNED = "aligned"


@contextmanager
def only_builder(folder: Path) -> Iterator[None]:
    """Lock the dataset's folder for this process; the lock ends with the process.

    Raises:
        DatasetBusy: another process holds the lock.
        OutputError: the folder cannot be written.
    """
    with _writing(folder):
        make_folder(folder, private=True)
        make_private_file(folder / LOCK)
        # SQLite's lock works on every system and is released when its process ends.
        lock = sqlite3.connect(folder / LOCK, timeout=0.2, isolation_level=None)
    try:
        with _writing(folder):
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
                raise DatasetBusy(
                    f"{folder}: another process is building this dataset",
                    hint="Wait until it has ended, or give another folder.",
                    code="dataset-busy",
                ) from error
        yield
    finally:
        lock.close()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Translate errors of the system and of SQLite into OutputError."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if _is_damage(error):
            raise OutputError(
                f"{folder / LEDGER}: the ledger is damaged: {error}",
                hint=f"Delete {LEDGER} there and build the dataset again from the same sources.",
                code="dataset-ledger-damaged",
                data={"ledger": LEDGER},
            ) from error
        raise OutputError(
            f"{folder}: cannot be written: {error}",
            hint="Give a folder that can be written to, on a disk with room.",
        ) from error


class Ledger:
    """The photos, faces and crops of a dataset's builds, for one process and one thread.

    A build (which gives a `stamp`) replaces a ledger that is damaged, or whose tables are those of
    an older Mien, by an empty one: the photos are then extracted again.

    Args:
        folder: the dataset's folder, which exists.
        stamp: of the extraction; photos stored under another stamp are ignored. Where it is not
            given, that of the last finished build.

    Raises:
        NotADataset: a newer Mien wrote the ledger; or an older one did, and no stamp is given.
        OutputError: the folder cannot be written.
    """

    def __init__(self, folder: Path, stamp: str = "") -> None:
        self._folder = folder
        path = folder / LEDGER
        with _writing(folder):
            try:
                self._base = _connect(path)
            except _Outdated as outdated:
                if not stamp:
                    raise _older_version(folder) from outdated
                self._base = _recreate(path)
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                # Only if damaged: after a full disk or a lock the stored work is still valid.
                if not _is_damage(error):
                    raise
                self._base = _recreate(path)
        self.stamp = stamp or str((self.settings() or {}).get("stamp", ""))

    def close(self) -> None:
        """Commit and close the file."""
        with _writing(self._folder):
            self._base.commit()
            self._base.close()

    def known(self, margin: str = "") -> set[str]:
        """Return the digests of the stored photos, or of those with crops of kind `margin`."""
        with _writing(self._folder):
            rows = self._base.execute(
                "SELECT sha256 FROM photos AS p WHERE stamp = ? AND (? = '' OR NOT EXISTS ("
                "SELECT 1 FROM faces AS f WHERE f.photo = p.number AND NOT EXISTS ("
                "SELECT 1 FROM crops AS c WHERE c.photo = f.photo AND c.face = f.face "
                "AND c.kind = ?)))",
                (self.stamp, margin, margin),
            )
            return {sha256 for (sha256,) in rows}

    def add(self, record: PhotoRecord, margin: str = "") -> None:
        """Store a photo; it is durable after the next `commit`."""
        with _writing(self._folder):
            self._base.execute(
                "DELETE FROM photos WHERE stamp = ? AND sha256 = ?", (self.stamp, record.sha256)
            )
            number = self._base.execute(
                "INSERT INTO photos (stamp, sha256, width, height, thumb) VALUES (?, ?, ?, ?, ?)",
                (self.stamp, record.sha256, record.width, record.height, record.thumb.tobytes()),
            ).lastrowid
            for i, face in enumerate(record.faces):
                self._base.execute(
                    "INSERT INTO faces VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        number,
                        i,
                        _pack(face),
                        face.embedding.tobytes(),
                        face.mirrored.tobytes(),
                        face.thumb.tobytes(),
                    ),
                )
                crops = {ALIGNED: face.crop, margin: face.margin_crop}
                self._base.executemany(
                    "INSERT INTO crops VALUES (?, ?, ?, ?)",
                    [(number, i, kind, jpeg) for kind, jpeg in crops.items() if kind and jpeg],
                )

    def commit(self) -> None:
        """Commit all photos added so far, so that they survive if the process is killed."""
        with _writing(self._folder):
            self._base.commit()

    def finish(self, occurrences: Sequence[Occurrence], settings: Mapping[str, Any]) -> None:
        """Store a finished build's occurrences and settings, and delete all other photos."""
        with _writing(self._folder):
            self._base.execute("DELETE FROM occurrences")
            self._base.executemany(
                "INSERT INTO occurrences VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (i, o.source, o.person, o.photo, o.sha256, o.error)
                    for i, o in enumerate(occurrences)
                ),
            )
            self._base.execute(
                "DELETE FROM photos WHERE stamp <> ? OR sha256 NOT IN "
                "(SELECT sha256 FROM occurrences)",
                (self.stamp,),
            )
            self._base.execute(
                "INSERT OR REPLACE INTO meta VALUES ('settings', ?)",
                (json.dumps({**settings, "stamp": self.stamp}, ensure_ascii=False),),
            )
            self._base.commit()

    def settings(self) -> dict[str, Any] | None:
        """Return the settings of the last finished build; None where there is none."""
        with _writing(self._folder):
            row = self._base.execute("SELECT value FROM meta WHERE key = 'settings'").fetchone()
        return dict(json.loads(row[0])) if row else None

    def occurrences(self) -> list[Occurrence]:
        """Return the photos of the last finished build, in the order of its sources."""
        with _writing(self._folder):
            rows = self._base.execute(
                "SELECT source, person, photo, sha256, error FROM occurrences ORDER BY position"
            )
            return [Occurrence(*row) for row in rows]

    def photos(self) -> Iterator[PhotoRecord]:
        """Yield the stored photos, without the crops of their faces."""
        with _writing(self._folder):
            photos = self._base.execute(
                "SELECT number, sha256, width, height, thumb FROM photos "
                "WHERE stamp = ? ORDER BY number",
                (self.stamp,),
            )
            for number, sha256, width, height, thumb in photos:
                faces = self._base.execute(
                    "SELECT numbers, embedding, mirrored, thumb FROM faces WHERE photo = ? "
                    "ORDER BY face",
                    (number,),
                )
                found = tuple(_unpack(*row) for row in faces)
                yield PhotoRecord(sha256, width, height, _thumb(thumb), found)

    def crop(self, sha256: str, face: int, kind: str = ALIGNED) -> bytes:
        """Return a face's crop as JPEG; empty where there is none."""
        with _writing(self._folder):
            row = self._base.execute(
                "SELECT jpeg FROM crops JOIN photos ON number = photo "
                "WHERE stamp = ? AND sha256 = ? AND face = ? AND kind = ?",
                (self.stamp, sha256, face, kind),
            ).fetchone()
        return bytes(row[0]) if row else b""


class _Outdated(Exception):
    """The tables are those of an older version."""


def _older_version(folder: Path) -> NotADataset:
    return NotADataset(
        f"{folder}: the dataset's ledger was written by an older Mien",
        hint="Build it again from the same sources: the photos are analysed again, your decisions "
        "are kept and apply.",
        code="dataset-outdated",
    )


def check_version(ledger: Ledger, folder: Path, version: int) -> None:
    """Check that the ledger's photos were stored in the format of this version.

    Args:
        ledger: of a finished build.
        folder: the dataset's folder.
        version: version of what is stored per photo; the second part of a stamp.

    Raises:
        NotADataset: another version of Mien stored the photos.
    """
    if ledger.stamp and ledger.stamp.split("|")[1:2] != [str(version)]:
        raise _older_version(folder)


def _is_damage(error: Exception) -> bool:
    if isinstance(error, UnicodeDecodeError):  # the error message quotes bytes of the schema
        return True
    # The low byte is the primary code, the rest makes it an extended one.
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _recreate(path: Path) -> sqlite3.Connection:
    for ending in ("", "-wal", "-shm"):
        path.with_name(LEDGER + ending).unlink(missing_ok=True)
    return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    make_private_file(path)
    base = sqlite3.connect(path, timeout=10)
    try:
        _check_tables(base, path)
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = NORMAL")
        base.execute("PRAGMA foreign_keys = ON")
        base.execute("PRAGMA secure_delete = ON")  # deleted faces are overwritten
        base.executescript(_SCHEMA)
        base.execute(f"PRAGMA user_version = {SCHEMA}")
    except BaseException:
        base.close()
        raise
    return base


def _check_tables(base: sqlite3.Connection, path: Path) -> None:
    """Raise NotADataset if a newer Mien wrote the file, and _Outdated if an older one did."""
    (version,) = base.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA:
        raise NotADataset(
            f"{path}: a newer Mien wrote this ledger",
            hint="Use that version, or build into another folder.",
            code="dataset-of-newer-version",
        )
    tables = _columns(base)
    if tables and tables != _columns_of_schema():
        raise _Outdated


def _columns(base: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the columns of each table."""
    tables = base.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return {
        table: [name for (name,) in base.execute("SELECT name FROM pragma_table_info(?)", (table,))]
        for (table,) in tables.fetchall()
    }


def _columns_of_schema() -> dict[str, list[str]]:
    with closing(sqlite3.connect(":memory:")) as base:
        base.executescript(_SCHEMA)
        return _columns(base)


def _pack(face: FaceRecord) -> bytes:
    quality = face.quality
    points = [value for point in face.points for value in point]
    numbers = [face.score, quality.size, quality.blur, quality.yaw, quality.overall]
    return np.array([*face.box, *points, *numbers], "<f4").tobytes()


def _unpack(numbers: bytes, embedding: bytes, mirrored: bytes, thumb: bytes) -> FaceRecord:
    value = [float(number) for number in np.frombuffer(numbers, "<f4")]
    return FaceRecord(
        box=tuple(value[:4]),
        points=tuple(zip(value[4:14:2], value[5:14:2], strict=True)),
        score=value[14],
        quality=Quality(*value[15:19]),
        embedding=np.frombuffer(embedding, np.float32),
        mirrored=np.frombuffer(mirrored, np.float32),
        crop=b"",
        thumb=_thumb(thumb),
    )


def _thumb(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8).reshape(THUMB_SIDE, THUMB_SIDE)
