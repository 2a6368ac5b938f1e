"""The public interface of a gallery: enrol, identify, rename, merge, reject, forget."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import replace

import numpy as np
import pytest
from spheres import BARE, ORIGIN, centre, enrolled, face_sample, faces, unit, views

from mien.errors import (
    ContractMismatch,
    GalleryExists,
    GalleryNotFound,
    InvalidName,
    NameTaken,
    NotAGallery,
    UnknownPerson,
    UnknownPicture,
)
from mien.gallery import Gallery, Origin
from mien.training.heads import fit_prototype
from mien.training.samples import Samples
from mien.types import Answer, Embeddings


@pytest.fixture
def gallery(tmp_path):
    with Gallery.create(tmp_path / "people", ORIGIN, thumbnails=True) as made:
        yield made


def named(gallery, *rows):
    return list(gallery.identify(faces(*rows)))


def test_an_empty_gallery_answers_unknown(gallery):
    (answer,) = gallery.identify(faces(centre(0)))
    assert answer == Answer(None, None, -1.0, 0.0, None)
    assert not answer.known
    assert answer.candidates == ()
    assert answer.false_positive_rate is None
    assert gallery.people() == ()
    assert gallery.head().people == ()
    assert not gallery.policy.supported


def test_people_are_identified_and_strangers_are_not(gallery):
    ids = enrolled(gallery)
    answers = gallery.identify(faces(views(2, 99)[0], centre(50), views(4, 99)[0]))
    assert [answer.person_id for answer in answers] == [ids[2], None, ids[4]]
    assert answers[0].known
    assert answers[0].name == "person 2"
    assert not answers[1].known
    assert len(answers[0].candidates) == 6
    assert answers[0].candidates[0].person_id == ids[2]
    assert answers[0].false_positive_rate <= answers[1].false_positive_rate
    assert gallery.identify(Embeddings(np.zeros((0, 64), np.float32), ORIGIN.contract)) == ()


def test_one_person_alone_is_named_only_with_a_card(gallery, tmp_path):
    """Without any statistics of strangers no name is given."""
    gallery.enrol("person 0", face_sample(0, 0))
    assert named(gallery, views(0, 9)[0])[0].known
    with Gallery.create(tmp_path / "bare", BARE) as bare:
        for photo in range(3):
            bare.enrol("person 0", face_sample(0, photo))
        assert not named(bare, views(0, 9)[0])[0].known
        assert bare.policy.basis == "few"


def test_stored_fields_of_people_and_photos(gallery):
    ids = enrolled(gallery, 2)
    person = gallery.person(ids[0])
    assert (person.name, person.photos, person.source) == ("person 0", 3, "photos")
    assert person == gallery.person("PERSON  0") == gallery.find("person_0")
    assert [p.name for p in gallery.people()] == ["person 0", "person 1"]
    first, *_ = gallery.pictures("person 0")
    sample = face_sample(0, 0)
    assert (first.sha256, first.source, first.quality) == (
        sample.sha256,
        sample.source,
        sample.quality,
    )
    assert first.thumbnail
    assert gallery.thumbnail(first.id) == sample.crop
    assert gallery.thumbnail("nothing") == b""
    assert gallery.find("no one") is None
    with pytest.raises(UnknownPerson, match=r"no person in .* 'no one'"):
        gallery.person("no one")


def test_thumbnails_are_kept_only_if_requested(tmp_path):
    with Gallery.create(tmp_path, ORIGIN) as gallery:
        enrolled(gallery, 1, 1)
        (picture,) = gallery.pictures("person 0")
        assert not picture.thumbnail
        assert gallery.thumbnail(picture.id) == b""
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert face_sample(0, 0).crop not in everything


def test_everything_is_read_again_when_opened(tmp_path):
    with Gallery.create(tmp_path, ORIGIN, rate=0.02) as gallery:
        ids = enrolled(gallery, 5)
        gallery.reject("person 1", centre(1))
        before = gallery.head(), gallery.people(), gallery.audit_trail()
        answers = gallery.identify(faces(centre(1), centre(2)))
    with Gallery.open(tmp_path) as again:
        assert (again.people(), again.audit_trail()) == before[1:]
        head = again.head()
        assert head.prototypes.tobytes() == before[0].prototypes.tobytes()
        assert (head.policy, head.calibration) == (before[0].policy, before[0].calibration)
        assert again.identify(faces(centre(1), centre(2))) == answers
        assert again.rate == 0.02
        assert {person.id for person in again.people()} == set(ids)


def test_names(gallery):
    ids = enrolled(gallery, 2, 1)
    renamed = gallery.rename("person 0", "  Zoë\n Ångström ")
    assert (renamed.id, renamed.name) == (ids[0], "Zoë Ångström")
    assert gallery.rename(ids[0], "ZOË Ångström").name == "ZOË Ångström"
    assert named(gallery, centre(0))[0].name == "ZOË Ångström"
    with pytest.raises(NameTaken, match="person 1 is in"):
        gallery.rename(ids[0], "PERSON_1")
    with pytest.raises(NameTaken):
        gallery.add_person("person 1")
    for name in ("", " \n", "\0", "x" * 201, "_"):
        with pytest.raises(InvalidName):
            gallery.add_person(name)
        with pytest.raises(InvalidName):
            gallery.rename(ids[0], name)
        with pytest.raises(InvalidName):
            gallery.enrol(name, face_sample(7, 0))
    assert len(gallery.people()) == 2


def test_a_person_without_photos_is_listed_but_not_identified(gallery):
    enrolled(gallery, 3)
    added = gallery.add_person("Without Photos", consent="by letter, 3 May", source="the office")
    assert (added.photos, added.consent, added.source) == (0, "by letter, 3 May", "the office")
    assert "Without Photos" not in gallery.head().people
    assert gallery.prototype("Without Photos") is None
    gallery.reject("Without Photos", centre(9))
    assert gallery.enrol("Without Photos", face_sample(9, 0)).taken
    assert gallery.person("Without Photos").photos == 1
    assert gallery.note_consent("Without Photos", "withdrawn").consent == "withdrawn"


def test_a_rejected_face_is_not_identified_as_that_person(gallery):
    ids = enrolled(gallery)
    face = views(3, 50, spread=0.09)[0]
    assert gallery.identify(faces(face))[0].person_id == ids[3]
    gallery.reject(ids[3], face)
    gallery.reject(ids[3], face)
    (answer,) = gallery.identify(faces(face))
    assert answer.person_id != ids[3]
    assert answer.candidates[-1].person_id == ids[3]
    assert answer.candidates[-1].similarity == -1
    assert gallery.identify(faces(centre(3)))[0].person_id == ids[3]
    assert len(gallery.head().negatives) == 1


def test_merging_two_people(gallery):
    ids = enrolled(gallery)
    gallery.note_consent(ids[1], "yes")
    gallery.reject(ids[0], views(1, 0)[0])
    gallery.reject(ids[1], centre(40))
    kept = gallery.merge(ids[0], ids[1])
    assert (kept.id, kept.photos, kept.consent) == (ids[0], 6, "yes")
    assert gallery.find("person 1") is None
    (answer,) = gallery.identify(faces(centre(1)))
    assert answer.candidates[0].person_id == ids[0]  # the rejection was deleted
    head = gallery.head()
    assert head.negatives.tobytes() == centre(40).tobytes()
    assert head.people[head.negative_of[0]] == "person 0"
    assert gallery.merge(ids[0], ids[0]).photos == 6


def test_a_photo_that_both_have_is_kept_once_when_merging(gallery):
    gallery.enrol("A", face_sample(0, 0))
    gallery.enrol("B", replace(face_sample(0, 1), sha256=face_sample(0, 0).sha256), force=True)
    gallery.enrol("B", face_sample(0, 2), force=True)
    assert gallery.merge("A", "B").photos == 2


def test_forgetting_a_person_and_a_photo(gallery):
    ids = enrolled(gallery)
    first, *_ = gallery.pictures(ids[2])
    gallery.forget_picture(first.id)
    assert gallery.person(ids[2]).photos == 2
    gallery.forget(ids[3])
    with pytest.raises(UnknownPerson):
        gallery.forget(ids[3])
    with pytest.raises(UnknownPicture):
        gallery.forget_picture(first.id)
    (answer,) = gallery.identify(faces(centre(3)))
    assert ids[3] not in [candidate.person_id for candidate in answer.candidates]
    for picture in gallery.pictures(ids[2]):
        gallery.forget_picture(picture.id)
    assert gallery.person(ids[2]).photos == 0
    assert len(gallery.head().people) == 4


def test_the_audit_trail_has_ids_and_keys_but_no_names(gallery):
    ids = enrolled(gallery, 2, 1)
    gallery.rename(ids[0], "Anna", key="desk")
    gallery.audit("identified", ids, key="gate")
    gallery.forget(ids[0], key="desk")
    trail = gallery.audit_trail(ids[0])
    assert all(re.fullmatch(r"[-0-9]{10}T[:0-9]{8}Z", event.time) for event in trail)
    assert [(event.action, event.key) for event in trail] == [
        ("forgotten", "desk"), ("identified", "gate"), ("renamed", "desk"), ("enrolled", ""),
        ("added", ""),
    ]  # fmt: skip
    assert "Anna" not in repr(gallery.audit_trail())
    assert len(gallery.audit_trail(limit=2)) == 2


def test_embeddings_of_another_contract_are_refused(gallery):
    with pytest.raises(ContractMismatch, match="contract"):
        gallery.enrol("person 0", face_sample(0, 0, contract="d"))
    with pytest.raises(ContractMismatch):
        gallery.identify(Embeddings(centre(0)[None], "d"))


def test_another_process_sees_changes_at_once(gallery):
    with Gallery.open(gallery.path) as other:
        ids = enrolled(gallery)
        assert [a.person_id for a in other.identify(faces(centre(1)))] == [ids[1]]
        other.forget(ids[1])
        other.enrol("person 2", face_sample(2, 8))
        assert [p.photos for p in gallery.people()] == [3, 4, 3, 3, 3]
        assert gallery.identify(faces(centre(1)))[0].person_id is None
        gallery.rename(ids[5], "Last")
        assert "Last" in other.head().people
        assert other.head().prototypes.tobytes() == gallery.head().prototypes.tobytes()


def test_threads_identify_while_people_are_enrolled_and_forgotten(gallery):
    ids = enrolled(gallery, 4)
    wrong, done = [], threading.Event()

    def identify_repeatedly():
        while not done.is_set():
            found = gallery.identify(faces(centre(0), centre(1)))
            if [answer.person_id for answer in found] != ids[:2]:
                wrong.append(found)

    threads = [threading.Thread(target=identify_repeatedly) for _ in range(3)]
    for thread in threads:
        thread.start()
    for p in range(10, 22):
        gallery.enrol(f"person {p}", face_sample(p, 0), force=True)
    for p in range(10, 16):
        gallery.forget(f"person {p}")
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(gallery.people()) == 10


def test_a_folder_that_is_not_a_gallery_raises(tmp_path, gallery):
    with pytest.raises(GalleryNotFound, match="no gallery there"):
        Gallery.open(tmp_path / "nowhere")
    with pytest.raises(GalleryExists):
        Gallery.create(gallery.path, ORIGIN)
    broken = tmp_path / "broken"
    broken.mkdir()
    for content in (b"", b"hello" * 1000, os.urandom(5000)):
        (broken / "gallery.sqlite").write_bytes(content)
        with pytest.raises(NotAGallery):
            Gallery.open(broken)
    with pytest.raises(ValueError, match="rate"):
        Gallery.create(tmp_path / "rate", ORIGIN, rate=1.0)


@pytest.mark.parametrize(
    "value",
    [
        *("", "{", "[]", '{"contract": 3}', ORIGIN.text()[:-1] + ',"x":1}'),
        ORIGIN.text()[:-1] + ', "statistics": []}',
    ],
)
def test_a_damaged_origin_raises(tmp_path, value):
    with Gallery.create(tmp_path, ORIGIN) as gallery:
        with gallery._database.writing():
            gallery._database.set_meta("origin", value)
        with pytest.raises(NotAGallery, match="damaged"):
            Gallery.open(tmp_path)


def test_the_head_is_the_mean_of_the_photos_by_quality(gallery):
    enrolled(gallery)
    head = gallery.head()
    for p, name in enumerate(head.people):
        assert name == f"person {p}"
        samples = [face_sample(p, i) for i in range(3)]
        mean = sum(s.quality * unit(s.embedding + s.mirrored).astype(np.float64) for s in samples)
        assert np.allclose(head.prototypes[p], unit(mean), atol=1e-6)
    assert head.photos.tolist() == [3] * 6
    assert Origin.parse(ORIGIN.text()) == ORIGIN


def test_the_head_is_the_prototype_head_that_training_makes(gallery):
    groups = [[face_sample(p, i) for i in range(1 + p % 4)] for p in range(9)]
    for p, own in enumerate(groups):
        for sample in own:
            gallery.enrol(f"person {p}", sample, force=True)
    everything = [sample for own in groups for sample in own]
    samples = Samples.of(
        np.stack([sample.embedding for sample in everything]),
        np.stack([sample.mirrored for sample in everything]),
        np.array([sample.quality for sample in everything], np.float32),
        np.repeat(np.arange(9), [len(own) for own in groups]),
        9,
    )
    head = gallery.head()
    assert np.allclose(head.prototypes, fit_prototype(samples).rows, atol=1e-7)
    assert head.photos.tolist() == samples.counts.tolist()
    assert head.kind == "prototype"
