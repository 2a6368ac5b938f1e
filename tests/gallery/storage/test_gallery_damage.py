"""A damaged gallery file raises a Mien error or still works; it never crashes."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spheres import ORIGIN, centre, enrolled, faces

from mien.errors import GalleryError, MienError, NotAGallery
from mien.gallery import Gallery
from mien.gallery.exchange.transfer import export_gallery
from mien.gallery.integrity import check_gallery
from mien.gallery.storage.database import FILE


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the path of a gallery's file; its bytes would make long test reports."""
    folder = tmp_path_factory.mktemp("whole") / "g"
    with Gallery.create(folder, ORIGIN, thumbnails=True) as gallery:
        enrolled(gallery, 4, 2)
        gallery.reject("person 0", centre(9))
    return folder / FILE


def use(folder):
    with Gallery.open(folder) as gallery:
        gallery.identify(faces(centre(0)))
        for person in gallery.people():
            for picture in gallery.pictures(person.id):
                gallery.thumbnail(picture.id)
        gallery.audit_trail()
        export_gallery(gallery)
        check_gallery(gallery)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=6),
    st.sampled_from([1.0, 0.5, 0.1, 0.002]),
)
def test_random_damage(whole, tmp_path_factory, changes, left):
    broken = bytearray(whole.read_bytes())
    for place, value in changes:
        broken[place % len(broken)] = value
    folder = tmp_path_factory.mktemp("broken")
    (folder / FILE).write_bytes(broken[: round(left * len(broken))])
    try:
        use(folder)
    except MienError as error:
        assert str(error)  # noqa: PT017


def test_a_schema_that_is_not_text_is_damage(whole, tmp_path):
    broken = whole.read_bytes().replace(b"CREATE TABLE", b"CREATE T\x80BLE")
    (tmp_path / FILE).write_bytes(broken)
    with pytest.raises(NotAGallery, match="damaged"):
        Gallery.open(tmp_path)


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
def test_invalid_values(whole, tmp_path, column, value):
    (tmp_path / FILE).write_bytes(whole.read_bytes())
    table, name = column.split(".")
    base = sqlite3.connect(tmp_path / FILE)
    with suppress(sqlite3.IntegrityError):  # the schema itself does not take it
        base.execute(f"UPDATE {table} SET {name} = {value} WHERE rowid = 1")  # noqa: S608
    base.commit()
    base.close()
    try:
        use(tmp_path)
    except GalleryError as error:
        assert str(error)  # noqa: PT017


@pytest.mark.parametrize("name", ["t", "sqlitex"])
def test_a_foreign_trigger_is_reported(whole, tmp_path, name):
    (tmp_path / FILE).write_bytes(whole.read_bytes())
    base = sqlite3.connect(tmp_path / FILE)
    trigger = "CREATE TRIGGER {} AFTER INSERT ON photos BEGIN DELETE FROM people; END"
    base.execute(trigger.format(name))
    base.close()
    with Gallery.open(tmp_path) as gallery:
        faults = check_gallery(gallery).faults
        assert any(f"{name} in the schema is not" in fault for fault in faults)


def test_a_generation_that_is_no_number_is_damage(whole, tmp_path):
    (tmp_path / FILE).write_bytes(whole.read_bytes())
    base = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    base.execute("UPDATE meta SET value = 'x' WHERE key = 'generation'")
    base.close()
    with pytest.raises(NotAGallery, match="generation is not a number"):
        Gallery.open(tmp_path)
