"""Templates: one unit row per person, and search among them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.measures.templates import (
    MIN_WEIGHT,
    both_views,
    nearest,
    nearest_few,
    photo_weights,
    sums_by_person,
    unit_rows,
)
from sphere import people_at


def test_weights_lie_between_the_minimum_and_one():
    weights = photo_weights(np.array([-0.5, 0, 0.05, 0.5, 1, 1.5], np.float32))
    assert weights.tolist() == pytest.approx([MIN_WEIGHT] * 3 + [0.5, 1, 1])
    assert weights.dtype == np.float32


def test_crop_and_mirrored_crop_by_hand():
    face, mirrored = np.eye(2, dtype=np.float32)[:, None]
    assert both_views(face, mirrored) == pytest.approx(np.array([[0.5**0.5, 0.5**0.5]]))


@given(st.integers(1, 20), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_unit_rows_have_length_one_and_keep_their_type(count, dimension, seed):
    rows = np.random.default_rng(seed).normal(size=(count, dimension))
    for kind in (np.float32, np.float64):
        found = unit_rows(rows.astype(kind))
        assert found.dtype == kind
        assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(count), rel=1e-5)


def test_a_row_of_zeros_becomes_a_unit_row():
    assert unit_rows(np.zeros((1, 3), np.float32)).tolist() == [[1, 0, 0]]


def test_sums_by_hand():
    rows = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
    sums = sums_by_person(rows, np.array([1, 2, 3], np.float32), np.array([0, 0, 2]), 3)
    assert sums.tolist() == [[1, 2], [0, 0], [3, 3]]
    assert sums.dtype == np.float64


@given(st.integers(1, 8), st.integers(0, 1000))
def test_nearest_equals_the_highest_similarity(people, seed):
    faces, labels = people_at([2] * people, seed=seed)
    rows = faces[::2].copy()
    best, who = nearest(faces, rows)
    scores = faces @ rows.T
    assert best == pytest.approx(scores.max(axis=1), abs=1e-6)
    assert scores[np.arange(len(faces)), who] == pytest.approx(best, abs=1e-6)
    if people > 1:
        best, who = nearest(faces, rows, labels)
        assert not np.any(who == labels)
        scores[np.arange(len(faces)), labels] = -2
        assert best == pytest.approx(scores.max(axis=1), abs=1e-6)


@pytest.mark.parametrize(
    ("count", "people", "few"), [(5, 8, 3), (5, 3, 9), (2_100, 60, 4), (1, 1, 2)]
)
def test_the_few_nearest_by_sorting(count, people, few):
    faces, _ = people_at([1] * count, seed=1, dimension=8)
    rows, _ = people_at([1] * people, seed=2, dimension=8)
    cosines = faces @ rows.T
    own = np.arange(count) % people
    best, first = nearest_few(faces, rows, few=few)
    assert best.shape == (count, min(few, people))
    assert best == pytest.approx(-np.sort(-cosines, axis=1)[:, :few], abs=1e-6)
    assert first.tolist() == cosines.argmax(axis=1).tolist()
    if people > 1:
        cosines[np.arange(count), own] = -2
        best, first = nearest_few(faces, rows, own, few=few)
        others = -np.sort(-cosines, axis=1)[:, : min(few, people - 1)]
        assert best[:, : others.shape[1]] == pytest.approx(others, abs=1e-6)
        assert first.tolist() == cosines.argmax(axis=1).tolist()


def test_fifty_are_few():
    faces, _ = people_at([1] * 80, seed=1)
    assert nearest_few(faces[:2], faces)[0].shape == (2, 50)


def test_more_faces_than_one_block():
    faces, _ = people_at([1] * 2500, dimension=4)
    best, who = nearest(faces, faces)
    assert who.tolist() == list(range(2500))
    assert best == pytest.approx(np.ones(2500), abs=1e-6)
