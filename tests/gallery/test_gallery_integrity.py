"""The check reports faults and traces of deleted data."""

from __future__ import annotations

import pytest
from spheres import ORIGIN, centre, enrolled, face_sample, views

from mien.gallery import Gallery
from mien.gallery.integrity import check_gallery


@pytest.fixture
def gallery(tmp_path):
    with Gallery.create(tmp_path, ORIGIN, thumbnails=True) as made:
        enrolled(made, 4, 2)
        made.reject("person 0", centre(9))
        yield made


def test_an_intact_gallery_has_no_faults(gallery):
    found = check_gallery(gallery)
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
        ("UPDATE people SET spelling = 'x' WHERE number = 1", (), "is not found by the name"),
        ("UPDATE negatives SET template = ?", (bytes(256),), "not of length 1"),
        ("UPDATE negatives SET template = x'00'", (), "rejected faces"),
        ("UPDATE photos SET person = 99 WHERE number = 1", (), "is missing"),
        ("DROP INDEX photos_of", (), "photos_of in the schema is not as"),
        ("ALTER TABLE people ADD COLUMN shoe_size INTEGER", (), "people in the schema is not as"),
    ],
)
def test_faults_are_reported(gallery, sql, values, fault):
    base = gallery._database.base
    base.execute("PRAGMA foreign_keys = OFF")
    base.execute(sql, values)
    assert fault in "\n".join(check_gallery(gallery).faults)


def test_foreign_files_are_reported(gallery):
    (gallery.path / "holiday.jpg").write_bytes(b"x")
    assert check_gallery(gallery).faults == (
        "holiday.jpg in the folder does not belong to the gallery",
    )


def test_traces_of_deleted_data_are_reported(gallery, monkeypatch):
    """Rows deleted without secure_delete and not wiped: the check wipes them, or reports them."""
    base = gallery._database.base
    base.execute("PRAGMA secure_delete = OFF")
    base.execute("DELETE FROM people WHERE name = 'person 2'")
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    trace = face_sample(2, 0).embedding.tobytes()[:64]
    path = gallery.path / "gallery.sqlite"
    assert trace in path.read_bytes()
    monkeypatch.setattr(gallery._database, "scrub", lambda: None)
    found = check_gallery(gallery)
    assert not found.clean
    assert "traces" in found.faults[-1]
    monkeypatch.undo()
    base.execute("PRAGMA secure_delete = ON")
    assert check_gallery(gallery).clean
    assert trace not in path.read_bytes()


def test_bytes_after_the_last_page_are_reported(gallery, monkeypatch):
    check_gallery(gallery)
    monkeypatch.setattr(gallery._database, "scrub", lambda: None)
    with (gallery.path / "gallery.sqlite").open("ab") as file:
        file.write(TEMPLATE)
    found = check_gallery(gallery)
    assert found.faults == ("the file is longer than its pages",)
    assert not found.clean


def test_a_log_that_is_not_empty_is_reported(gallery, monkeypatch):
    gallery.enrol("person 0", face_sample(0, 8))
    monkeypatch.setattr(gallery._database, "scrub", lambda: None)
    assert "the log of changes is not empty" in check_gallery(gallery).faults
