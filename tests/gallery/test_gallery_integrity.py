"""The check finds what is wrong, and what is left over."""

from __future__ import annotations

import pytest
from spheres import ORIGIN, centre, enrolled, sighting, views

from mien.gallery import Gallery
from mien.gallery.integrity import check


@pytest.fixture
def gallery(tmp_path):
    with Gallery.create(tmp_path, ORIGIN, thumbnails=True) as made:
        enrolled(made, 4, 2)
        made.reject("person 0", centre(9))
        yield made


def test_a_whole_gallery_has_no_faults(gallery):
    found = check(gallery)
    assert found.faults == ()
    assert (found.people, found.photos, found.negatives) == (4, 8, 1)
    assert (found.encrypted, found.clean) == (False, True)


TEMPLATE = views(0, 0).astype("<f4").tobytes()


@pytest.mark.parametrize(
    ("sql", "values", "fault"),
    [
        ("UPDATE photos SET template = ? WHERE number = 1", (TEMPLATE[:-4],), "another kind"),
        ("UPDATE photos SET template = ? WHERE number = 1", (bytes(512),), "not of length 1"),
        ("UPDATE photos SET contract = 'd' WHERE number = 1", (), "another kind"),
        ("UPDATE photos SET thumbnail = x'' WHERE number = 1", (), "empty thumbnail"),
        ("UPDATE people SET spelling = 'x' WHERE number = 1", (), "cannot be found again"),
        ("UPDATE negatives SET template = ?", (bytes(256),), "not of length 1"),
        ("UPDATE negatives SET template = x'00'", (), "rejected faces"),
        ("UPDATE photos SET person = 99 WHERE number = 1", (), "is not there"),
        ("DROP INDEX photos_of", (), "photos_of is not as"),
        ("ALTER TABLE people ADD COLUMN shoe_size INTEGER", (), "people is not as"),
    ],
)
def test_faults_are_told(gallery, sql, values, fault):
    base = gallery._database.base
    base.execute("PRAGMA foreign_keys = OFF")
    base.execute(sql, values)
    assert fault in "\n".join(check(gallery).faults)


def test_strange_files_are_told(gallery):
    (gallery.path / "holiday.jpg").write_bytes(b"x")
    assert check(gallery).faults == ("holiday.jpg in the folder is not the gallery's",)


def test_a_trace_anywhere_in_the_file_is_told(gallery, monkeypatch):
    """Somebody deleted without secure_delete and never wiped: the check wipes, or finds it."""
    base = gallery._database.base
    base.execute("PRAGMA secure_delete = OFF")
    base.execute("DELETE FROM people WHERE name = 'person 2'")
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    trace = sighting(2, 0).embedding.tobytes()[:64]
    path = gallery.path / "gallery.sqlite"
    assert trace in path.read_bytes()
    monkeypatch.setattr(gallery._database, "scrub", lambda: None)
    found = check(gallery)
    assert not found.clean
    assert "traces" in found.faults[-1]
    monkeypatch.undo()
    base.execute("PRAGMA secure_delete = ON")
    assert check(gallery).clean
    assert trace not in path.read_bytes()


def test_bytes_after_the_last_page_are_told(gallery, monkeypatch):
    check(gallery)
    monkeypatch.setattr(gallery._database, "scrub", lambda: None)
    with (gallery.path / "gallery.sqlite").open("ab") as file:
        file.write(TEMPLATE)
    found = check(gallery)
    assert found.faults == ("the file is longer than its pages",)
    assert not found.clean


def test_an_unfinished_log_is_told(gallery, monkeypatch):
    gallery.enrol("person 0", sighting(0, 8))
    monkeypatch.setattr(gallery._database, "scrub", lambda: None)
    assert "the log of changes is not empty" in check(gallery).faults
