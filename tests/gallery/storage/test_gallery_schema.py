"""Galleries of every older version are brought up to date, with all their contents."""

from __future__ import annotations

import sqlite3

import pytest
from older import older_gallery
from spheres import ORIGIN, face_sample

from mien.errors import NotAGallery
from mien.gallery import Gallery
from mien.gallery.integrity import check_gallery
from mien.gallery.storage.database import FILE, Database, create_database
from mien.gallery.storage.rows import GalleryStore
from mien.gallery.storage.schema import (
    SEALED_FROM,
    STEPS,
    VERSION,
    application_of,
    migrate,
    version_of,
)

META = {"origin": ORIGIN.text(), "rate": "0.01", "thumbnails": "0", "lock": "", "scrub": "0"}


def tables(base):
    return dict(base.execute("SELECT name, sql FROM sqlite_master"))


@pytest.mark.parametrize("version", range(1, SEALED_FROM))
def test_a_gallery_of_each_version_is_opened_and_used(tmp_path, version):
    folder = tmp_path / "old"
    older_gallery(folder, version)
    with Gallery.create(tmp_path / "new", ORIGIN) as new:
        for number, name in ((1, "Ada"), (2, "Émilie")):
            for photo in range(3):
                new.enrol(name, face_sample(number, photo), force=True)
        with Gallery.open(folder) as old:
            assert [p.name for p in old.people()] == ["Ada", "Émilie"]
            assert [p.photos for p in old.people()] == [3, 3]
            assert old.person("Ada").consent == "by letter"
            assert old.head().prototypes.tobytes() == new.head().prototypes.tobytes()
            assert tables(old._database.base) == tables(new._database.base)
            assert check_gallery(old).faults == ()
            old.reject("Ada", face_sample(2, 0).embedding)
            old.forget("Émilie")
            assert [event.action for event in old.audit_trail()] == ["forgotten", "rejected"]


def test_invisible_characters_in_names_of_an_older_gallery_are_ignored(tmp_path):
    older_gallery(tmp_path / "old", 2)
    base = sqlite3.connect(tmp_path / "old" / FILE)
    base.execute("UPDATE people SET name = 'Ada\u200c', spelling = 'ada\u200c' WHERE number = 1")
    base.execute("UPDATE people SET name = 'Ada', spelling = 'ada' WHERE number = 2")
    base.commit()
    base.close()
    with Gallery.open(tmp_path / "old") as gallery:
        first, second = gallery.people()
        assert {first.name, second.name} == {"Ada", "Ada\u200c"}
        # The person who had the name keeps it; the other is reported.
        assert gallery.person("Ada\u200c").name == "Ada"
        (fault,) = check_gallery(gallery).faults
        assert "the person is not found by the name" in fault
        other = next(person for person in (first, second) if person.name != "Ada")
        gallery.rename(other.id, "Ada L")
        assert check_gallery(gallery).faults == ()
    older_gallery(tmp_path / "older", 2)
    base = sqlite3.connect(tmp_path / "older" / FILE)
    base.execute("UPDATE people SET name = 'Ada\u200c', spelling = 'ada\u200c' WHERE number = 1")
    base.commit()
    base.close()
    with Gallery.open(tmp_path / "older") as gallery:
        assert gallery.person("ada").name == gallery.person("Ada\u200c").name == "Ada\u200c"
        assert check_gallery(gallery).faults == ()


def test_a_blank_database_gets_the_current_schema():
    base = sqlite3.connect(":memory:", isolation_level=None)
    migrate(base)
    assert version_of(base) == VERSION == len(STEPS)
    assert application_of(base).to_bytes(4, "big") == b"Mien"
    before = tables(base)
    migrate(base)
    assert tables(base) == before


def test_a_failing_migration_leaves_the_old_version(monkeypatch):
    base = sqlite3.connect(":memory:", isolation_level=None)
    migrate(base, to=1)
    before = tables(base)
    broken = (*STEPS[:-1], "CREATE TABLE half (a TEXT); CREATE TABLE half (a TEXT);")
    monkeypatch.setattr("mien.gallery.storage.schema.STEPS", broken)
    with pytest.raises(sqlite3.OperationalError):
        migrate(base)
    assert tables(base) == before
    assert version_of(base) == 1


def test_a_newer_version_is_refused_and_not_changed(tmp_path):
    create_database(tmp_path, META)
    base = sqlite3.connect(tmp_path / FILE)
    base.execute(f"PRAGMA user_version = {VERSION + 1}")
    base.close()
    with pytest.raises(NotAGallery, match="newer version"):
        Database(tmp_path)


def test_a_foreign_database_is_refused_and_not_changed(tmp_path):
    base = sqlite3.connect(tmp_path / FILE)
    base.execute("CREATE TABLE people (name TEXT)")
    base.close()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(NotAGallery, match="not made by Mien"):
        Database(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_failed_transaction_is_rolled_back(tmp_path):
    create_database(tmp_path, META)
    database = Database(tmp_path)
    store = GalleryStore(database, ORIGIN.dimension, ORIGIN.contract)

    def fail_half_way():
        with database.writing():
            store.add_person("Ada", "ada", consent="", source="")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert store.people() == []
    with database.writing():
        store.add_person("Ada", "ada", consent="", source="")
    assert [person.name for _, person in store.people()] == ["Ada"]
    database.close()
