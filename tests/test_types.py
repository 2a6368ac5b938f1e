"""The nouns: checked at birth, frozen, arrays read-only."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.types import (
    Answer,
    Calibration,
    Candidate,
    Detections,
    Embeddings,
    Interval,
    Photo,
    Policy,
    silent,
)
from toy_graphs import toy_head

PIXELS = np.zeros((4, 6, 3), np.uint8)


def detections(boxes=2, points=2, scores=2):
    return Detections(
        np.tile(np.array([[0, 0, 10, 10]], np.float32), (boxes, 1)),
        np.zeros((points, 5, 2), np.float32),
        np.full(scores, 0.9, np.float32),
    )


def test_a_photo_knows_its_sides():
    photo = Photo(PIXELS, "0" * 64, "p")
    assert (photo.height, photo.width, photo.scale) == (4, 6, 1.0)


@pytest.mark.parametrize(
    ("pixels", "error"),
    [
        (PIXELS.astype(np.float32), TypeError),
        (PIXELS[..., 0], ValueError),
        (np.zeros((4, 6, 4), np.uint8), ValueError),
        (np.zeros((0, 6, 3), np.uint8), ValueError),
    ],
)
def test_a_photo_is_rgb_bytes(pixels, error):
    with pytest.raises(error):
        Photo(pixels, "0" * 64, "p")


@pytest.mark.parametrize("scale", [0, -1, 1.01, float("nan")])
def test_a_photos_scale(scale):
    with pytest.raises(ValueError, match="scale"):
        Photo(PIXELS, "0" * 64, "p", scale)


def test_arrays_are_read_only_and_the_given_one_is_left_alone():
    mine = PIXELS.copy()
    photo = Photo(mine, "0" * 64, "p")
    found = detections()
    embeddings = Embeddings(np.eye(3, dtype=np.float32), "c")
    head = toy_head()
    for array in (
        photo.pixels,
        found.boxes,
        found.points,
        found.scores,
        embeddings.vectors,
        head.prototypes,
        head.photos,
    ):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    mine[...] = 1
    with pytest.raises(FrozenInstanceError):
        photo.name = "other"


@pytest.mark.parametrize("counts", [(1, 2, 2), (2, 1, 2), (2, 2, 1)])
def test_detections_are_of_one_count(counts):
    with pytest.raises(ValueError, match="shape"):
        detections(*counts)


def test_no_face_is_a_detection():
    assert len(detections(0, 0, 0)) == 0
    with pytest.raises(ValueError, match="empty"):
        detections(0, 0, 0).largest()


def test_the_largest_face_is_that_of_the_largest_box():
    boxes = np.array([[0, 0, 9, 9], [-50, 0, 20, 20], [0, 0, 100, 1]], np.float32)
    found = Detections(boxes, np.zeros((3, 5, 2), np.float32), np.ones(3, np.float32))
    assert found.largest() == 1


def test_embeddings_are_unit_rows():
    assert len(Embeddings(np.zeros((0, 8), np.float32), "c")) == 0
    assert [row.tolist() for row in Embeddings(np.eye(2, dtype=np.float32), "c")] == [
        [1, 0],
        [0, 1],
    ]
    for wrong in (2 * np.eye(2), np.zeros((1, 4)), np.full((1, 4), np.nan)):
        with pytest.raises(ValueError, match="unit rows"):
            Embeddings(wrong.astype(np.float32), "c")
    with pytest.raises(TypeError, match="float64"):
        Embeddings(np.eye(2), "c")


def test_a_heads_parts_fit():
    head = toy_head(3)
    with pytest.raises(ValueError, match="distinct"):
        replace(head, people=("a", "b", "a"))
    with pytest.raises(ValueError, match="shape"):
        replace(head, people=("a", "b"))
    with pytest.raises(ValueError, match="shape"):
        replace(head, photos=np.ones(2, np.int64))
    with pytest.raises(ValueError, match="unit rows"):
        replace(head, prototypes=head.prototypes * 2)


@pytest.mark.parametrize("slope", [0, -1, float("nan")])
def test_probability_rises_with_similarity(slope):
    with pytest.raises(ValueError, match="slope"):
        Calibration(slope, 0)


@given(
    st.floats(1e-3, 1e3),
    st.floats(-1e3, 1e3),
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=20),
)
def test_calibration_is_monotone_and_stays_in_range(slope, offset, similarities):
    similarity = np.sort(np.array(similarities, np.float32))
    probability = Calibration(slope, offset).probability(similarity)
    assert probability.shape == similarity.shape
    assert np.all((probability >= 0) & (probability <= 1))
    assert np.all(np.diff(probability) >= 0)


def test_calibration_is_the_logistic_function():
    probability = Calibration(10, -4).probability(np.array([0.4, 0.5, 1.0], np.float32))
    assert np.allclose(probability, 1 / (1 + np.exp(-np.array([0, 1, 6.0]))), atol=1e-6)


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5])
def test_a_policys_rate_is_a_share(rate):
    with pytest.raises(ValueError, match="between 0 and 1"):
        Policy(0.4, rate, Interval(0, 0, 0), 0, supported=False, source="")


def test_answers_are_values():
    listed = (Candidate("a", 0.6, 0.9),)
    answer = Answer("a", None, 0.6, 0.9, 0.001, listed)
    assert answer == Answer("a", None, 0.6, 0.9, 0.001, listed)
    assert (answer.known, answer.nearest) == (True, "a")
    assert not Answer(None, None, 0.2, 0.1, None, listed).known
    assert Answer(None, None, -1.0, 0.0, None).nearest is None
    assert silent(1, 2, "nothing") is None
