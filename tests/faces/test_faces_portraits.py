"""Portraits show the face, also of photos that are decoded or reduced to half their size."""

from __future__ import annotations

import numpy as np

from mien.faces.portraits import portrait
from mien.photo import decode_photo, encode_jpeg, moderate_size
from toy_graphs import photo_of, red_squares, toy_engine


def is_the_face(pixels: np.ndarray) -> bool:
    """Return whether a portrait shows a red square, which is a face, on grey."""
    # The square is a third of the face, above the middle.
    middle = pixels[170:230, 260:320].reshape(-1, 3).mean(0)
    corners = pixels[:60, :60].reshape(-1, 3).mean(0)
    return bool(middle[0] > 180 and middle[1:].max() < 90 and 60 < corners.min() < 120)


def test_a_portrait_shows_the_face():
    engine = toy_engine()
    photo = photo_of(red_squares(480, 640, [(30, 40)]))
    found = engine.detect(photo)
    assert len(found) == 1
    assert is_the_face(portrait(photo, found.points[0]))


def test_a_portrait_of_a_photo_decoded_at_half_its_size_shows_the_face():
    engine = toy_engine()
    full = red_squares(480, 640, [(30, 40)]).repeat(2, 0).repeat(2, 1)
    photo = decode_photo(encode_jpeg(full), name="large.jpg", long_side=640)
    assert (photo.scale, photo.width) == (0.5, 640)
    found = engine.detect(photo)
    assert len(found) == 1
    assert is_the_face(portrait(photo, found.points[0]))


def test_a_portrait_of_a_very_large_photo_shows_the_face(monkeypatch):
    engine = toy_engine()
    photo = photo_of(red_squares(480, 640, [(30, 40)]))
    found = engine.detect(photo)
    before = portrait(photo, found.points[0])
    crop = engine.align(photo, found)
    monkeypatch.setattr(moderate_size, "LARGE_PHOTO", 480 * 640 - 1)
    reduced = portrait(photo, found.points[0])
    assert is_the_face(reduced)
    assert np.abs(reduced.astype(int) - before).mean() < 12
    assert np.abs(engine.align(photo, found).astype(int) - crop).mean() < 12
