"""Check a gallery: whether its file is intact, and whether it holds nothing but its rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mien.errors import GalleryError
from mien.gallery.base import GalleryBase
from mien.gallery.storage.connecting import FILE, translated
from mien.gallery.storage.database import Database
from mien.gallery.storage.rows import GalleryStore
from mien.gallery.storage.schema import schema_differences
from mien.names import name_key
from mien.text import count

_EXPECTED_FILES = {FILE, f"{FILE}-wal", f"{FILE}-shm"}

_COUNTS = (
    "SELECT COUNT(*) FROM people",
    "SELECT COUNT(*) FROM photos",
    "SELECT COUNT(*) FROM negatives",
)

_VOLATILE = ((18, 20), (24, 28), (40, 44), (92, 96), (96, 100))
"""Bytes of the file's header that differ between equal databases: change counters, the kind of
journal, SQLite's version."""


@dataclass(frozen=True, slots=True)
class IntegrityReport:
    """The result of a check.

    Attributes:
        faults: what is wrong, in words; empty where nothing is.
        people: number of people.
        photos: number of enrolled photos.
        negatives: number of rejected faces.
        encrypted: whether templates, names and notes are encrypted.
        clean: whether the files hold nothing but the rows: no trace of deleted data.
        wiped: whether deleted data could be wiped; False while another process still reads an
            older state of the files. It is not looked for then, and `clean` is False.
        generation: how often people, photos or rejected faces were changed.
    """

    faults: tuple[str, ...]
    people: int
    photos: int
    negatives: int
    encrypted: bool
    clean: bool
    wiped: bool = True
    generation: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "faults": list(self.faults)}

    def __repr__(self) -> str:
        return f"<IntegrityReport {count(len(self.faults), 'fault')}>"


def check_gallery(gallery: GalleryBase, *, at_least: int = 0) -> IntegrityReport:
    """Check the file's structure, every row, and that the files hold nothing else.

    All rows are compared with the digest that is stored (`storage.row_digests`). For the last,
    deleted data is wiped first (see `Database.scrub`). Then the file is compared, byte for byte,
    with a file that is made from the rows alone.

    Args:
        gallery: open.
        at_least: the generation that it had before. A whole folder that was put back from an older
            copy agrees with itself: only its lower generation tells.
    """
    with gallery.exclusively() as store:
        database = store.database
        wiped = gallery.wipe()
        with translated(database.folder):
            with database.reading():
                generation = database.generation
                faults = [*_structure(database), *database.faults(), *_rows(store)]
            if generation < at_least:
                faults.append(
                    f"it is of generation {generation}, not of {at_least} or a later one: "
                    "an older copy was put back"
                )
            remains = _remains(database) if wiped else []
            people, photos, negatives = (
                int(database.base.execute(sql).fetchone()[0]) for sql in _COUNTS
            )
        faults += _foreign_files(database.folder)
    return IntegrityReport(
        faults=(*faults, *remains),
        people=people,
        photos=photos,
        negatives=negatives,
        encrypted=database.seal.encrypts,
        clean=wiped and not remains,
        wiped=wiped,
        generation=generation,
    )


def _structure(database: Database) -> Iterator[str]:
    for (found,) in database.base.execute("PRAGMA integrity_check"):
        if found != "ok":
            yield f"the file is damaged: {found}"
    for table, row, parent, _ in database.base.execute("PRAGMA foreign_key_check"):
        yield f"{table}, row {row}: the row of {parent} that it refers to is missing"
    yield from schema_differences(database.base)


def _rows(store: GalleryStore) -> Iterator[str]:
    try:
        people = store.people()
    except GalleryError as error:
        yield f"people: {error}"
        people = []
    for number, person in people:
        try:
            if store.person("spelling", name_key(person.name)) != (number, person):
                yield f"{person.id}: the person is not found by the name"
            store.templates(number)  # raises where one is damaged
            for picture in store.pictures(number):
                if picture.thumbnail and not store.thumbnail(picture.id):
                    yield f"{person.id}: photo {picture.id} has an empty thumbnail"
        except GalleryError as error:
            yield f"{person.id}: {error}"
    try:
        store.negatives()
    except GalleryError as error:
        yield f"rejected faces: {error}"


def _foreign_files(folder: Path) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        if path.name not in _EXPECTED_FILES:
            yield f"{path.name} in the folder does not belong to the gallery"


def _remains(database: Database) -> list[str]:
    """Return where the files hold bytes that do not come from the rows."""
    faults = []
    path = database.folder / FILE
    log = path.with_name(f"{FILE}-wal")
    if log.exists() and log.stat().st_size:
        faults.append("the log of changes is not empty")
    # Not read with open(): closing it would release the locks that SQLite holds on the file.
    reader = sqlite3.connect(path)
    try:
        data = bytearray(reader.serialize())
    finally:
        reader.close()
    if path.stat().st_size != len(data):
        faults.append("the file is longer than its pages")
    data[18:20] = b"\1\1"  # a file in memory has no write-ahead log
    copy = sqlite3.connect(":memory:", isolation_level=None)
    try:
        copy.deserialize(bytes(data))
        copy.execute("PRAGMA secure_delete = ON")
        copy.execute("VACUUM")
        rebuilt = bytearray(copy.serialize())
    finally:
        copy.close()
    for begin, end in _VOLATILE:
        data[begin:end] = rebuilt[begin:end] = bytes(end - begin)
    if data != rebuilt:
        faults.append("the file holds more than its rows: traces of what was deleted")
    return faults
