import numpy as np
import pytest
from synthetic_faces import SyntheticFaces

from mien.dataset.storage.decisions import Decisions, pair_key


@pytest.fixture
def plant():
    made = SyntheticFaces()
    for name in ("Ada", "Bob", "Cleo"):
        made.person(name, 5)
    return made


def test_good_photos_are_not_doubted(plant):
    doubts = plant.clean()
    assert doubts.rows == {}
    assert doubts.groups == {}
    assert doubts.same == ()


def test_exact_copies(plant):
    plant.add("Ada", plant.rows[0]["vector"], sha256=plant.rows[0]["sha256"])
    doubts = plant.clean()
    assert doubts.rows[15].reason == "duplicate"
    assert doubts.rows[15].other == 0
    assert doubts.groups == {0: "id0", 15: "id0"}


@pytest.mark.parametrize("turn", [lambda p: p, lambda p: p[:, ::-1]], ids=["resized", "mirrored"])
def test_near_duplicates_keep_the_largest(plant, turn):
    row = plant.rows[2]
    plant.add("Ada", plant.shot(row["vector"]), photo=turn(row["photo"]), size=200.0)
    doubts = plant.clean()
    assert list(doubts.rows) == [2]
    assert doubts.rows[2].reason == "near-duplicate"
    assert "correlate" in doubts.rows[2].evidence
    assert doubts.groups == {2: "id2", 15: "id2"}


def test_matching_crops_of_differently_cut_photos(plant):
    row = plant.rows[2]
    plant.add("Ada", row["vector"] * 1.0, thumb=row["thumb"])
    assert [doubt.reason for doubt in plant.clean().rows.values()] == ["near-duplicate"]


def test_similar_pictures_of_two_people_are_not_copies(plant):
    plant.add("Ada", plant.rows[3]["vector"], photo=plant.rows[7]["photo"])
    assert 7 not in plant.clean().groups


def test_a_kept_copy_stays(plant):
    plant.add("Ada", plant.rows[0]["vector"], sha256=plant.rows[0]["sha256"])
    both = Decisions(entries={"id15": "keep"})
    assert list(plant.clean(both).rows) == [0]
    both.entries["id0"] = "keep"
    assert plant.clean(both).rows == {}


def test_a_chain_of_copies_keeps_its_ends(plant):
    first = plant.rows[0]
    blend = lambda a, b: ((a.astype(int) + b) // 2).astype(np.uint8)  # noqa: E731
    other = plant.rng.integers(0, 256, (32, 32)).astype(np.uint8)
    near = blend(blend(first["photo"], first["photo"]), blend(first["photo"], other))
    plant.add("Ada", first["vector"], photo=near, size=80.0)
    plant.add("Ada", first["vector"], photo=blend(near, blend(near, other)), size=40.0)
    doubts = plant.clean()
    assert all(doubt.other not in doubts.rows for doubt in doubts.rows.values())


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [("size", 4.0, "pixels"), ("blur", 0.95, "blur"), ("yaw", -80.0, "80°")],
)
def test_poor_pictures(plant, field, value, word):
    plant.rows[4][field] = value
    doubts = plant.clean()
    assert doubts.rows[4].reason == "low-quality"
    assert word in doubts.rows[4].evidence


def test_a_person_keeps_the_best_of_poor_pictures(plant):
    for row, size in zip(plant.rows[:5], (3, 4, 8, 5, 2), strict=True):
        row["size"] = size
    assert sorted(plant.clean().rows) == [0, 1, 3, 4]


def test_a_photo_of_another_person(plant):
    bob = plant.rows[5]["vector"]
    plant.add("Ada", plant.shot(bob))
    doubts = plant.clean()
    assert doubts.rows[15].reason == "mislabelled"
    assert "the 5 others" in doubts.rows[15].evidence
    assert "to Bob" in doubts.rows[15].evidence
    assert plant.rows[doubts.rows[15].other]["person"] == "Bob"


def test_two_photos_of_another_person(plant):
    bob = plant.rows[5]["vector"]
    plant.add("Ada", plant.shot(bob))
    plant.add("Ada", plant.shot(bob))
    assert sorted(plant.clean().rows) == [15, 16]


def test_an_outlier_that_is_like_no_person(plant):
    plant.add("Ada", plant.identity())
    assert plant.clean().rows[15].reason == "mislabelled"


def test_what_the_user_keeps_is_not_doubted(plant):
    plant.add("Ada", plant.shot(plant.rows[5]["vector"]))
    assert plant.clean(Decisions(entries={"id15": "keep"})).rows == {}


def test_one_person_under_two_names(plant):
    ada = np.mean([row["vector"] for row in plant.rows[:5]], axis=0)
    plant.add("Ada Byron", plant.shot(ada / np.linalg.norm(ada)))
    (pair,) = plant.clean().same
    assert pair.people == ("Ada", "Ada Byron")
    assert "5 photos and 1 photo" in pair.evidence
    different = Decisions(pairs={pair_key("ada byron", "Ada"): "different"})
    assert plant.clean(different).same == ()


def test_the_same_picture_under_two_names_is_in_the_evidence(plant):
    row = plant.rows[0]
    plant.add("Ada Byron", row["vector"], sha256=row["sha256"])
    doubts = plant.clean()
    assert doubts.rows == {}
    assert doubts.groups[0] == doubts.groups[15]
    assert "same picture" in doubts.same[0].evidence
