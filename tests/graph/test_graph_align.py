"""Alignment compared with NumPy: Umeyama by singular values, and sampling point by point."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mien.engine import Session
from mien.graph.align import EYE_CORNERS, PORTRAIT_TEMPLATE, TEMPLATE, _crop_to_photo
from mien.graph.assemble import align_graph
from mien.graph.builder import Graph
from mien.photo import read_photo
from mien.types import Detections
from toy_graphs import photo_of

GREY_LEVELS = 2
"""Largest difference of a crop's pixel to the reference: both are rounded."""

REDUCED = 4
"""The same for a photo that is finer than the crop, which is rounded twice."""


@pytest.fixture(scope="module")
def align():
    session = Session(align_graph().SerializeToString(), name="align", threads=1)
    return lambda image, points: session.run("crops", image=image, points=points)[0]


@pytest.fixture(scope="module")
def transform():
    """Return the similarity transform of the stage: points to a, b, x0, y0."""
    graph = Graph()
    points = graph.input("points", "float32", ["faces", 5, 2])
    graph.output("map", _crop_to_photo(graph, points, 112, TEMPLATE), "float32", ["faces", 4])
    session = Session(graph.model("map").SerializeToString(), name="map", threads=1)
    return lambda points: session.run("map", points=points.astype(np.float32))[0]


def placed(template, scale, angle, shift):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * template @ turn.T + shift


