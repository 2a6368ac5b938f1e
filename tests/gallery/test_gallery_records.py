"""What a gallery keeps of a change: rejections, times, lines of the audit trail, every field."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from spheres import ORIGIN, centre, enrol_all, enrolled, face_sample, views

from mien.gallery import Gallery
from mien.gallery.exchange.transfer import Export, export_gallery, import_into
from mien.gallery.storage import people_rows, rows

KEY = bytes(range(32))
KEYS = pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])


@pytest.fixture(params=[None, KEY], ids=["plain", "encrypted"])
def gallery(request, tmp_path):
    with Gallery.create(tmp_path / "g", ORIGIN, thumbnails=True, key=request.param) as made:
        yield made


@pytest.fixture
def clock(monkeypatch):
    """Let the time rise by a second with each look at it."""
    seconds = iter(range(10**6))

    def now():
        second = next(seconds)
        return f"2026-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}+00:00"

    monkeypatch.setattr(people_rows, "now", now)
    monkeypatch.setattr(rows, "now", now)


def rejected(gallery):
    """Return whom each rejected face is not, by the bytes of the face."""
    with gallery.exclusively() as store:
        found, names = store.negatives(), store.names()
    return {
        vector.tobytes(): names[number][1]
        for vector, number in zip(found.vectors, found.numbers.tolist(), strict=True)
    }


def test_a_rejection_of_the_users_own_outlives_the_photo_it_is_like(gallery):
    """The face of a photo was rejected as its person: forgetting the photo does not undo that."""
    enrolled(gallery, 2, 2)
    face = views(0, 1)[0]
    gallery.reject("person 0", face)
    gallery.reject("person 1", face)
    gallery.reject("person 1", centre(50))
    assert len(rejected(gallery)) == 2
    (_, photo) = gallery.pictures("person 0")
    gallery.forget_picture(photo.id)
    assert rejected(gallery) == {
        face.tobytes(): "person 0",
        centre(50).tobytes(): "person 1",
    }


def test_forgetting_a_person_keeps_the_rejections_of_others(gallery):
    enrolled(gallery, 3, 2)
    gallery.reject("person 0", centre(50))  # goes with person 0
    gallery.reject("person 1", views(0, 0)[0])  # shows person 0
    gallery.reject("person 1", centre(51), shows="person 0")
    gallery.reject("person 1", centre(52))
    gallery.reject("person 2", views(1, 0)[0])
    gallery.forget("person 0")
    assert rejected(gallery) == {
        centre(52).tobytes(): "person 1",
        views(1, 0)[0].tobytes(): "person 2",
    }


def test_merging_moves_rejections_and_deletes_those_between_the_two(gallery):
    enrolled(gallery, 3, 2)
    gallery.reject("person 0", views(1, 0)[0])  # the one is not the other
    gallery.reject("person 1", views(0, 0)[0])
    gallery.reject("person 0", centre(50), shows="person 1")
    gallery.reject("person 1", centre(51))
    gallery.reject("person 0", centre(52))
    gallery.reject("person 2", centre(53), shows="person 1")
    gallery.merge("person 0", "person 1")
    assert rejected(gallery) == {
        centre(51).tobytes(): "person 0",
        centre(52).tobytes(): "person 0",
        centre(53).tobytes(): "person 2",
    }
    gallery.forget("person 0")  # who is now the one that the last one shows
    assert rejected(gallery) == {}


def changes(gallery):
    """Return calls by what they do, with the line of the audit trail that each leaves."""
    first = gallery.person("person 0").id
    photo = gallery.pictures("person 0")[0].id
    other = gallery.person("person 1").id
    return {
        "enrol": (lambda key: gallery.enrol(first, face_sample(0, 8), key=key), "enrolled", None),
        "rename": (lambda key: gallery.rename(first, "Ada", key=key), "renamed", ""),
        "note": (lambda key: gallery.note_consent(first, "no", key=key), "consent noted", ""),
        "merge": (lambda key: gallery.merge(first, other, key=key), "merged", f"with {other}"),
        "forget a photo": (
            lambda key: gallery.forget_picture(photo, key=key),
            "photo forgotten",
            f"photo {photo}",
        ),
    }


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("name", ["enrol", "rename", "note", "merge", "forget a photo"])
def test_a_change_sets_the_time_and_leaves_a_line(gallery, name):
    enrolled(gallery, 3, 2)
    before = {person.id: person for person in gallery.people()}
    first = gallery.person("person 0")
    change, action, detail = changes(gallery)[name]
    trail = gallery.audit_trail()
    result = change("front desk")
    person = gallery.person(first.id)
    assert person.changed > first.changed
    assert (person.created, person.source) == (first.created, first.source)
    for other in gallery.people():
        if other.id != first.id:
            assert other == before[other.id]
    line, *rest = gallery.audit_trail()
    assert tuple(rest) == trail
    assert (line.action, line.person, line.key) == (action, first.id, "front desk")
    assert line.detail == (f"photo {result.picture}" if detail is None else detail)
    assert line.time > trail[0].time


def test_a_change_from_the_command_line_has_no_key_and_no_source(gallery):
    enrolled(gallery, 4, 2)
    ids = [gallery.person(f"person {number}").id for number in range(4)]
    added = gallery.add_person("Ada")
    assert (added.source, added.consent) == ("", "")
    gallery.rename(ids[0], "Bob")
    gallery.note_consent(ids[0], "yes")
    gallery.merge(ids[0], ids[1])
    gallery.reject(ids[0], centre(9))
    gallery.forget_picture(gallery.pictures("Bob")[0].id)
    gallery.forget(ids[2])
    gallery.audit("identified", [ids[3]])
    trail = gallery.audit_trail()
    assert [line.action for line in trail[:8]] == [
        "identified", "forgotten", "photo forgotten", "rejected", "merged", "consent noted",
        "renamed", "added",
    ]  # fmt: skip
    assert {line.key for line in trail} == {""}


@pytest.mark.usefixtures("clock")
def test_what_leaves_a_line_and_no_other_time(gallery):
    enrolled(gallery, 2, 1)
    first = gallery.person("person 0")
    gallery.reject(first.id, centre(9), key="a")
    gallery.set_rate(0.02)
    gallery.audit("identified", [first.id, "x"], key="b")
    added = gallery.add_person("Ada", consent="yes", source="a list", key="c")
    gallery.forget("person 1", key="d")
    gallery.rotate_key(bytes(32))
    gallery.rotate_key(None)
    lines = [(e.action, e.person, e.key, e.detail) for e in gallery.audit_trail()]
    other = lines[2][1]
    assert lines[:9] == [
        ("key changed", "", "", "not encrypted"),
        ("key changed", "", "", "encrypted"),
        ("forgotten", other, "d", ""),
        ("added", added.id, "c", ""),
        ("identified", "x", "b", ""),
        ("identified", first.id, "b", ""),
        ("rate changed", "", "", "0.02"),
        ("rejected", first.id, "a", ""),
        ("enrolled", other, "", lines[8][3]),
    ]
    assert gallery.person(first.id) == first
    assert gallery.audit_trail(first.id, limit=1)[0].action == "identified"


@pytest.mark.usefixtures("clock")
def test_what_changes_nothing_leaves_no_line(gallery):
    enrolled(gallery, 2, 1)
    gallery.reject("person 0", centre(9))
    before = gallery.audit_trail(), gallery.people(), gallery.generation
    gallery.reject("person 0", centre(9))
    gallery.enrol("person 0", face_sample(0, 0))
    gallery.enrol("person 0", face_sample(1, 5))
    gallery.merge("person 0", "person 0")
    assert (gallery.audit_trail(), gallery.people(), gallery.generation) == before


@KEYS
@pytest.mark.usefixtures("clock")
def test_each_field_is_exported_and_imported(tmp_path, key):
    with Gallery.create(tmp_path / "a", ORIGIN, rate=0.03, thumbnails=True, key=key) as made:
        enrol_all(made, "Ada", 0, 3)
        made.enrol("Ada", face_sample(5, 0, sha256="", source="é/ü.jpg"), force=True)
        made.note_consent("Ada", "by letter\nand phone")
        made.add_person("Zoë", consent="yes", source="a list")
        made.reject("Ada", centre(9))
        made.reject("Zoë", centre(10))
        made.reject("Zoë", centre(11))
        export = Export(export_gallery(made), key=key)
        assert import_into(tmp_path / "b", export, key=key) == (2, 4)
        with Gallery.open(tmp_path / "b", key=key) as other:
            assert (other.origin, other.rate) == (made.origin, 0.03)
            assert other.keeps_thumbnails
            assert other.contract == made.contract
            assert rejected(other) == rejected(made)
            for before, after in zip(made.people(), other.people(), strict=True):
                kept = asdict(before)
                assert kept.pop("changed") < after.changed
                assert kept == {k: v for k, v in asdict(after).items() if k != "changed"}
                compare_photos(made, other, before.id)
            lines = [(e.action, e.person, e.detail) for e in other.audit_trail()][::-1]
            first, second = (person.id for person in made.people())
            assert lines == [
                ("added", first, ""),
                ("taken in", first, "4 photos"),
                ("added", second, ""),
                ("taken in", second, "0 photos"),
            ]


def compare_photos(made, other, person):
    one, two = made.pictures(person), other.pictures(person)
    for before, after in zip(one, two, strict=True):
        assert before.id != after.id
        fields = {k: v for k, v in asdict(before).items() if k != "id"}
        assert fields == {k: v for k, v in asdict(after).items() if k != "id"}
        assert made.thumbnail(before.id) == other.thumbnail(after.id) != b""
    templates = []
    for gallery in (made, other):
        with gallery.exclusively() as store:
            found = store.templates(store.person("id", person)[0])
        templates.append((found.faces.tobytes(), found.mirrored.tobytes(), found.quality.tobytes()))
    assert templates[0] == templates[1]


def test_an_export_of_a_gallery_without_thumbnails_has_none(tmp_path):
    with Gallery.create(tmp_path / "a", ORIGIN) as made:
        enrolled(made, 1, 1)
        export = Export(export_gallery(made))
    assert not export.thumbnails
    assert export.people[0].samples[0].crop == b""
    import_into(tmp_path / "b", export)
    with Gallery.open(tmp_path / "b") as other:
        assert not other.keeps_thumbnails


def test_an_id_that_is_taken_is_not_imported(tmp_path):
    """The person keeps it who has it, and the imported one gets a new one."""
    with Gallery.create(tmp_path / "a", ORIGIN) as made:
        enrolled(made, 1, 1)
        export = Export(export_gallery(made))
        taken = made.person("person 0").id
        made.rename(taken, "Ada")
    import_into(tmp_path / "a", export)
    with Gallery.open(tmp_path / "a") as made:
        assert made.person(taken).name == "Ada"
        assert made.person("person 0").id != taken
        assert made.person("person 0").photos == 1
