"""Is a gallery whole, and is nothing in its files that is not in its rows?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mien.errors import GalleryError
from mien.gallery.base import GalleryBase
from mien.gallery.storage.database import FILE, Database, translated
from mien.gallery.storage.rows import GalleryStore
from mien.gallery.storage.schema import migrate
from mien.names import name_key

_OURS = {FILE, f"{FILE}-wal", f"{FILE}-shm"}

_COUNTS = (
    "SELECT COUNT(*) FROM people",
    "SELECT COUNT(*) FROM photos",
    "SELECT COUNT(*) FROM negatives",
)

_VOLATILE = ((18, 20), (24, 28), (40, 44), (92, 96), (96, 100))
"""Where the header counts changes and notes the journal's kind and SQLite's version."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a check.

    Attributes:
        faults: what is wrong, in words; empty where all is well.
        people: how many there are.
        photos: how many are enrolled.
        negatives: how many faces are rejected.
        encrypted: whether templates are encrypted.
        clean: whether the files hold nothing but the rows: no trace of anybody deleted.
    """

    faults: tuple[str, ...]
    people: int
    photos: int
    negatives: int
    encrypted: bool
    clean: bool


def check(gallery: GalleryBase) -> Checked:
    """Check a gallery: the file's structure, every row, and that nothing else is in the files.

    For the last the files are wiped first (see `Database.scrub`) and then compared, byte for
    byte, with a file made anew of the rows alone.

    Raises:
        GalleryBusy: another process reads on, so that the files cannot be wiped.
    """
    with gallery.exclusively() as store:
        database = store.database
        database.scrub()
        with translated(database.folder):
            faults = [*_structure(database), *_rows(store)]
            remains = _remains(database)
            people, photos, negatives = (
                int(database.base.execute(sql).fetchone()[0]) for sql in _COUNTS
            )
        faults += _strays(database.folder)
    return Checked(
        faults=(*faults, *remains),
        people=people,
        photos=photos,
        negatives=negatives,
        encrypted=store.seal.encrypts,
        clean=not remains,
    )


def _structure(database: Database) -> Iterator[str]:
    for (found,) in database.base.execute("PRAGMA integrity_check"):
        if found != "ok":
            yield f"the file is damaged: {found}"
    for table, row, parent, _ in database.base.execute("PRAGMA foreign_key_check"):
        yield f"{table}, row {row}: what it belongs to in {parent} is not there"
    blank = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(blank)
        named = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        wanted = dict(blank.execute(named).fetchall())
    finally:
        blank.close()
    found_there = dict(database.base.execute(named).fetchall())
    for name in sorted(wanted.keys() | found_there.keys()):
        if wanted.get(name) != found_there.get(name):
            yield f"{name} is not as this version makes it"


def _rows(store: GalleryStore) -> Iterator[str]:
    for number, person in store.people():
        try:
            if store.person("spelling", name_key(person.name)) != (number, person):
                yield f"{person.id}: the name cannot be found again"
            store.templates(number)  # refuses what is no template
            for picture in store.pictures(number):
                if picture.thumbnail and not store.thumbnail(picture.id):
                    yield f"{person.id}: photo {picture.id} has an empty thumbnail"
        except GalleryError as error:
            yield f"{person.id}: {error}"
    try:
        store.negatives()
    except GalleryError as error:
        yield f"rejected faces: {error}"


def _strays(folder: Path) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        if path.name not in _OURS:
            yield f"{path.name} in the folder is not the gallery's"


def _remains(database: Database) -> list[str]:
    """Return where bytes lie that do not come of the rows."""
    faults = []
    path = database.folder / FILE
    log = path.with_name(f"{FILE}-wal")
    if log.exists() and log.stat().st_size:
        faults.append("the log of changes is not empty")
    # Not read as a file: to close that would take away the locks that SQLite holds on it.
    fresh = sqlite3.connect(path)
    try:
        data = bytearray(fresh.serialize())
    finally:
        fresh.close()
    if path.stat().st_size != len(data):
        faults.append("the file is longer than its pages")
    data[18:20] = b"\1\1"  # a file in memory has no write-ahead log
    anew = sqlite3.connect(":memory:", isolation_level=None)
    try:
        anew.deserialize(bytes(data))
        anew.execute("PRAGMA secure_delete = ON")
        anew.execute("VACUUM")
        made = bytearray(anew.serialize())
    finally:
        anew.close()
    for begin, end in _VOLATILE:
        data[begin:end] = made[begin:end] = bytes(end - begin)
    if data != made:
        faults.append("the file holds more than its rows: traces of what was deleted")
    return faults
