"""Copies of photos: found among many rows, and which one of them is kept."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_faces import SyntheticFaces

from mien.dataset.cleaning import duplicates as duplicates_module
from mien.dataset.cleaning.duplicates import (
    CopyPair,
    copies_across_names,
    duplicate_groups,
    find_pairs,
    redundant_copies,
    similar_pairs,
)
from mien.dataset.storage.decisions import Decisions
from sphere import SFACE_LIMITS


def crowd(count, seed=3):
    """Return faces of as many people, none like another."""
    made = SyntheticFaces(seed)
    for number in range(count):
        made.person(f"Person {number:04}", 1)
    return made


def copy_of(made, row, person=None, **more):
    """Add a copy of a row's picture, saved again."""
    original = made.rows[row]
    same = {"photo": original["photo"], "thumb": original["thumb"], **more}
    made.add(person or original["person"], original["vector"], **same)
    return len(made.rows) - 1


def found(made):
    return [(pair.first, pair.second, pair.kind) for pair in find_pairs(made.faces(), SFACE_LIMITS)]


def test_copies_are_found_in_and_between_blocks_of_rows():
    made = crowd(600)
    pairs = [(0, 1), (10, 255), (10, 256), (255, 256), (300, 511), (257, 598), (512, 599)]
    for first, second in pairs:
        original = made.rows[first]
        made.rows[second].update(
            person=original["person"],
            vector=original["vector"],
            mirrored=original["vector"],
            photo=original["photo"],
        )
    # Each once, the smaller row first; the copies of row 10 are copies of each other.
    shown = [(first, second) for first, second, _ in found(made)]
    assert sorted(shown) == sorted(pairs)


def test_more_similar_pairs_than_one_chunk(monkeypatch):
    made = SyntheticFaces()
    made.person("Ada", 40)
    faces = made.faces()
    expected = {(a, b) for a in range(40) for b in range(a + 1, 40)}
    for chunk in (7, 39, 4096):
        monkeypatch.setattr(duplicates_module, "_CHUNK", chunk)
        chunks = list(similar_pairs(faces, 0.5))
        assert max(len(first) for first, _, _ in chunks) <= chunk
        listed = [pair for first, second, _ in chunks for pair in zip(first, second, strict=True)]
        assert len(listed) == len(expected)
        assert set(listed) == expected
        for first, second, cosines in chunks:
            exact = np.sum(faces.embeddings[first] * faces.embeddings[second], axis=1)
            assert cosines == pytest.approx(exact, abs=1e-6)


def test_the_kinds_of_copies():
    made = crowd(5)
    whole = copy_of(made, 0, thumb=made.rows[1]["thumb"])
    bytes_ = copy_of(made, 1, sha256=made.rows[1]["sha256"])
    crop = copy_of(made, 2, photo=made.rows[3]["photo"])
    mirror = copy_of(made, 3, photo=made.rows[3]["photo"][:, ::-1], thumb=made.rows[0]["thumb"])
    mirrored_crop = copy_of(
        made, 4, photo=made.rows[0]["photo"], thumb=made.rows[4]["thumb"][:, ::-1]
    )
    assert sorted(found(made)) == [
        (0, whole, "near-duplicate"),
        (1, bytes_, "same-bytes"),
        (2, crop, "crop"),
        (3, mirror, "mirrored"),
        (4, mirrored_crop, "mirrored"),
    ]
    said = {pair.first: pair.evidence for pair in find_pairs(made.faces(), SFACE_LIMITS)}
    assert said[0] == "cosine 1.000, photos correlate 1.000"
    assert said[1] == "the same bytes"
    assert said[2] == "cosine 1.000, crops correlate 1.000"
    assert said[3] == "cosine 1.000, photos correlate 1.000, one mirrored"
    assert said[4] == "cosine 1.000, crops correlate 1.000, one mirrored"


def test_a_face_like_the_mirrored_one_of_another_photo_is_compared():
    made = crowd(2)
    row = made.add("Person 0001", made.identity(), photo=made.rows[1]["photo"])
    assert found(made) == []
    row["mirrored"] = made.rows[1]["vector"]
    assert found(made) == [(1, 2, "near-duplicate")]


def test_two_faces_of_one_file_are_no_copies():
    made = crowd(3)
    made.rows[1]["sha256"] = made.rows[0]["sha256"]
    faces = made.faces()
    faces.face[1] = 1
    assert find_pairs(faces, SFACE_LIMITS) == []
    faces.face[1] = 0
    assert [pair.kind for pair in find_pairs(faces, SFACE_LIMITS)] == ["same-bytes"]


