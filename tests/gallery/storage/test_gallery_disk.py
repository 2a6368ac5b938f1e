"""Galleries on full and on read-only disks."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest
from spheres import ORIGIN, centre, enrolled, face_sample, faces

from faults import every_fault, no_waiting, read_only_disk  # noqa: F401
from mien.errors import GalleryNotFound, NotAGallery, OutputError
from mien.files import write_atomically
from mien.gallery import Gallery
from mien.gallery.exchange.transfer import Export, export_gallery
from mien.gallery.storage.database import FILE, Database

pytestmark = pytest.mark.usefixtures("no_waiting")


def disk_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("as SQLite says it")
    error.sqlite_errorcode = code
    return error


@pytest.fixture
def folder(tmp_path):
    with Gallery.create(tmp_path / "disk" / "g", ORIGIN, thumbnails=True) as gallery:
        enrolled(gallery, 3, 2)
    return tmp_path / "disk" / "g"


def limit_size(gallery: Gallery, more: int = 0) -> None:
    """Let the file have no more pages than now: SQLite then says that the disk is full."""
    base = gallery._database.base
    (pages,) = base.execute("PRAGMA page_count").fetchone()
    base.execute(f"PRAGMA max_page_count = {pages + more}")


@pytest.mark.parametrize("more", range(0, 12, 3))
def test_a_disk_that_fills_amid_a_change_is_reported_as_full(folder, more):
    with Gallery.open(folder) as gallery:
        before = gallery.people()
        limit_size(gallery, more)
        with pytest.raises(OutputError, match="the disk is full"):
            gallery.enrol("new", face_sample(9, 0, crop=b"z" * 100_000), force=True)
        assert gallery.people() == before
        assert gallery.identify(faces(centre(1)))[0].name == "person 1"
        gallery.rename("person 0", "person zero")
    with Gallery.open(folder) as gallery:
        assert [person.name for person in gallery.people()] == [
            "person 1",
            "person 2",
            "person zero",
        ]


def roll_back(block, error: Exception | None) -> None:
    """End the transaction within a block, as SQLite does on some errors, then raise the error."""
    with block() as _:
        block.__self__.base.execute("ROLLBACK")
        if error:
            raise error


@pytest.mark.parametrize("block", ["reading", "writing"])
@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM])
def test_a_transaction_that_sqlite_ends_itself(folder, code, block):
    with closing(Database(folder)) as database:
        with pytest.raises(OutputError, match=r"disk|memory"):
            roll_back(getattr(database, block), disk_error(code))
        with pytest.raises(OutputError, match="could not be saved"):
            roll_back(database.writing, None)
        with pytest.raises(NotAGallery, match="damaged"), database.reading():
            raise disk_error(sqlite3.SQLITE_CORRUPT)


def test_data_that_cannot_be_wiped_on_a_full_disk_does_not_close_the_gallery(folder, monkeypatch):
    with closing(Database(folder)) as database, database.writing():
        database.must_scrub()

    def fail(_):
        raise OutputError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "scrub", fail)
        with Gallery.open(folder) as gallery:
            assert len(gallery.people()) == 3
            assert gallery._database.meta("scrub") == "1"
    with Gallery.open(folder) as gallery:
        assert gallery._database.meta("scrub") == "0"


@pytest.fixture
def read_only(folder):
    with read_only_disk(folder.parent):
        yield folder


def test_a_read_only_disk_lists_identifies_and_exports(read_only):
    with Gallery.open(read_only) as gallery:
        assert len(gallery.people()) == 3
        assert gallery.identify(faces(centre(1)))[0].name == "person 1"
        assert len(Export(export_gallery(gallery)).people) == 3
        with pytest.raises(OutputError, match="read-only"):
            gallery.enrol("new", face_sample(9, 0), force=True)
        with pytest.raises(OutputError, match="read-only"):
            gallery.forget("person 1")
        assert len(gallery.people()) == 3
    assert [path.name for path in read_only.iterdir()] == [FILE]


def test_a_read_only_disk_with_changes_in_the_log_says_so(folder, request):
    gallery = Gallery.open(folder)
    gallery.add_person("in the log")
    copy = folder.parent / "copy"
    copy.mkdir()
    for name in (FILE, f"{FILE}-wal"):
        shutil.copy(folder / name, copy / name)
    gallery.close()
    request.getfixturevalue("read_only")
    with pytest.raises(OutputError, match="cannot be written"):
        Gallery.open(copy)


def test_a_gallery_that_is_created_while_system_calls_fail_is_whole_or_absent(tmp_path):
    path = tmp_path / "g"

    def create():
        Gallery.create(path, ORIGIN).close()

    points = 0
    for fault in every_fault(create):
        shutil.rmtree(path)
        fault.run(create)
        try:
            Gallery.open(path).close()
        except GalleryNotFound:
            create()
        points += 1
    assert points >= 40


def test_an_export_that_is_written_while_system_calls_fail_is_the_old_or_the_new_one(
    folder, tmp_path
):
    path = tmp_path / "export"
    with Gallery.open(folder) as gallery:
        old = export_gallery(gallery)
        gallery.add_person("new")

        def write():
            write_atomically(path, export_gallery(gallery), private=True)

        points = 0
        for fault in every_fault(write):
            path.write_bytes(old)
            fault.run(write)
            assert len(Export(path.read_bytes()).people) in {3, 4}, fault
            points += 1
    assert points >= 36
