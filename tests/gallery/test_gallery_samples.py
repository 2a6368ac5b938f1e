"""The sample that is enrolled of a face: its measures, its two views, where it comes from."""

from __future__ import annotations

import numpy as np
import pytest

from mien.gallery.enrolment_checks import SUBJECT, sample_of, subject_of
from mien.photo import decode_photo
from mien.quality import measure
from toy_graphs import toy_engine

POINTS = np.array([[40, 50], [70, 52], [56, 70], [44, 88], [68, 89]], np.float32)


@pytest.fixture(scope="module")
def crop():
    return np.random.default_rng(3).integers(0, 255, (112, 112, 3), np.uint8)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_sample_states_what_was_measured(crop, scale):
    engine = toy_engine()
    found = sample_of(engine, crop, POINTS, scale=scale, sha256="a" * 64, source="me.jpg")
    quality = measure(POINTS, crop, scale=scale)
    assert found.measures == {"size": quality.size, "blur": quality.blur, "yaw": quality.yaw}
    assert found.measures["size"] == pytest.approx(np.hypot(30, 2) / scale)
    assert found.quality == quality.overall
    assert (found.sha256, found.source, found.contract) == ("a" * 64, "me.jpg", engine.contract)
    assert found.doubt == ""


def test_a_sample_has_the_face_and_its_mirror_image(crop):
    engine = toy_engine()
    found = sample_of(engine, crop, POINTS, scale=1.0, sha256="", source="")
    mirrored = np.ascontiguousarray(crop[:, ::-1])
    for vector, picture in ((found.embedding, crop), (found.mirrored, mirrored)):
        assert vector == pytest.approx(engine.embed(picture[None]).vectors[0], abs=1e-6)
    assert not np.allclose(found.embedding, found.mirrored, atol=1e-3)
    kept = decode_photo(found.crop, name="crop").pixels
    assert kept.shape == crop.shape
    # Stored as a JPEG: like the crop, not like its mirror image.
    assert np.abs(kept.astype(int) - crop).mean() < np.abs(kept.astype(int) - mirrored).mean() / 2


def test_a_sample_in_doubt_says_why(crop):
    small = 50 + (POINTS - 50) / 10
    found = sample_of(toy_engine(), crop, small, scale=1.0, sha256="", source="")
    assert "pixels between the eyes" in found.doubt


def at(side, left, top=45.0):
    return [left, top, left + side, top + side]


def test_the_subject_is_much_larger_than_any_other_face():
    middle = at(30, 85, 85)
    for largest, subject in ((20, 1), (20.1, None)):
        boxes = np.array([at(10, 5), middle, at(largest, 150)], np.float32)
        assert subject_of(boxes, 200, 200) == subject
    assert SUBJECT == 1.5


def test_a_large_face_at_the_edge_is_not_the_subject_beside_one_in_the_middle():
    boxes = np.array([at(60, 0, 0), at(50, 75, 75)], np.float32)
    assert subject_of(boxes, 200, 200) is None


def test_a_face_alone_is_the_subject_however_small():
    assert subject_of(np.array([at(1, 0, 0)], np.float32), 200, 200) == 0
