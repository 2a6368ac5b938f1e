"""A gallery from Python: photos in any form, engine opened when needed, repr and JSON."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from PIL import Image
from spheres import BARE, ORIGIN, centre, enrolled, face_sample

import mien
from mien.errors import ContractMismatch, GalleryExists, OutputError, PhotoError
from mien.gallery import Gallery, ImportedPerson, Origin
from mien.gallery.exchange.transfer import Export, export_gallery
from mien.gallery.integrity import check_gallery
from mien.gallery.storage import connecting, database
from mien.matching import Matcher
from mien.photo import encode_png
from toy_graphs import red_squares, toy_engine


@pytest.fixture(scope="module")
def toys():
    return toy_engine()


@pytest.fixture
def pixels():
    return red_squares(480, 640, [(20, 30)])


@pytest.fixture
def office(tmp_path, toys):
    """Return an open gallery of one person, made from an engine."""
    with mien.Gallery.create(tmp_path / "office", toys) as gallery:
        yield gallery


def test_a_gallery_is_made_from_an_engine_or_its_origin(tmp_path, toys):
    with Gallery.create(tmp_path / "engine", toys) as gallery:
        assert gallery.engine is toys
        assert gallery.origin.contract == toys.contract
    with Gallery.create(tmp_path / "origin", Origin.of(toys)) as other:
        assert other.origin == gallery.origin


def forms_of(pixels, folder):
    """Return one photo in every form: path, text, bytes, array, PIL image, `Photo`."""
    path = folder / "ada.png"
    data = encode_png(pixels)
    path.write_bytes(data)
    return [path, str(path), data, pixels, Image.fromarray(pixels), mien.read_photo(path)]


def test_a_photo_in_any_form_is_enrolled_and_identified(office, pixels, tmp_path):
    forms = forms_of(pixels, tmp_path)
    for number, photo in enumerate(forms):
        name = f"person {number}"
        first = office.enrol_photo(name, photo, force=True)
        assert first.taken, photo
        assert office.enrol_photo(name, photo).reason == "already-enrolled"
        (face,) = office.identify_photo(photo)
        assert face.name is not None
        assert face.answer.person_id in {person.id for person in office.people()}
        office.forget(name)
    with pytest.raises(PhotoError):
        office.enrol_photo("Ada", tmp_path / "missing.jpg")
    with pytest.raises(PhotoError):
        office.identify_photo(b"not a photo")


def test_faces_are_the_same_as_those_of_the_matcher(office, pixels, toys):
    office.enrol_photo("Ada", pixels, force=True)
    matcher: Matcher = office
    (face,) = office.identify_photo(pixels)
    (answer,) = matcher.identify(toys.embed_photo(mien.open_photo(pixels)).embeddings)
    assert face.answer == answer
    assert face.to_dict()["name"] == "Ada"


def test_the_engine_is_opened_when_it_is_first_used(tmp_path, toys, pixels, monkeypatch):
    opened = []

    def open_engine(**options):
        opened.append(options)
        return toys

    Gallery.create(tmp_path / "office", Origin.of(toys)).close()
    monkeypatch.setattr("mien.engine.Engine.open", open_engine)
    with Gallery.open(tmp_path / "office") as gallery:
        gallery.people()
        assert opened == []
        gallery.enrol_photo("Ada", pixels, force=True)
        gallery.identify_photo(pixels)
    (options,) = opened
    assert options["embedder"] == toys.embedder_card.id
    assert options["settings"] == toys.settings


def test_an_engine_that_makes_other_embeddings_is_refused(tmp_path, toys, pixels, monkeypatch):
    monkeypatch.setattr("mien.engine.Engine.open", lambda **_: toys)
    with Gallery.create(tmp_path, ORIGIN) as gallery, pytest.raises(ContractMismatch):
        gallery.identify_photo(pixels)


def test_repr_is_one_short_line(tmp_path):
    with Gallery.create(tmp_path / "g", ORIGIN) as gallery:
        assert repr(gallery).endswith("0 people, always unknown>")
        enrolled(gallery, 2, 2)
        taken = gallery.enrol("person 0", face_sample(0, 5))
        forced = gallery.enrol("person 0", face_sample(1, 5), force=True)
        refused = gallery.enrol("person 0", face_sample(1, 6))
        person, picture = gallery.person("person 0"), gallery.pictures("person 0")[0]
        imported = ImportedPerson("Ada", [face_sample(7, 0)], negatives=[centre(1)])
        export = Export(export_gallery(gallery))
        reprs = {
            repr(gallery): f"<Gallery {str(gallery.path)!r}, 2 people, unknown below 0.",
            repr(person): f"<Person 'person 0' {person.id}, 4 photos>",
            repr(picture): f"<Picture {picture.id} of 'person-0/0.jpg', quality 1.00>",
            repr(taken): f"<Enrolment of {taken.picture} as {person.id}>",
            repr(forced): f"as {person.id}, forced: like-somebody-else>",
            repr(refused): "<Enrolment refused: like-somebody-else>",
            repr(face_sample(0, 0)): "<FaceSample of 'person-0/0.jpg', quality 1.00>",
            repr(imported): "<ImportedPerson 'Ada', 1 photo>",
            repr(gallery.origin): f"<Origin toy + toy, contract {'c' * 16}>",
            repr(export): f"<Export of {gallery.origin!r}, 2 people>",
            repr(check_gallery(gallery)): "<IntegrityReport 0 faults>",
        }
    for text, expected in reprs.items():
        assert expected in text
        assert "\n" not in text
        assert len(text) < 160


def test_to_dict_gives_json_values(tmp_path):
    with Gallery.create(tmp_path, ORIGIN, rate=0.02, thumbnails=True) as gallery:
        enrolled(gallery, 3, 2)
        refused = gallery.enrol("person 0", face_sample(1, 6))
        (event, *_) = gallery.audit_trail()
        (picture, *_) = gallery.pictures("person 0")
        person = gallery.person("person 0")
        facts = gallery.to_dict()
        values = [
            facts,
            refused.to_dict(),
            event.to_dict(),
            picture.to_dict(),
            person.to_dict(),
            check_gallery(gallery).to_dict(),
        ]
    assert json.loads(json.dumps(values)) == values
    assert (facts["people"], facts["photos"], facts["thumbnails"]) == (3, 6, True)
    assert facts["policy"]["false_positive_rate"] == 0.02
    assert refused.to_dict()["reason"] == "like-somebody-else"
    assert refused.to_dict()["evidence"]["name"] == "person 1"
    assert person.to_dict()["photos"] == 2


def test_an_array_of_another_type_is_refused(office):
    with pytest.raises(PhotoError, match="float32"):
        office.identify_photo(np.zeros((8, 8, 3), np.float32))


def test_a_folder_with_other_files_is_not_made_a_gallery(tmp_path):
    (tmp_path / "party.jpg").write_bytes(b"a photo")
    with pytest.raises(OutputError, match="not a gallery's"):
        Gallery.create(tmp_path, ORIGIN)
    assert [path.name for path in tmp_path.iterdir()] == ["party.jpg"]


@pytest.mark.parametrize("linked", [True, False])
def test_of_two_galleries_made_at_once_in_one_folder_one_is_made(tmp_path, monkeypatch, linked):
    """Both see that there is none; a file system without hard links is slower to say so."""
    real = connecting.publish_new
    if not linked:

        def no_links(*_):
            raise PermissionError

        monkeypatch.setattr(os, "link", no_links)

    def overtaken(part, final):
        monkeypatch.setattr(database, "publish_new", real)
        with Gallery.create(tmp_path, BARE) as first:
            first.add_person("Ada")
        real(part, final)

    monkeypatch.setattr(database, "publish_new", overtaken)
    with pytest.raises(GalleryExists):
        Gallery.create(tmp_path, BARE)
    with Gallery.open(tmp_path) as kept:
        assert [person.name for person in kept.people()] == ["Ada"]
        assert check_gallery(kept).faults == ()


@pytest.mark.parametrize("number", [np.float64, np.float32])
def test_a_numpy_number_as_the_rate(tmp_path, number):
    """NumPy writes such a number as text that no gallery can read back."""
    with Gallery.create(tmp_path / "office", ORIGIN, rate=number(0.25)) as gallery:
        gallery.set_rate(number(0.125))
    with Gallery.open(tmp_path / "office") as gallery:
        assert gallery.rate == 0.125


def test_a_closed_gallery_is_not_reported_as_damaged(tmp_path):
    with Gallery.create(tmp_path / "office", ORIGIN) as gallery:
        pass
    with pytest.raises(ValueError, match="closed"):
        gallery.people()


@pytest.mark.parametrize("person", [None, 5, b"Ada", ["Ada"]], ids=repr)
def test_a_person_that_is_no_text(office, pixels, person):
    with pytest.raises(TypeError, match="id or name"):
        office.enrol_photo(person, pixels)
    with pytest.raises(TypeError, match="id or name"):
        office.forget(person)
    assert not office.people()


def test_an_origin_of_another_type_makes_no_folder(tmp_path):
    with pytest.raises(TypeError, match="Origin"):
        Gallery.create(tmp_path / "office", "sface-2021dec")
    assert not (tmp_path / "office").exists()


def test_texts_that_are_not_unicode(office, pixels, tmp_path):
    """A file's name may have any bytes, and JSON can hold half a character."""
    path = tmp_path / "a\udcff.png"
    path.write_bytes(encode_png(pixels))
    assert office.enrol_photo("Ad\udcff", path, consent="\ud800 by letter", force=True).taken
    (ada,) = office.people()
    assert ada.name == "Ad\ufffd"
    assert ada.consent.endswith("by letter")
    assert office.person("Ad\udcff") == ada
    assert office.pictures("Ad\udcff")[0].source.endswith("a\ufffd.png")
