"""No faces, and a crowd: real faces, the real models, the one file."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mien.photo import read_photo
from mien.recognizer import Recognizer
from mien.types import Calibration, Head, Interval, Photo, Policy

pytestmark = pytest.mark.weights

ROWS, COLUMNS, CELL = 5, 10, 128


@pytest.fixture(scope="module")
def faces(engine, portraits):
    """Return (picture of the head, embedding) of each of the two presidents."""
    found = {}
    for name in ("biden", "obama"):
        photo = read_photo(portraits / f"{name}.jpg")
        detections = engine.detect(photo)
        left, top, right, bottom = detections.boxes[0]
        room = (bottom - top) / 4
        box = (left - room, top - room, right + room, bottom + room)
        head = Image.fromarray(photo.pixels).crop(tuple(round(float(side)) for side in box))
        crops = engine.align(photo, detections)
        found[name] = head.resize((CELL, CELL)), engine.embed(crops).vectors[0]
    return found


@pytest.fixture(scope="module")
def recognizer(engine, faces):
    head = Head(
        "prototype",
        tuple(faces),
        np.stack([vector for _, vector in faces.values()]),
        np.ones(2, np.int64),
        engine.contract,
        Calibration(30.0, -12.0),
        Policy(0.4, 0.01, Interval(0.01, 0.0, 0.02), 300, supported=True, source="a test"),
    )
    return Recognizer.build(head, engine, threads=1)


def photo_of(picture):
    return Photo(np.asarray(picture.convert("RGB")), "0" * 64, "a crowd")


def test_fifty_faces(recognizer, faces):
    crowd = Image.new("RGB", (COLUMNS * CELL, ROWS * CELL), (90, 110, 130))
    names = {}
    for row in range(ROWS):
        for column in range(COLUMNS):
            name = ("biden", "obama")[(row + column) % 2]
            crowd.paste(faces[name][0], (column * CELL, row * CELL))
            names[row, column] = name
    found = recognizer.identify(photo_of(crowd))
    assert len(found) == ROWS * COLUMNS
    nearest = {}
    for face in found:
        x, y = (face.box[:2] + face.box[2:]) / 2
        nearest[int(y // CELL), int(x // CELL)] = face.candidates[0].name
    assert nearest == names
    # One person is at most once in a photo: of twenty-five of each, one gets the name.
    named = [face.name for face in found if face.name is not None]
    assert sorted(named) == ["biden", "obama"]


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (640, 480), (10_000, 40)])
def test_no_faces(recognizer, size):
    assert recognizer.identify(photo_of(Image.new("RGB", size, (90, 110, 130)))) == []


def test_ten_thousand_pixels_across(recognizer, faces):
    wide = Image.new("RGB", (10_000, 1200), (90, 110, 130))
    wide.paste(faces["obama"][0].resize((900, 900)), (8800, 200))
    (face,) = recognizer.identify(photo_of(wide))
    assert face.candidates[0].name == "obama"
    assert 8900 < face.box[0] < face.box[2] < 9700


@pytest.mark.parametrize(("width", "least"), [(20, 0.9), (32, 1.0), (60, 1.0)])
def test_small_faces_in_a_large_photo_are_found(engine, faces, width, least):
    """A face as wide as a hundredth of the photo's long side; docs/accuracy.md has the table."""
    group = Image.new("RGB", (1920, 1440), (90, 110, 130))
    generator = np.random.default_rng(0)
    side = 2 * width  # the head pasted is a quarter wider than the face on either side, at least
    heads = [face.resize((side, side), Image.Resampling.LANCZOS) for face, _ in faces.values()]
    places = [(x, y) for x in range(40, 1800, 160) for y in range(40, 1300, 160)]
    for number, place in enumerate(places):
        corner = tuple(int(c) for c in np.array(place) + generator.integers(0, 40, 2))
        group.paste(heads[number % 2], corner)
    assert len(engine.detect(photo_of(group))) >= least * len(places)
