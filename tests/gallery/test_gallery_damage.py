"""A gallery whose file is damaged is told of, or still works: it never crashes."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spheres import ORIGIN, centre, enrolled, faces

from mien.errors import GalleryError, MienError
from mien.gallery import Gallery
from mien.gallery.check import check
from mien.gallery.database import FILE
from mien.gallery.transfer import export


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the bytes of a gallery's file."""
    folder = tmp_path_factory.mktemp("whole") / "g"
    with Gallery.create(folder, ORIGIN, thumbnails=True) as gallery:
        enrolled(gallery, 4, 2)
        gallery.reject("person 0", centre(9))
    return (folder / FILE).read_bytes()


def use(folder):
    with Gallery.open(folder) as gallery:
        gallery.identify(faces(centre(0)))
        for person in gallery.people():
            for picture in gallery.pictures(person.id):
                gallery.thumbnail(picture.id)
        gallery.audit_trail()
        export(gallery)
        check(gallery)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_damage_anywhere(whole, tmp_path_factory, data):
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(broken) - 1))
        broken[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([len(broken), len(broken) // 2, 4096, 100]))
    folder = tmp_path_factory.mktemp("broken")
    (folder / FILE).write_bytes(broken[:cut])
    try:
        use(folder)
    except MienError as error:
        assert str(error)  # noqa: PT017


VALUES = ["'x'", "''", "-1", "0", "1e99", "x'00'", "NULL", "x'ff'"]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "column",
    [
        "people.id", "people.name", "people.spelling", "people.created", "photos.contract",
        "photos.quality", "photos.template", "photos.thumbnail", "photos.sha256", "photos.added",
        "negatives.template", "negatives.contract", "meta.value", "audit.time",
    ],
)  # fmt: skip
def test_values_that_make_no_sense(whole, tmp_path, column, value):
    (tmp_path / FILE).write_bytes(whole)
    table, name = column.split(".")
    base = sqlite3.connect(tmp_path / FILE)
    # As somebody would who edits the file by hand.
    with suppress(sqlite3.IntegrityError):  # the schema itself does not take it
        base.execute(f"UPDATE {table} SET {name} = {value} WHERE rowid = 1")  # noqa: S608
    base.commit()
    base.close()
    try:
        use(tmp_path)
    except GalleryError as error:
        assert str(error)  # noqa: PT017


def test_a_trigger_of_somebody_elses_is_told(whole, tmp_path):
    (tmp_path / FILE).write_bytes(whole)
    base = sqlite3.connect(tmp_path / FILE)
    base.execute("CREATE TRIGGER t AFTER INSERT ON photos BEGIN DELETE FROM people; END")
    base.close()
    with Gallery.open(tmp_path) as gallery:
        assert any("t is not" in fault for fault in check(gallery).faults)
