"""Photos that likely show another person, and names that are likely one person."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_faces import SyntheticFaces

from mien.dataset.cleaning import labels as labels_module
from mien.dataset.cleaning.duplicates import CopyPair
from mien.dataset.cleaning.labels import mislabelled, same_people
from mien.dataset.storage.decisions import Decisions, pair_key
from sphere import SFACE_LIMITS

X, Y, Z, V = np.eye(64)[[3, 4, 5, 6]]
"""Directions without anything in common."""


def at(cosine, towards=X, aside=V):
    """Return a face with this cosine to a direction, the rest of it aside."""
    return cosine * towards + np.sqrt(1 - cosine**2) * aside


def of(**people):
    """Return the faces of people, given as lists of vectors."""
    made = SyntheticFaces()
    for name, vectors in people.items():
        for vector in vectors:
            made.add(name, vector)
    return made.faces()


def doubted(faces, active=None, kept=None):
    every, none = np.ones(len(faces), bool), np.zeros(len(faces), bool)
    return mislabelled(
        faces, every if active is None else active, none if kept is None else kept, SFACE_LIMITS
    )


def rows(count, *members):
    chosen = np.zeros(count, bool)
    chosen[list(members)] = True
    return chosen


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (0, 2, 1)])
def test_the_worst_photo_is_removed_first(order):
    """With a wrong photo among Ada's, one of her own looks wrong too; without, it does not."""
    like_bob = at(0.6, X, Z)
    own = at(0.5, Z, V)  # cosine 0.4 to the other
    wrong = Y
    ada = [[like_bob, own, wrong][number] for number in order]
    faces = of(Ada=ada, Bob=[X, X], Cleo=[Y, Y])
    found = doubted(faces)
    assert list(found) == [order.index(2)]
    # Alone it is the worst, and is removed.
    less = rows(7, *range(7)) & ~rows(7, order.index(2))
    assert doubted(faces, active=less) == {}
    assert order.index(0) in doubted(faces, kept=rows(7, order.index(2)))


def test_several_wrong_photos_are_found_in_rounds_and_one_person_does_not_wait_for_another():
    faces = of(Ada=[X] * 6 + [Y, Z], Bob=[Y] * 6 + [X, Z], Cleo=[Z] * 6)
    assert sorted(doubted(faces)) == [6, 7, 14, 15]


def test_there_are_four_rounds():
    faces = of(Ada=[X] * 20 + [Y] * 5, Bob=[Y] * 20)
    assert len(doubted(faces)) == 4


def test_a_person_with_one_photo_is_not_doubted():
    """There is nothing that it could disagree with, whatever it looks like."""
    faces = of(Ada=[X], Bob=[X, X, X])
    assert doubted(faces) == {}
    first = np.eye(64)[0]
    assert doubted(of(Ada=[first], Bob=[X, X, X])) == {}


def test_a_person_with_one_photo_is_the_one_that_another_s_photo_shows():
    faces = of(Ada=[X, X, Y], Bob=[Z, Z], Cleo=[Y])
    (found,) = doubted(faces).items()
    row, doubt = found
    assert (row, doubt.reason, doubt.other) == (2, "mislabelled", 5)
    assert doubt.evidence == "cosine 0.00 to the 2 others of Ada, 1.00 to Cleo"


def test_of_two_photos_the_wrong_one_is_compared_with_the_other_photo():
    faces = of(Ada=[X, Y], Bob=[Y, Y], Cleo=[Z])
    (doubt,) = doubted(faces).values()
    assert doubt.evidence == "cosine 0.00 to the other photo of Ada, 1.00 to Bob"


def test_the_partner_is_the_other_person_s_most_similar_photo_in_use():
    faces = of(Ada=[X, X, Y], Bob=[at(0.9, Y), at(0.99, Y), at(0.95, Y)])
    assert doubted(faces)[2].other == 4
    assert doubted(faces, active=rows(6, 0, 1, 2, 3, 5))[2].other == 5


def test_people_out_of_use_are_no_others():
    """Nothing is like the mean of no photos, also where a photo is like its placeholder."""
    placeholder = np.eye(64)[0]
    faces = of(Ada=[X, X, X, placeholder], Bob=[Y, Y], Cleo=[placeholder])
    (doubt,) = doubted(faces, active=rows(7, *range(6))).values()
    assert doubt.other == -1  # like no person: an outlier
    assert doubt.evidence.endswith("0.00 to Bob")
    # With Cleo's photo in use it is hers.
    assert doubted(faces)[3].other == 6


