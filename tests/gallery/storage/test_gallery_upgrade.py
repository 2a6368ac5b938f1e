"""Galleries of older versions are sealed when they are opened, whole or not at all."""

from __future__ import annotations

import os
import shutil
import sqlite3

import pytest
from older import PEOPLE, id_of, older_gallery
from spheres import ORIGIN, centre, face_sample, faces

from faults import no_waiting, read_only_disk  # noqa: F401
from mien.errors import GalleryLocked, OutputError
from mien.gallery import Gallery
from mien.gallery.exchange.transfer import Export, export_gallery
from mien.gallery.integrity import check_gallery
from mien.gallery.storage import database
from mien.gallery.storage.connecting import FILE
from mien.gallery.storage.schema import SEALED_FROM, VERSION, version_of

KEY = bytes(range(32))
OLDER = pytest.mark.parametrize("version", range(1, SEALED_FROM))
KEYS = pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])

pytestmark = pytest.mark.usefixtures("no_waiting")


def version_in(path):
    base = sqlite3.connect(path)
    try:
        return version_of(base)
    finally:
        base.close()


def check_contents(gallery, version):
    assert [(person.id, person.name) for person in gallery.people()] == [
        (id_of(number), name) for number, name in PEOPLE
    ]
    for number, name in PEOPLE:
        assert gallery.person(name.upper()).consent == "by letter"
        assert gallery.identify(faces(centre(number)))[0].name == name
        for photo, picture in enumerate(gallery.pictures(name)):
            sample = face_sample(number, photo)
            assert (picture.sha256, picture.source) == (sample.sha256, sample.source)
            assert gallery.thumbnail(picture.id) == sample.crop
    with gallery.exclusively() as store:
        assert len(store.negatives()) == (version > 1)


@OLDER
@KEYS
def test_an_older_gallery_is_sealed_when_it_is_opened(tmp_path, version, key):
    older_gallery(tmp_path / "g", version, key)
    for _ in range(2):
        with Gallery.open(tmp_path / "g", key=key) as gallery:
            check_contents(gallery, version)
            assert check_gallery(gallery).faults == ()
            assert gallery.encrypted == (key is not None)
    assert version_in(tmp_path / "g" / FILE) == VERSION
    if key:
        data = (tmp_path / "g" / FILE).read_bytes()
        for text in ("Émilie", "émilie", "by letter", face_sample(1, 0).source):
            assert text.encode() not in data


@pytest.mark.parametrize("key", [None, bytes(32)], ids=["missing", "wrong"])
def test_without_its_key_an_older_gallery_stays_as_it_was(tmp_path, key):
    older_gallery(tmp_path / "g", 3, KEY)
    before = (tmp_path / "g" / FILE).read_bytes()
    with pytest.raises(GalleryLocked):
        Gallery.open(tmp_path / "g", key=key)
    assert version_in(tmp_path / "g" / FILE) == 3
    after = (tmp_path / "g" / FILE).read_bytes()
    assert after[100:] == before[100:]  # the header says that there is a write-ahead log


def test_an_older_gallery_whose_row_was_exchanged_stays_as_it_was(tmp_path):
    older_gallery(tmp_path / "g", 3, KEY)
    base = sqlite3.connect(tmp_path / "g" / FILE)
    base.execute("UPDATE photos SET template = (SELECT template FROM photos WHERE id = '20')")
    base.commit()
    base.close()
    with pytest.raises(GalleryLocked, match="photo 10 cannot be decrypted"):
        Gallery.open(tmp_path / "g", key=KEY)
    assert version_in(tmp_path / "g" / FILE) == 3


@OLDER
@KEYS
def test_an_older_gallery_on_a_read_only_disk_lists_identifies_and_exports(tmp_path, version, key):
    folder = tmp_path / "disk" / "g"
    older_gallery(folder, version, key)
    before = (folder / FILE).read_bytes()
    with read_only_disk(tmp_path / "disk"):
        with Gallery.open(folder, key=key) as gallery:
            check_contents(gallery, version)
            assert len(Export(export_gallery(gallery), key=key).people) == len(PEOPLE)
            for change in (
                lambda: gallery.enrol("new", face_sample(9, 0), force=True),
                lambda: gallery.forget("Ada"),
                lambda: gallery.audit("identified"),
            ):
                with pytest.raises(OutputError, match="read-only"):
                    change()
            check_contents(gallery, version)
        assert [path.name for path in folder.iterdir()] == [FILE]
    assert (folder / FILE).read_bytes() == before


@KEYS
def test_names_that_stood_in_the_clear_are_wiped_after_an_upgrade(tmp_path, key, monkeypatch):
    older_gallery(tmp_path / "g", 3, key)
    found = []
    monkeypatch.setattr(
        database.Database, "finish_scrub", lambda opened: found.append(opened.meta("scrub"))
    )
    Gallery.open(tmp_path / "g", key=key).close()
    assert found == ["1" if key else "0"]


def killed_at(statement, folder, key, monkeypatch):
    """Open a gallery in a process that ends at a statement; return whether it came to that."""
    child = os.fork()
    if not child:
        seen = 0
        real = database.connect

        def traced(*arguments):
            def count(_):
                nonlocal seen
                seen += 1
                if seen == statement:
                    os._exit(1)

            base = real(*arguments)
            base.set_trace_callback(count)
            return base

        try:
            monkeypatch.setattr(database, "connect", traced)
            Gallery.open(folder, key=key)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


@KEYS
def test_an_upgrade_that_is_killed_leaves_the_old_gallery_or_the_new_one(
    tmp_path, key, monkeypatch
):
    older_gallery(tmp_path / "old", 3, key)
    found, statement = set(), 1
    while True:
        folder = tmp_path / str(statement)
        shutil.copytree(tmp_path / "old", folder)
        if not killed_at(statement, folder, key, monkeypatch):
            break
        found.add(version_in(folder / FILE))
        with Gallery.open(folder, key=key) as gallery:
            check_contents(gallery, 3)
            assert check_gallery(gallery).faults == ()
        shutil.rmtree(folder)
        statement += 11
    assert found == {3, VERSION}
    assert statement > 40


def test_a_process_of_an_older_version_does_not_write_into_an_upgraded_gallery(tmp_path):
    """Older versions compare the lock that they read with the one in the file."""
    older_gallery(tmp_path / "g", 3)
    with Gallery.open(tmp_path / "g") as gallery:
        assert gallery._database.meta("lock") != ""


def test_a_new_gallery_has_the_contents_of_an_upgraded_one(tmp_path):
    older_gallery(tmp_path / "g", 3, KEY)
    with (
        Gallery.open(tmp_path / "g", key=KEY) as old,
        Gallery.create(tmp_path / "new", ORIGIN, key=KEY) as new,
    ):
        names = [set(row) for row in (_meta(old), _meta(new))]
        assert names[0] == names[1]


def _meta(gallery):
    return [row[0] for row in gallery._database.base.execute("SELECT key FROM meta")]
