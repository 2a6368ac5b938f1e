"""Export and import of galleries, and hostile export files."""

from __future__ import annotations

import io
import itertools
import json
import stat
import struct
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spheres import BARE, ORIGIN, centre, enrolled, face_sample, faces

from mien.errors import BadExport, ContractMismatch, GalleryLocked
from mien.gallery import Gallery, Origin
from mien.gallery.exchange.transfer import Export, export_gallery, import_into

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return the bytes of an export of three people, and the head and people of its gallery."""
    with Gallery.create(tmp_path_factory.mktemp("g") / "g", ORIGIN, thumbnails=True) as gallery:
        enrolled(gallery, 3, 2)
        gallery.reject("person 1", centre(9))
        gallery.note_consent("person 0", "by letter")
        gallery.add_person("Émilie")
        return export_gallery(gallery), gallery.head(), gallery.people()


def repacked(data: bytes, **changes) -> bytes:
    """Return the archive with members replaced (bytes), removed (None) or added."""
    before = zipfile.ZipFile(io.BytesIO(data))
    members = {name: before.read(name) for name in before.namelist()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in {**members, **changes}.items():
            if content is not None:
                archive.writestr(name, content)
    return buffer.getvalue()


def card_of(data: bytes) -> dict:
    return json.loads(zipfile.ZipFile(io.BytesIO(data)).read("gallery.json"))


def test_everything_is_imported(exported, tmp_path):
    data, head, people = exported
    assert import_into(tmp_path / "new", Export(data)) == (4, 6)
    with Gallery.open(tmp_path / "new") as new:
        found = new.head()
        assert found.prototypes.tobytes() == head.prototypes.tobytes()
        assert found.negatives.tobytes() == head.negatives.tobytes()
        assert (found.people, found.policy) == (head.people, head.policy)
        kept = [(p.id, p.name, p.consent, p.source, p.photos) for p in new.people()]
        assert kept == [(p.id, p.name, p.consent, p.source, p.photos) for p in people]
        (first, *_) = new.pictures("person 0")
        assert new.thumbnail(first.id) == face_sample(0, 0).crop
        assert first.sha256 == face_sample(0, 0).sha256
        before = card_of(data)["people"][0]
        assert new.person("person 0").created == before["created"]
        kept = [(picture.added, picture.forced) for picture in new.pictures("person 0")]
        assert kept == [(photo["added"], photo["forced"]) for photo in before["photos"]]
    assert import_into(tmp_path / "new", Export(data)) == (4, 0)


def test_import_into_a_gallery_with_people(exported, tmp_path):
    with Gallery.create(tmp_path, ORIGIN) as gallery:
        mine = gallery.enrol("PERSON 0", face_sample(0, 7)).person
    assert import_into(tmp_path, Export(exported[0])) == (4, 6)
    with Gallery.open(tmp_path) as gallery:
        assert gallery.person("person 0").id == mine
        assert gallery.person("person 0").photos == 3
        assert not any(picture.thumbnail for picture in gallery.pictures("person 0"))


def test_nothing_is_imported_into_a_gallery_of_other_embeddings(exported, tmp_path):
    other = Origin("d" * 16, 64)
    Gallery.create(tmp_path, other).close()
    with pytest.raises(ContractMismatch):
        import_into(tmp_path, Export(exported[0]))
    with Gallery.open(tmp_path) as gallery:
        assert gallery.people() == ()


def test_an_encrypted_gallery_is_exported_encrypted(tmp_path):
    with Gallery.create(tmp_path / "a", BARE, key=KEY) as gallery:
        enrolled(gallery, 2, 2)
        data, plain = export_gallery(gallery), export_gallery(gallery, plain=True)
    assert face_sample(0, 0).embedding.tobytes()[:32] not in data
    assert b"person" not in data
    assert Export(plain).people[0].name == "person 0"
    for key in (None, bytes(32)):
        with pytest.raises(GalleryLocked):
            Export(data, key=key)
    with pytest.raises(GalleryLocked):
        Export(data[:-1], key=KEY)
    import_into(tmp_path / "b", Export(data, key=KEY), key=KEY)
    with Gallery.open(tmp_path / "b", key=KEY) as gallery:
        assert gallery.encrypted
        assert gallery.identify(faces(centre(1)))[0].candidates[0].name == "person 1"


def test_an_empty_gallery_is_exported(tmp_path):
    with Gallery.create(tmp_path / "a", ORIGIN) as gallery:
        data = export_gallery(gallery)
    assert import_into(tmp_path / "b", Export(data)) == (0, 0)


@pytest.mark.parametrize(
    "name",
    [
        "../evil", "/etc/passwd", "C:\\evil", "thumbnails/../../evil.jpg", "thumbnails/99.jpg",
        "thumbnails/0.jpg/x", "GALLERY.JSON", "templates.f32.bak",
    ],
)  # fmt: skip
def test_unexpected_members_are_refused(exported, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadExport, match="did not write"):
        Export(repacked(exported[0], **{name: b"x"}))
    assert list(tmp_path.rglob("*")) == []


def test_members_that_are_missing_short_long_or_duplicate_are_refused(exported):
    data = exported[0]
    for name in ("gallery.json", "templates.f32", "negatives.f32"):
        content = zipfile.ZipFile(io.BytesIO(data)).read(name)
        for change in (None, content[:-4], content + bytes(4), b""):
            with pytest.raises(BadExport):
                Export(repacked(data, **{name: change}))
    buffer = io.BytesIO(data)
    with (
        zipfile.ZipFile(buffer, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate"),
    ):
        archive.writestr("templates.f32", b"")
    with pytest.raises(BadExport, match="twice"):
        Export(buffer.getvalue())


def test_invalid_embeddings_are_refused(exported):
    count = len(zipfile.ZipFile(io.BytesIO(exported[0])).read("templates.f32")) // 4
    for rows in (np.zeros(count), np.full(count, np.nan), np.full(count, np.inf), np.ones(count)):
        with pytest.raises(BadExport):
            Export(repacked(exported[0], **{"templates.f32": rows.astype("<f4").tobytes()}))


def test_a_decompression_bomb_is_not_unpacked(exported):
    """Of a member with gigabytes of zeros only the expected kilobytes are read."""
    buffer = io.BytesIO()
    before = zipfile.ZipFile(io.BytesIO(exported[0]))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("gallery.json", before.read("gallery.json"))
        archive.writestr("negatives.f32", before.read("negatives.f32"))
        with archive.open("templates.f32", "w", force_zip64=True) as member:
            for _ in range(32):
                member.write(bytes(1 << 22))
    assert len(buffer.getvalue()) < 1 << 20
    with pytest.raises(BadExport, match="unpacks to"):
        Export(buffer.getvalue())


def _filled(size: int, start: bytes = b"", end: bytes = b"") -> Iterator[bytes]:
    yield start
    yield from itertools.repeat(b"{}," * (1 << 16), size // (3 << 16))
    yield b"{}" + end


@pytest.mark.parametrize("part", ["gallery.json", "templates.f32"])
def test_sizes_are_checked_before_anything_is_read(exported, part):
    """An export of under 2 MB that unpacks to 200 MB: neither unpacked nor parsed."""
    card = card_of(exported[0])
    card["origin"]["dimension"] = 1 << 16
    photos = [card["people"][0]["photos"][0]] * 400
    card["people"] = [{**card["people"][0], "photos": photos, "negatives": 0}]
    fillings = {
        "gallery.json": [json.dumps(card).encode()],
        "templates.f32": itertools.repeat(bytes(1 << 19), 400),  # the size that the card states
        "negatives.f32": [b""],
    }
    if part == "gallery.json":
        fillings[part] = _filled(200 << 20, b'{"format": 1, "people": [', b"]}")
        fillings["templates.f32"] = [b""]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, blocks in fillings.items():
            with archive.open(name, "w", force_zip64=True) as member:
                for block in blocks:
                    member.write(block)
    data = buffer.getvalue()
    assert len(data) < 2_000_000
    tracemalloc.start()
    try:
        with pytest.raises(BadExport, match="unpacks to"):
            Export(data)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_list_of_mere_brackets_is_not_parsed(exported):
    card = b'{"format": 1, "people": [' + b"{}," * 200_000 + b"{}]}"
    with pytest.raises(BadExport, match="list of people is malformed"):
        Export(repacked(exported[0], **{"gallery.json": card}))


CHANGES = [
    ("format", 2), ("format", "1"), ("format", None), ("origin", {}), ("origin", None),
    ("origin", {"contract": "c", "dimension": 1e9}), ("rate", "x"), ("rate", 0), ("rate", 1.5),
    ("people", None),
    ("people", [{}]), ("people", {"a": 1}), ("people", "abc"), ("people", []),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), CHANGES)
def test_malformed_metadata_is_refused(exported, key, value):
    card = card_of(exported[0])
    card[key] = value
    with pytest.raises(BadExport):
        Export(repacked(exported[0], **{"gallery.json": json.dumps(card)}))


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""}, {"name": 5}, {"name": "x" * 300}, {"name": "person 1"}, {"id": None},
        {"id": "../x"},
        {"negatives": 99}, {"negatives": -1}, {"negatives": 10**12}, {"photos": []},
        {"photos": [{"quality": 0.5}]}, {"consent": "x" * 20_000},
        {"photos": [{"quality": 7.0, "sha256": "", "source": ""}] * 2},
        {"photos": [{"quality": float("nan"), "sha256": "", "source": ""}] * 2},
    ],
)  # fmt: skip
def test_malformed_people_are_refused(exported, change):
    card = card_of(exported[0])
    card["people"][0].update(change)
    with pytest.raises(BadExport):
        Export(repacked(exported[0], **{"gallery.json": json.dumps(card)}))


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_that_the_packing_notices_is_refused(exported, packing):
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(exported[0])) as old,
        zipfile.ZipFile(buffer, "w", packing) as made,
    ):
        for name in old.namelist():
            made.writestr(name, old.read(name))
        place = made.getinfo("gallery.json").header_offset
    data = bytearray(buffer.getvalue())
    data[place + 60 : place + 90] = bytes(30)
    with pytest.raises(BadExport):
        Export(bytes(data))


@settings(max_examples=150)
@given(st.data())
def test_random_damage_is_reported_or_harmless(exported, data):
    broken = bytearray(exported[0])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(broken) - 1))
        broken[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(broken)))
    for content in (bytes(broken), bytes(broken[:cut]), bytes(broken[cut:])):
        try:
            found = Export(content)
        except BadExport:
            continue
        assert len(found.people) == 4


@pytest.mark.parametrize("content", [b"", b"PK", b"\0" * 100, struct.pack("<I", 0x06054B50) * 20])
def test_other_files_are_refused(content):
    with pytest.raises(BadExport, match="not an export"):
        Export(content)


@pytest.mark.skipif(sys.platform == "win32", reason="no modes")
def test_only_the_owner_can_read_an_export(tmp_path):
    from mien.cli import cli

    with Gallery.create(tmp_path / "g", ORIGIN):
        pass
    cli.main(
        ["gallery", "export", str(tmp_path / "g"), "-o", str(tmp_path / "out")],
        standalone_mode=False,
    )
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "g").stat().st_mode) == 0o700