@pytest.mark.parametrize(
    ("own", "other", "taken"),
    [
        (0.34, 0.6, True),
        (0.36, 0.7, False),  # too like her own
        (0.29, 0.54, False),  # not like Bob
        (0.3, 0.56, True),
        (0.345, 0.58, False),  # too near to each other
    ],
)
def test_a_photo_of_another_person_is_unlike_its_own_and_like_the_other(own, other, taken):
    photo = own * X + other * Y + np.sqrt(1 - own**2 - other**2) * V
    faces = of(Ada=[X, photo], Bob=[Y, Y])
    # One photo alone is no evidence of an outlier; Ada's other photo is as far from this one.
    assert (1 in doubted(faces)) == taken
    assert 0 not in doubted(faces)


@pytest.mark.parametrize(
    ("own", "among", "taken"),
    [(0.19, 0.6, True), (0.22, 0.6, False), (0.19, 0.48, False), (0.19, 0.52, True)],
)
def test_an_outlier_is_unlike_photos_that_are_like_each_other(own, among, taken):
    # Three photos around X, `among` each other; one at `own` from their mean.
    around = np.eye(64)[[10, 11, 12]]
    others = [np.sqrt(among) * X + np.sqrt(1 - among) * side for side in around]
    mean = np.sum(others, axis=0)
    photo = at(own, mean / np.linalg.norm(mean), V)
    faces = of(Ada=[*others, photo], Bob=[Y, Y])
    assert list(doubted(faces)) == [3] * taken


def test_one_other_photo_is_not_enough_for_an_outlier():
    assert doubted(of(Ada=[X, Z], Bob=[Y, Y])) == {}
    assert list(doubted(of(Ada=[X, X, Z], Bob=[Y, Y]))) == [2]


def test_more_photos_than_one_block(monkeypatch):
    faces = of(Ada=[X] * 6 + [Y], Bob=[Y] * 6 + [X], Cleo=[Z] * 6 + [X])
    expected = doubted(faces)
    assert list(expected) == [6, 13, 20]
    monkeypatch.setattr(labels_module, "_BLOCK", 4)
    assert doubted(faces) == expected


def pairs_of(faces, active=None, pairs=(), decisions=None):
    every = np.ones(len(faces), bool)
    return same_people(
        faces,
        every if active is None else active,
        pairs,
        decisions or Decisions(),
        SFACE_LIMITS,
    )


def test_names_of_one_person_by_hand():
    faces = of(Ada=[X, X], Bob=[Y], Cleo=[at(0.7)], Dora=[at(0.9, Y, Z), at(0.5, Y, Z)])
    first, second = pairs_of(faces)
    # The mean of Dora's two photos: 1.4 and 1.302 along Y and Z.
    assert second.people == ("Ada", "Cleo")
    assert second.similarity == pytest.approx(0.7)
    assert second.evidence == (
        "cosine 0.70 between 2 photos and 1 photo, 0.70 between the two most similar"
    )
    assert first.people == ("Bob", "Dora")
    assert first.similarity == pytest.approx(0.7322, abs=1e-3)
    assert first.rows == (2, 4)
    assert first.evidence.endswith(
        "between 1 photo and 2 photos, 0.90 between the two most similar"
    )


def test_the_least_similarity_of_one_person():
    assert len(pairs_of(of(Ada=[X], Bob=[at(0.62)]))) == 1
    assert pairs_of(of(Ada=[X], Bob=[at(0.58)])) == ()


def test_only_photos_in_use_are_compared():
    faces = of(Ada=[X, Y], Bob=[X, Z], Cleo=[X])
    (pair,) = pairs_of(faces, active=rows(5, 0, 2, 3))
    assert (pair.people, pair.rows) == (("Ada", "Bob"), (0, 2))
    assert "1 photo and 2 photos" in pair.evidence
    placeholder = np.eye(64)[0]
    assert pairs_of(of(Ada=[placeholder], Bob=[X], Cleo=[X]), active=rows(3, 0)) == ()


def test_the_same_picture_is_evidence_for_its_two_names_only():
    faces = of(Ada=[X], Bob=[X], Cleo=[X])
    found = pairs_of(faces, pairs=[CopyPair(2, 0, "same-bytes", "the same bytes")])
    said = {pair.people: pair.evidence for pair in found}
    assert len(said) == 3
    assert said["Ada", "Cleo"].endswith("; the same picture is under both names")
    assert "picture" not in said["Ada", "Bob"]
    assert "picture" not in said["Bob", "Cleo"]


def test_names_that_the_user_called_different_are_not_reported():
    faces = of(Ada=[X], Bob=[X], Cleo=[X])
    decided = Decisions(pairs={pair_key("Bob", "Ada"): "different"})
    assert {pair.people for pair in pairs_of(faces, decisions=decided)} == {
        ("Ada", "Cleo"), ("Bob", "Cleo")
    }  # fmt: skip


def test_more_people_than_one_block(monkeypatch):
    people = {f"Person {number}": [np.eye(64)[number % 20]] for number in range(25)}
    faces = of(**people)
    expected = pairs_of(faces)
    assert len(expected) == 5
    monkeypatch.setattr(labels_module, "_BLOCK", 4)
    assert pairs_of(faces) == expected