def picture(height, width, seed=0):
    """Return a smooth random picture with waves of about 15 pixels."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 12 + 2, width // 12 + 2, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


similarities = {
    "scale": st.floats(0.05, 20.0),
    "angle": st.floats(-np.pi, np.pi),
    "x": st.floats(-500, 4000),
    "y": st.floats(-500, 4000),
}


@settings(max_examples=200)
@given(**similarities)
def test_a_known_transform_is_recovered(transform, scale, angle, x, y):
    ((a, b, x0, y0),) = transform(placed(TEMPLATE, scale, angle, (x, y))[None])
    assert a == pytest.approx(scale * np.cos(angle), abs=2e-3 * max(scale, 1))
    assert b == pytest.approx(scale * np.sin(angle), abs=2e-3 * max(scale, 1))
    assert (x0, y0) == pytest.approx((x, y), abs=0.1 * max(scale, 1))


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32 - 1), place=st.fixed_dictionaries(similarities))
def test_the_transform_is_the_least_squares_solution_for_any_points(transform, seed, place):
    """Also for points that no similarity transform maps to the template, such as mirrored faces."""
    scale, angle, x, y = (place[name] for name in ("scale", "angle", "x", "y"))
    rng = np.random.default_rng(seed)
    face = TEMPLATE * ([-1, 1] if seed % 4 == 0 else 1) + rng.normal(0, 8, (5, 2))
    points = placed(face, scale, angle, (x, y)).astype(np.float32)
    ((a, b, x0, y0),) = transform(points[None])
    size, rotation, shift = reference.umeyama(points.astype(np.float64), TEMPLATE)
    back = rotation.T / size
    start = -back @ shift
    assert (a, b) == pytest.approx((back[0, 0], back[1, 0]), abs=5e-3 * max(1 / size, 1))
    # Corners of the crop land on the same places of the photo, to a part of a crop pixel.
    for u, v in ((0, 0), (111, 0), (0, 111), (111, 111)):
        found = np.array([a * u - b * v + x0, b * u + a * v + y0])
        assert np.abs(found - (back @ [u, v] + start)).max() * size < 0.05


@pytest.mark.parametrize("scale", [0.3, 1.0, 1.9, 2.1, 4.0, 7.5])
@pytest.mark.parametrize("angle", [0.0, 0.4, np.pi / 2, 3.0])
def test_crops_agree_with_numpy(align, scale, angle):
    image = picture(900, 1100)
    centre = scale * (TEMPLATE - TEMPLATE.mean(0))
    points = placed(centre, 1, angle, (560.3, 440.7)).astype(np.float32)
    (crop,) = align(image, points[None])
    apart = np.abs(crop - reference.crop(image, points))
    assert apart.max() <= (GREY_LEVELS if scale < 2 else REDUCED)
    assert apart.mean() < 0.5


@pytest.mark.parametrize("side", [64, 112, 300])
def test_crops_of_other_sizes_show_the_same(side):
    image = picture(700, 700)
    points = placed(TEMPLATE, 2.5, 0.3, (250, 150)).astype(np.float32)
    session = Session(align_graph(side).SerializeToString(), name="align", threads=1)
    (crop,) = session.run("crops", image=image, points=points[None])[0]
    assert crop.shape == (side, side, 3)
    assert np.abs(crop - reference.crop(image, points, side)).max() <= REDUCED


def test_a_pattern_finer_than_a_crops_pixel_becomes_flat_grey(align):
    rows, columns = np.indices((1200, 1200))
    checks = np.where((rows + columns) % 2, 255, 0).astype(np.uint8)[..., None].repeat(3, 2)
    points = placed(TEMPLATE, 8.0, 0.2, (200, 100)).astype(np.float32)
    (crop,) = align(checks, points[None])
    assert np.abs(crop.astype(int) - 127.5).max() <= 6


@pytest.mark.parametrize(
    "shift", [(-60, 20), (250, 20), (20, -70), (20, 260), (-60, -60), (260, 250)]
)
def test_pixels_outside_the_photo_are_black(align, shift):
    image = picture(300, 300)
    points = (TEMPLATE + shift).astype(np.float32)
    (crop,) = align(image, points[None])
    assert np.abs(crop - reference.crop(image, points)).max() <= GREY_LEVELS
    assert (crop == 0).all(2).mean() > 0.2


@pytest.mark.parametrize("shift", [(-5000, 0), (5000, 0), (0, -5000), (0, 1e6), (-1e6, -1e6)])
def test_the_crop_of_a_face_outside_the_photo_is_black(align, shift):
    (crop,) = align(picture(200, 300), (TEMPLATE + shift).astype(np.float32)[None])
    assert crop.shape == (112, 112, 3)
    assert not crop.any()


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (31, 33), (2, 2)])
def test_photos_of_any_size_are_aligned(align, size):
    image = np.full((*size, 3), 200, np.uint8)
    points = np.stack([TEMPLATE * 0.05, TEMPLATE, TEMPLATE * 30]).astype(np.float32)
    assert align(image, points).shape == (3, 112, 112, 3)


def test_five_equal_points_give_a_crop_of_that_pixel(align):
    """Such a face has no size: its crop shows that pixel everywhere."""
    image = picture(200, 300)
    points = np.full((1, 5, 2), (120, 80), np.float32)
    (crop,) = align(image, points)
    assert np.abs(crop.astype(int) - image[80, 120]).max() <= 1


def test_collinear_points_and_nan_do_not_affect_other_faces(align):
    image = picture(300, 300)
    line = np.linspace((50, 60), (200, 60), 5)
    crops = align(image, np.stack([TEMPLATE + 60, line, TEMPLATE + 90]).astype(np.float32))
    for number, points in ((0, TEMPLATE + 60), (2, TEMPLATE + 90)):
        assert np.abs(crops[number] - reference.crop(image, points)).max() <= GREY_LEVELS


def test_no_faces_give_no_crops(align):
    assert align(picture(50, 60), np.zeros((0, 5, 2), np.float32)).shape == (0, 112, 112, 3)


@settings(max_examples=20)
@given(angle=st.floats(-np.pi, np.pi), scale=st.floats(0.8, 3.0))
def test_a_turned_and_scaled_photo_gives_nearly_the_same_crop(align, angle, scale):
    image = picture(400, 400)
    points = (TEMPLATE * 1.5 + (110, 110)).astype(np.float32)
    (crop,) = align(image, points[None])

    middle = np.array([199.5, 199.5])
    side = round(600 * scale)
    to = np.array([(side - 1) / 2] * 2)
    turned_points = placed(points - middle, scale, angle, to).astype(np.float32)
    # Pillow wants the way back: from the turned photo's places (of corners) to the photo's.
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    back = np.array([[cos, sin], [-sin, cos]])
    shift = middle + 0.5 - back @ (to + 0.5)
    turned = Image.fromarray(image).transform(
        (side, side),
        Image.Transform.AFFINE,
        (*back[0], shift[0], *back[1], shift[1]),
        Image.Resampling.BICUBIC,
    )
    (again,) = align(np.asarray(turned), turned_points[None])
    assert np.abs(again.astype(int) - crop).mean() < 4  # grey levels


@pytest.mark.weights
def test_a_turned_portrait_is_the_same_person(engine, portraits):
    upright = read_photo(portraits / "obama2.jpg")
    found = engine.detect(upright)
    (vector,) = engine.embed(engine.align(upright, found)).vectors
    for degrees in (-10, -5, 5, 10):
        turned = Image.fromarray(upright.pixels).rotate(
            degrees, Image.Resampling.BICUBIC, expand=True
        )
        photo = photo_of(np.asarray(turned))
        faces = engine.detect(photo)
        one = slice(faces.largest(), faces.largest() + 1)
        only = Detections(faces.boxes[one], faces.points[one], faces.scores[one])
        (again,) = engine.embed(engine.align(photo, only)).vectors
        assert vector @ again > 0.8


def test_eye_corners_of_a_portrait_are_at_their_positions():
    corners = 2 * EYE_CORNERS + 40
    photo = np.zeros((300, 300, 3), np.uint8)
    for channel, (x, y) in enumerate(np.round(corners).astype(int)):
        photo[y - 2 : y + 3, x - 2 : x + 3, channel] = 255
    model = align_graph(600, PORTRAIT_TEMPLATE).SerializeToString()
    points = (2 * TEMPLATE + 40)[None]
    (portrait,) = Session(model, name="align").run("crops", image=photo, points=points)[0]
    for channel, x in enumerate((180, 420)):
        rows, columns = np.nonzero(portrait[..., channel])
        assert (columns.mean(), rows.mean()) == pytest.approx((x, 200), abs=2)
