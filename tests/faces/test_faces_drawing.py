"""Faces drawn on a copy of their photo."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from mien.faces.drawing import PhotoFaces, draw_faces, show_faces
from mien.photo import encode_png
from mien.types import Answer, Face
from toy_graphs import photo_of

GREEN, GREY = (22, 163, 74), (107, 114, 128)
PIXELS = np.full((300, 400, 3), 240, np.uint8)


def face_at(box, name=None, probability=0.9) -> Face:
    return Face(
        box=np.array(box, np.float32),
        points=np.zeros((5, 2), np.float32),
        score=0.9,
        answer=Answer(name, None, 0.6, probability, None),
        crop=np.zeros((112, 112, 3), np.uint8),
        embedding=np.eye(1, 16, dtype=np.float32)[0],
    )


FACES = [face_at((40, 40, 120, 140), "Ada & co"), face_at((220, 40, 300, 140), None, 0.2)]


def test_boxes_are_green_for_known_people_and_grey_for_unknown_faces():
    drawn = draw_faces(photo_of(PIXELS), FACES)
    assert (drawn.shape, drawn.dtype) == (PIXELS.shape, np.uint8)
    assert tuple(drawn[90, 40]) == GREEN
    assert tuple(drawn[90, 220]) == GREY
    assert tuple(drawn[90, 80]) == (240, 240, 240)


def test_the_photo_itself_is_not_changed():
    photo = photo_of(PIXELS)
    draw_faces(photo, FACES)
    assert (photo.pixels == 240).all()


def test_boxes_are_in_pixels_of_the_full_photo():
    drawn = draw_faces(photo_of(PIXELS, scale=0.5), [face_at((80, 80, 240, 280), "Ada")])
    assert tuple(drawn[90, 40]) == GREEN


@pytest.mark.parametrize(
    "form", [lambda a: a, Image.fromarray, encode_png], ids=["array", "PIL image", "bytes"]
)
def test_the_photo_may_be_given_in_any_form(form):
    expected = draw_faces(photo_of(PIXELS), FACES)
    assert np.array_equal(draw_faces(form(PIXELS), FACES), expected)


@pytest.mark.parametrize("box", [(-50, -50, 20, 20), (350, 250, 500, 400), (0, 0, 400, 300)])
def test_faces_at_the_edges_are_drawn(box):
    assert draw_faces(photo_of(PIXELS), [face_at(box, "A long name " * 9)]).shape == PIXELS.shape


def test_a_notebook_shows_the_photo_with_its_faces():
    shown = show_faces(PIXELS, iter(FACES))
    assert isinstance(shown, PhotoFaces)
    assert repr(shown) == "<PhotoFaces 'photo': Ada & co 90%, unknown>"
    html = shown._repr_html_()
    assert html.endswith('alt="photo: Ada &amp; co 90%, unknown">')
    code = html.split("base64,")[1].split('"')[0]
    with Image.open(io.BytesIO(base64.b64decode(code))) as picture:
        near = np.abs(np.asarray(picture).astype(int) - shown.pixels()).mean()
    assert near < 2


def test_a_photo_without_faces_is_shown_as_it_is():
    shown = show_faces(PIXELS, [])
    assert repr(shown) == "<PhotoFaces 'photo': no faces>"
    assert np.array_equal(shown.pixels(), PIXELS)