def test_three_identical_files_are_copies_of_the_first():
    made = crowd(2)
    made.rows[0]["sha256"] = "a" * 64
    for _ in range(2):
        made.add("Person 0000", made.rows[0]["vector"], sha256="a" * 64)
    faces = made.faces()
    exact = [pair for pair in find_pairs(faces, None) if pair.exact]
    assert [(pair.first, pair.second) for pair in exact] == [(0, 2), (0, 3)]


def pair(first, second, kind="near-duplicate"):
    return CopyPair(first, second, kind, f"{first} like {second}")


def of_ada(sizes):
    made = SyntheticFaces()
    made.person("Ada", len(sizes))
    for row, size in zip(made.rows, sizes, strict=True):
        row["size"] = size
    return made.faces()


def set_aside(faces, pairs, **decided):
    doubts = redundant_copies(faces, pairs, Decisions(entries=decided))
    return {row: doubt.other for row, doubt in doubts.items()}


def test_the_largest_copy_is_kept_else_the_first():
    assert set_aside(of_ada([60, 90, 70]), [pair(0, 1), pair(1, 2)]) == {0: 1, 2: 1}
    assert set_aside(of_ada([60, 60]), [pair(0, 1)]) == {1: 0}
    # A difference below a tenth of a pixel is none.
    assert set_aside(of_ada([60.0, 60.04]), [pair(0, 1)]) == {1: 0}
    assert set_aside(of_ada([60.0, 60.2]), [pair(0, 1)]) == {0: 1}


def test_a_dropped_copy_is_not_the_one_that_is_kept():
    largest, small = 0, 1
    faces, pairs = of_ada([90, 60]), [pair(largest, small)]
    assert set_aside(faces, pairs) == {small: largest}
    assert set_aside(faces, pairs, id0="drop") == {largest: small}
    assert set_aside(faces, pairs, id0="drop", id1="keep") == {largest: small}


def test_a_kept_copy_is_the_best_however_small():
    faces, pairs = of_ada([90, 60, 30]), [pair(0, 1), pair(0, 2), pair(1, 2)]
    assert set_aside(faces, pairs, id2="keep") == {0: 2, 1: 2}
    assert set_aside(faces, pairs, id2="keep", id1="keep") == {0: 1}
    assert set_aside(faces, pairs, id0="keep", id1="keep", id2="keep") == {}


def test_both_ends_of_a_chain_stay():
    # 1 is like 0 and like 2, which are not like each other.
    assert set_aside(of_ada([90, 60, 70]), [pair(0, 1), pair(1, 2)]) == {1: 0}
    # 3 is a copy of 2 alone, which stays.
    chain = [pair(0, 1), pair(1, 2), pair(2, 3)]
    assert set_aside(of_ada([90, 80, 70, 60]), chain) == {1: 0, 3: 2}


def test_the_doubt_names_the_best_copy_and_the_kind():
    faces = of_ada([90, 80, 60])
    pairs = [pair(0, 2, "same-bytes"), pair(1, 2, "mirrored")]
    (doubt,) = redundant_copies(faces, pairs, Decisions()).values()
    assert (doubt.reason, doubt.other) == ("duplicate", 0)
    assert doubt.evidence == "a copy of 0.jpg: 0 like 2"
    (doubt,) = redundant_copies(faces, pairs[1:], Decisions()).values()
    assert (doubt.reason, doubt.evidence) == ("near-duplicate", "a copy of 1.jpg: 1 like 2")


def test_copies_under_two_names_are_not_set_aside():
    made = crowd(3)
    faces = made.faces()
    pairs = [pair(0, 1), pair(2, 1)]
    assert redundant_copies(faces, pairs, Decisions()) == {}
    across = copies_across_names(faces, pairs)
    assert set(across) == {("Person 0000", "Person 0001"), ("Person 0001", "Person 0002")}
    assert across["Person 0001", "Person 0002"] is pairs[1]
    assert copies_across_names(of_ada([60, 60]), [pair(0, 1)]) == {}


def test_groups_are_connected_and_named_after_their_first_row():
    faces = of_ada([60] * 8)
    pairs = [pair(5, 6), pair(1, 2), pair(6, 7), pair(2, 4), pair(4, 5)]
    assert duplicate_groups(faces, pairs) == dict.fromkeys([1, 2, 4, 5, 6, 7], "id1")
    assert duplicate_groups(faces, pairs[:3]) == {
        1: "id1", 2: "id1", 5: "id5", 6: "id5", 7: "id5"
    }  # fmt: skip
    assert duplicate_groups(faces, []) == {}
