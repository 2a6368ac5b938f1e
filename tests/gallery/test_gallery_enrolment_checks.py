"""Enrolment checks: which photos are refused, and the evidence that is given."""

from __future__ import annotations

import numpy as np
import pytest
from spheres import ORIGIN, centre, enrolled, face_sample, faces, unit, views

from mien.errors import SELDOM_FOUND, ContractMismatch, EnrolmentRefused, NoFace
from mien.gallery import Gallery, Origin, extract_sample
from mien.gallery.enrolment_checks import subject_of
from mien.photo import read_photo
from mien.types import Detections, Embeddings
from toy_graphs import photo_of, red_squares, toy_engine


@pytest.fixture
def gallery(tmp_path):
    with Gallery.create(tmp_path / "people", ORIGIN, thumbnails=True) as made:
        enrolled(made, 6, 3)
        yield made


def turned(person, angle):
    """Return a face at an angle in radians from a person's, always the same one."""
    aside = np.random.default_rng(person + 1000).normal(size=64)
    aside -= (aside @ centre(person)) * centre(person)
    return unit(np.cos(angle) * centre(person) + np.sin(angle) * unit(aside))


def sample_at(vector, sha="f" * 64, **changes):
    return face_sample(0, 99, embedding=vector, mirrored=vector, sha256=sha, **changes)


def people(gallery):
    return {person.name: person.photos for person in gallery.people()}


def test_a_face_of_another_person_is_refused_and_the_person_named(gallery):
    before = people(gallery)
    refused = gallery.enrol("ImportedPerson", face_sample(3, 9))
    assert (refused.taken, refused.reason, refused.person) == (False, "like-somebody-else", "")
    assert refused.detail.startswith("the gallery identifies this face as person 3: similarity 0.9")
    assert refused.evidence["name"] == "person 3"
    assert refused.evidence["person"] == gallery.person("person 3").id
    assert refused.evidence["own_similarity"] is None
    assert refused.evidence["false_positive_rate"] < 0.001
    other = gallery.enrol("person 1", face_sample(3, 9))
    assert (other.reason, other.person) == ("like-somebody-else", gallery.person("person 1").id)
    assert other.evidence["own_similarity"] < other.evidence["similarity"]
    assert people(gallery) == before


def test_a_face_unlike_the_persons_other_photos_is_refused(gallery):
    refused = gallery.enrol("person 2", sample_at(turned(2, 1.3)))
    assert refused.reason == "disagrees"
    assert refused.evidence == {
        "own_similarity": pytest.approx(0.27, abs=0.05),
        "least": pytest.approx(0.363, abs=1e-3),
        "photos": 2,
    }
    assert "to the first 2 photos of person 2, least 0.36" in refused.detail
    assert gallery.enrol("person 2", sample_at(turned(2, 1.0))).taken


def test_a_wrong_photo_that_passes_does_not_help_the_next_one(gallery):
    """One wrong face just passes, and moves the mean of all photos towards itself."""
    assert gallery.enrol("person 2", sample_at(turned(2, 1.1), "1" * 64)).taken
    following = turned(2, 1.3)
    assert gallery.prototype("person 2") @ following > 0.363
    refused = gallery.enrol("person 2", sample_at(following, "2" * 64))
    assert (refused.taken, refused.reason) == (False, "disagrees")
    assert refused.evidence["photos"] == 2


def test_low_quality_is_refused_with_its_measures(gallery):
    poor = {"doubt": "7 pixels between the eyes, least 10", "measures": {"size": 7.123456}}
    refused = gallery.enrol("person 2", face_sample(2, 9, **poor))
    assert refused.reason == "low-quality"
    assert refused.detail == "low quality: 7 pixels between the eyes, least 10"
    assert refused.evidence == {"size": 7.123}


def test_the_same_photo_is_reported_and_not_enrolled_twice(gallery):
    (first, *_) = gallery.pictures("person 2")
    for force in (False, True):
        again = gallery.enrol("person 2", face_sample(2, 0), force=force)
        assert (again.taken, again.reason, again.picture) == (False, "already-enrolled", first.id)
    assert gallery.person("person 2").photos == 3
    # Photos without a digest are not compared.
    for photo in (50, 51):
        assert gallery.enrol("person 2", face_sample(2, photo, sha256="")).taken


def test_one_photo_may_show_two_people(gallery):
    both = "e" * 64
    assert gallery.enrol("person 1", face_sample(1, 9, sha256=both)).taken
    assert gallery.enrol("person 2", face_sample(2, 9, sha256=both)).taken


@pytest.mark.parametrize(
    ("name", "one", "reason"),
    [
        ("Twin of 3", face_sample(3, 9), "like-somebody-else"),
        ("person 2", sample_at(turned(2, 1.3)), "disagrees"),
        ("person 2", face_sample(2, 9, doubt="blur 0.95", measures={"blur": 0.95}), "low-quality"),
    ],
)
def test_force_enrols_and_stores_the_failed_check(gallery, name, one, reason):
    forced = gallery.enrol(name, one, force=True)
    assert (forced.taken, forced.reason) == (True, reason)
    assert forced.evidence
    (*_, picture) = gallery.pictures(name)
    assert picture.forced == reason
    (first, *_) = gallery.pictures("person 0")
    assert first.forced == ""


