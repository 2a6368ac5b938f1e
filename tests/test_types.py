"""Value types: validated on construction, frozen, arrays read-only."""

from __future__ import annotations

import base64
import io
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mien.types import (
    Answer,
    Calibration,
    Candidate,
    Detections,
    EmbeddedPhoto,
    Embeddings,
    Face,
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


def test_height_and_width_are_those_of_the_pixels():
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
def test_pixels_must_be_uint8_rgb(pixels, error):
    with pytest.raises(error):
        Photo(pixels, "0" * 64, "p")


@pytest.mark.parametrize("scale", [0, -1, 1.01, float("nan")])
def test_a_scale_outside_0_to_1_is_refused(scale):
    with pytest.raises(ValueError, match="scale"):
        Photo(PIXELS, "0" * 64, "p", scale)


def test_arrays_are_read_only_and_the_callers_stay_writable():
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
def test_arrays_of_detections_have_one_length(counts):
    with pytest.raises(ValueError, match="shape"):
        detections(*counts)


def test_detections_may_be_empty():
    assert len(detections(0, 0, 0)) == 0
    with pytest.raises(ValueError, match="empty"):
        detections(0, 0, 0).largest()


def test_the_largest_face_has_the_largest_box():
    boxes = np.array([[0, 0, 9, 9], [-50, 0, 20, 20], [0, 0, 100, 1]], np.float32)
    found = Detections(boxes, np.zeros((3, 5, 2), np.float32), np.ones(3, np.float32))
    assert found.largest() == 1


def test_embeddings_must_be_unit_rows():
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


def test_a_head_with_arrays_of_different_lengths_is_refused():
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
def test_a_slope_that_is_not_positive_is_refused(slope):
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
def test_a_rate_outside_0_to_1_is_refused(rate):
    with pytest.raises(ValueError, match="between 0 and 1"):
        Policy(0.4, rate, Interval(0, 0, 0), 0, supported=False, source="")


def test_answers_are_compared_by_value():
    listed = (Candidate("a", 0.6, 0.9),)
    answer = Answer("a", None, 0.6, 0.9, 0.001, listed)
    assert answer == Answer("a", None, 0.6, 0.9, 0.001, listed)
    assert (answer.known, answer.nearest) == (True, "a")
    assert not Answer(None, None, 0.2, 0.1, None, listed).known
    assert Answer(None, None, -1.0, 0.0, None).nearest is None
    assert silent(1, 2, "nothing") is None


def face(name):
    box = np.array([1, 2, 30, 40], np.float32)
    answer = Answer(name, None, 0.6, 0.9, None, (Candidate("Ada", 0.6, 0.9),))
    crop, vector = np.zeros((112, 112, 3), np.uint8), np.eye(1, 3, dtype=np.float32)[0]
    return Face(box, np.zeros((5, 2), np.float32), 0.9, answer, crop, vector)


def embedded_photo():
    vectors = Embeddings(np.eye(2, 3, dtype=np.float32), "c")
    crops = np.zeros((2, 112, 112, 3), np.uint8)
    return EmbeddedPhoto(Photo(PIXELS, "0" * 64, "p"), detections(), crops, vectors)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Photo(PIXELS, "0" * 64, "a b.jpg"), "<Photo 'a b.jpg' 6 x 4>"),
        (Photo(PIXELS, "0" * 64, "p", 0.25), "<Photo 'p' 6 x 4, scale 0.25>"),
        (detections(0, 0, 0), "<Detections 0 faces>"),
        (detections(1, 1, 1), "<Detections 1 face: 0.90>"),
        (detections(4, 4, 4), "<Detections 4 faces: 0.90, 0.90, 0.90, ...>"),
        (Embeddings(np.eye(2, 3, dtype=np.float32), "c"), "<Embeddings 2 x 3, contract c>"),
        (embedded_photo(), "<EmbeddedPhoto 'p' 2 faces, contract c>"),
        (face("Ada"), "<Face 'Ada' 90% at 1 2 30 40>"),
        (face(None), "<Face unknown 90% at 1 2 30 40>"),
        (toy_head(1), "<Head prototype, 1 person, 16 dimensions, unknown below 0.500>"),
        (toy_head(1200), "<Head prototype, 1,200 people, 16 dimensions, unknown below 0.500>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_repr_is_one_line_without_arrays(value, expected):
    assert repr(value) == expected


def test_a_repr_has_no_line_break_of_a_name():
    assert "\n" not in repr(Photo(PIXELS, "0" * 64, "two\nlines"))


def test_a_notebook_shows_a_photo_as_a_picture():
    photo = Photo(np.full((2000, 1000, 3), (200, 30, 30), np.uint8), "0" * 64, '"<b>.jpg')
    shown = photo._repr_html_()
    assert shown.startswith('<img src="data:image/jpeg;base64,')
    assert shown.endswith('alt="&quot;&lt;b&gt;.jpg">')
    code = shown.split("base64,")[1].split('"')[0]
    with Image.open(io.BytesIO(base64.b64decode(code))) as picture:
        assert picture.size == (400, 800)
        assert np.allclose(np.asarray(picture).mean((0, 1)), (200, 30, 30), atol=4)
