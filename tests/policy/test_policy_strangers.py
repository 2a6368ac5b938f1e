"""Strangers searched in a gallery."""

from __future__ import annotations

import numpy as np
import pytest

from mien.policy import Strangers, search_strangers
from mien.policy.strangers import stacked_similarities
from sphere import people_at


def test_by_hand():
    rows = np.eye(2, 3, dtype=np.float32)
    faces = np.array([[0.6, 0.8, 0], [0, 0, 1], [1, 0, 0]], np.float32)
    found = search_strangers(faces, rows, "neighbours", people=["Ada", "Bob", "Ada"])
    assert found.similarity == pytest.approx([0.8, 0.0, 1.0])
    assert found.weights.tolist() == [0.5, 1.0, 0.5]
    assert (found.people, found.gallery, found.source) == (2, 2, "neighbours")


def test_photos_without_labels_are_of_different_people():
    faces, _ = people_at([1] * 5)
    found = search_strangers(faces, faces[:2])
    assert (found.people, found.source) == (5, "a cohort")
    assert found.weights.tolist() == [1.0] * 5


def test_each_stranger_has_weight_one():
    faces, labels = people_at([7, 1, 3])
    found = search_strangers(faces, faces[:1], people=labels)
    assert found.people == 3
    assert np.bincount(labels, weights=found.weights) == pytest.approx([1, 1, 1])


def group_of(*rows):
    similarities = np.array(rows, np.float32)
    return Strangers(similarities, np.ones(len(rows)), len(rows), 9, "others")


def test_groups_searched_among_fewer_people_have_fewer_similarities():
    stacked = stacked_similarities([group_of([0.5, 0.25, 0]), group_of([0.75]), group_of([1, 0.5])])
    assert stacked.dtype == np.float32
    assert stacked.tolist() == [[0.5, 0.25, 0], [0.75, -2, -2], [1, 0.5, -2]]
    assert stacked_similarities([group_of([0.5, 0.25])]).tolist() == [[0.5, 0.25]]
    assert stacked_similarities([]).shape == (0, 1)


def test_no_photos():
    found = search_strangers(np.zeros((0, 3), np.float32), np.eye(3, dtype=np.float32), people=[])
    assert (found.people, len(found.similarity)) == (0, 0)


def test_mismatched_labels_are_refused():
    faces, _ = people_at([2, 2])
    with pytest.raises(ValueError, match="4 photos of strangers and 2 labels"):
        search_strangers(faces, faces, people=[0, 1])