def test_a_rejected_face_is_refused_and_force_withdraws_the_rejection(gallery):
    face = views(4, 60, spread=0.08)[0]
    gallery.reject("person 4", face)
    gallery.reject("person 4", centre(33))
    refused = gallery.enrol("person 4", sample_at(face))
    assert refused.reason == "rejected-before"
    assert refused.evidence["rejected_similarity"] == pytest.approx(1, abs=1e-3)
    assert "was rejected as person 4" in refused.detail
    assert gallery.enrol("person 4", sample_at(face), force=True).taken
    assert gallery.identify(faces(face))[0].name == "person 4"
    assert len(gallery.head().negatives) == 1


@pytest.fixture(scope="module")
def toys():
    return toy_engine()


@pytest.fixture
def toy_gallery(tmp_path, toys):
    with Gallery.create(tmp_path, Origin.of(toys), thumbnails=True) as made:
        yield made


def test_extract_sample_of_one_face(toys):
    photo = photo_of(red_squares(480, 640, [(20, 30)]), name="a.jpg")
    found = extract_sample(toys, photo)
    detections = toys.detect(photo)
    crops = toys.align(photo, detections)
    assert np.allclose(found.embedding, toys.embed(crops).vectors[0], atol=1e-5)
    assert np.allclose(found.mirrored, toys.embed(crops[:, :, ::-1]).vectors[0], atol=1e-5)
    assert (found.contract, found.sha256, found.source) == (toys.contract, photo.sha256, "a.jpg")
    assert found.crop.startswith(b"\xff\xd8")
    assert 0 <= found.quality <= 1
    with pytest.raises(NoFace, match=r"no face found in b\.jpg") as caught:
        extract_sample(toys, photo_of(red_squares(480, 640, []), name="b.jpg"))
    assert caught.value.hint == SELDOM_FOUND


def test_extract_sample_of_several_faces(toys):
    cells = [(10, 15), (45, 60)]
    photo = photo_of(red_squares(480, 640, cells, seed=5), scale=0.5)
    vectors = toys.embed(toys.align(photo, toys.detect(photo))).vectors
    assert len(vectors) == 2
    for row in (0, 1):
        assert np.allclose(
            extract_sample(toys, photo, near=vectors[row]).embedding, vectors[row], atol=1e-5
        )
    with pytest.raises(EnrolmentRefused, match="shows 2 faces") as refused:
        extract_sample(toys, photo)
    assert refused.value.reason == "several-faces"
    boxes = np.array([face["box"] for face in refused.value.evidence["faces"]])
    assert boxes.shape == (2, 4)
    # In pixels of the full photo, twice the side of what was read.
    centres = sorted(((boxes[:, :2] + boxes[:, 2:]) / 2).tolist())
    assert np.allclose(centres, [[2 * 124, 2 * 84], [2 * 484, 2 * 364]], atol=16)
    stranger = -(vectors[0] + vectors[1])
    with pytest.raises(EnrolmentRefused) as refused:
        extract_sample(toys, photo, near=stranger / np.linalg.norm(stranger))
    assert all("similarity" in face for face in refused.value.evidence["faces"])
    assert extract_sample(toys, photo, force=True).embedding.tobytes()


def test_the_subject_is_much_larger_than_other_faces():
    """And central: a large face at the edge is not the subject of a photo."""

    def subject(*boxes):
        return subject_of(np.array(boxes, np.float32), 640, 480)

    middle, large_middle, edge = (300, 200, 340, 240), (270, 180, 370, 280), (590, 10, 630, 50)
    assert subject(large_middle, edge) == 0
    assert subject(edge, large_middle, middle) == 1
    assert subject(middle, edge) is None
    assert subject(middle, (520, 0, 640, 110)) is None


class SeveralFaces:
    """An engine that finds faces at given places, whose crops are numbered by their brightness."""

    contract = ORIGIN.contract
    statistics = ORIGIN.statistics

    def __init__(self, *boxes):
        self.boxes = np.array(boxes, np.float32)

    def detect(self, _):
        left, top, right, bottom = (self.boxes[:, side, None] for side in range(4))
        side = np.array([0.3, 0.7, 0.5, 0.3, 0.7], np.float32)
        height = np.array([0.4, 0.4, 0.6, 0.8, 0.8], np.float32)
        points = np.stack([left + side * (right - left), top + height * (bottom - top)], axis=2)
        scores = np.linspace(0.9, 0.8, len(self.boxes)).astype(np.float32)
        return Detections(self.boxes, points, scores)

    def align(self, _, found):
        rows = np.arange(len(found), dtype=np.uint8)
        return np.broadcast_to(rows[:, None, None, None], (len(found), 112, 112, 3))

    def embed(self, crops):
        return Embeddings(np.stack([centre(int(crop[0, 0, 0])) for crop in crops]), self.contract)


SMALL, LARGE, AT_THE_EDGE = (300, 200, 340, 240), (270, 180, 370, 280), (500, 0, 640, 140)


@pytest.mark.parametrize("boxes", [(SMALL, LARGE), (LARGE, SMALL)])
def test_the_subject_is_enrolled_wherever_it_is_in_the_list(boxes):
    """The faces are listed by the detector's score, and the subject need not be the first."""
    blank = photo_of(np.zeros((480, 640, 3), np.uint8))
    found = extract_sample(SeveralFaces(*boxes), blank)
    assert np.array_equal(found.embedding, centre(boxes.index(LARGE)))


@pytest.mark.parametrize(
    "boxes", [(AT_THE_EDGE, SMALL), (SMALL, AT_THE_EDGE), ((0, 0, 40, 40), AT_THE_EDGE, SMALL)]
)
def test_force_takes_the_most_prominent_face(boxes):
    """Central before large; without force it is not clear which face to enrol."""
    engine, blank = SeveralFaces(*boxes), photo_of(np.zeros((480, 640, 3), np.uint8))
    with pytest.raises(EnrolmentRefused) as refused:
        extract_sample(engine, blank)
    shown = [face["box"] for face in refused.value.evidence["faces"]]
    assert shown[0] == list(SMALL)
    assert len(shown) == len(boxes)
    found = extract_sample(engine, blank, force=True)
    assert np.array_equal(found.embedding, centre(boxes.index(SMALL)))


def test_a_photo_decoded_at_half_size_is_measured_in_its_own_pixels():
    """Of a large photo half the side is decoded: sizes are those of the photo itself."""
    blank = np.zeros((480, 640, 3), np.uint8)
    one = SeveralFaces(LARGE)
    whole, half = (extract_sample(one, photo_of(blank, scale=scale)) for scale in (1.0, 0.5))
    assert whole.measures["size"] == pytest.approx(0.4 * 100)
    assert half.measures["size"] == pytest.approx(2 * 0.4 * 100)
    two = SeveralFaces(SMALL, AT_THE_EDGE)
    with pytest.raises(EnrolmentRefused) as refused:
        extract_sample(two, photo_of(blank, scale=0.5))
    assert [face["box"] for face in refused.value.evidence["faces"]] == [
        [2 * side for side in box] for box in (SMALL, AT_THE_EDGE)
    ]
    tiny = SeveralFaces((300, 200, 315, 215))  # six pixels between the eyes, and twelve
    assert "6 pixels between the eyes" in extract_sample(tiny, photo_of(blank)).doubt
    assert "between the eyes" not in extract_sample(tiny, photo_of(blank, scale=0.5)).doubt


def test_a_photo_is_enrolled_or_refused_with_a_reason(toys, toy_gallery):
    one, none = red_squares(480, 640, [(20, 30)]), red_squares(480, 640, [])
    two = red_squares(480, 640, [(10, 15), (45, 60)], seed=5)
    refused = toy_gallery.enrol_photo("Ada", photo_of(none, name="wall.jpg"), engine=toys)
    assert (refused.reason, refused.detail) == ("no-face", "no face found in wall.jpg")
    refused = toy_gallery.enrol_photo("Ada", photo_of(two), engine=toys)
    assert refused.reason == "several-faces"
    assert len(refused.evidence["faces"]) == 2
    assert toy_gallery.people() == ()
    taken = toy_gallery.enrol_photo("Ada", photo_of(one), engine=toys, force=True, consent="yes")
    assert taken.taken
    assert toy_gallery.person("Ada").consent == "yes"
    assert toy_gallery.thumbnail(taken.picture).startswith(b"\xff\xd8")


def test_an_engine_of_another_contract_is_refused(toys, gallery):
    with pytest.raises(ContractMismatch):
        gallery.enrol_photo("Ada", photo_of(red_squares(480, 640, [(20, 30)])), engine=toys)


@pytest.mark.lfw
def test_real_photos(tmp_path, engine, data_folder):
    """People enrolled photo by photo: their photos pass, a photo of another person does not."""
    import zipfile

    with zipfile.ZipFile(data_folder / "ten-indian-people.zip") as archive:
        archive.extractall(tmp_path / "photos")
    folders = sorted(path for path in (tmp_path / "photos").rglob("*") if _holds_photos(path))
    with Gallery.create(tmp_path / "g", Origin.of(engine)) as gallery:
        for folder in folders[:4]:
            for path in sorted(folder.iterdir())[:4]:
                photo = read_photo(path, long_side=engine.max_long_side)
                assert gallery.enrol_photo(folder.name, photo, engine=engine).taken, path
        wrong = read_photo(sorted(folders[0].iterdir())[4], long_side=engine.max_long_side)
        refused = gallery.enrol_photo(folders[1].name, wrong, engine=engine)
        assert refused.reason == "like-somebody-else"
        assert refused.evidence["own_similarity"] < 0.35
        stranger = read_photo(next(folders[5].iterdir()), long_side=engine.max_long_side)
        refused = gallery.enrol_photo(folders[1].name, stranger, engine=engine)
        assert refused.reason == "disagrees"


def _holds_photos(path):
    return path.is_dir() and any(child.is_file() for child in path.iterdir())
