"""Detection compared with NumPy, on toy detectors with known outputs."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mien.engine import DetectionSettings
from mien.graph.assemble import detect_graph, whole_graph
from toy_graphs import FACE, photo_of, random_detector, red_squares, run, toy_parts

SAME_SIZE = {"height": 480, "width": 512}
"""A photo that is not resized and searched once."""


def detect(pixels, **changes):
    return run(detect_graph(toy_parts(**changes)), image=pixels)


@pytest.mark.parametrize("seed", range(3))
def test_decoding_and_suppression_agree_with_numpy(seed):
    model, weights = random_detector(seed)
    pixels = np.random.default_rng(seed).integers(0, 256, (480, 512, 3), np.uint8)
    settings = DetectionSettings(score_threshold=0.7, nms_iou=0.3, max_faces=5000)
    boxes, points, scores = detect(pixels, detector=model, settings=settings)

    expected = reference.decode(reference.cells_of(pixels, weights))
    # Values within rounding of a limit may be decided either way.
    kept = reference.suppress(expected[0], expected[2], settings.nms_iou, settings.score_threshold)
    assert len(kept) > 50
    assert len(scores) == len(kept)
    assert np.abs(scores - expected[2][kept]).max() < 1e-4
    assert np.abs(boxes - expected[0][kept]).max() < 1e-2  # pixels
    assert np.abs(points - expected[1][kept]).max() < 1e-2


def test_at_most_max_faces_are_returned_with_the_best_scores():
    model, _ = random_detector(0)
    pixels = np.random.default_rng(0).integers(0, 256, (480, 512, 3), np.uint8)
    _, _, every = detect(pixels, detector=model, settings=DetectionSettings(max_faces=5000))
    _, _, seven = detect(pixels, detector=model, settings=DetectionSettings(max_faces=7))
    assert np.array_equal(seven, every[:7])
    assert np.all(np.diff(every) <= 0)


@pytest.mark.parametrize("count", [0, 1, 2, 60])
def test_any_number_of_faces(count):
    cells = [(2 + 4 * (n // 10), 2 + 4 * (n % 10)) for n in range(count)]
    boxes, points, scores = detect(red_squares(480, 512, cells))
    assert boxes.shape == (count, 4)
    assert points.shape == (count, 5, 2)
    assert scores.shape == (count,)
    assert {boxes.dtype, points.dtype, scores.dtype} == {np.dtype(np.float32)}
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    found = sorted((round(y), round(x)) for x, y in centres)
    assert found == sorted((8 * row + 4, 8 * column + 4) for row, column in cells)
    assert np.allclose(boxes[:, 2:] - boxes[:, :2], FACE, atol=1e-2)


def test_the_box_of_a_face_at_the_edge_is_not_clipped():
    boxes, _, _ = detect(red_squares(480, 512, [(0, 0), (59, 63)]))
    assert sorted(boxes.round().astype(int).tolist()) == [[-8, -8, 16, 16], [496, 464, 520, 488]]


def test_the_detector_gets_the_colour_order_of_its_card():
    red = red_squares(480, 512, [(5, 5)])
    blue = red[:, :, ::-1]
    for pixels, colour, found in (
        (red, "RGB", 1),
        (blue, "RGB", 0),
        (red, "BGR", 0),
        (blue, "BGR", 1),
    ):
        assert len(detect(pixels, detector_colour=colour)[2]) == found


@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 1), (1, 5000), (5000, 1), (31, 33), (33, 31), (479, 641), (7, 1281), (481, 480)],
)
def test_photos_of_unusual_sizes_can_be_searched(height, width):
    pixels = np.full((height, width, 3), 90, np.uint8)
    boxes, points, scores, crops, embeddings = run(
        whole_graph(toy_parts()),
        *("boxes", "points", "scores", "crops", "embeddings"),
        image=pixels,
    )
    assert boxes.shape == (0, 4)
    assert points.shape == (0, 5, 2)
    assert scores.shape == (0,)
    assert crops.shape == (0, 112, 112, 3)
    assert embeddings.shape == (0, 16)


@settings(max_examples=25)
@given(
    scale=st.floats(0.3, 5.0),
    row=st.integers(3, 50),
    column=st.integers(3, 50),
)
def test_boxes_are_in_pixels_of_photos_of_any_size(scale, row, column):
    """A resized photo has its faces at the same positions, in its own pixels."""
    side = round(480 * scale)
    small = red_squares(480, 480, [(row, column)])
    pixels = np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BILINEAR))
    one_size = DetectionSettings(max_side=480, min_side=480)  # the toy knows one size of face
    boxes, points, _ = detect(pixels, settings=one_size)
    assert len(boxes) == 1
    ratio = side / 480
    expected = np.array([column, row, column, row]) * 8.0 + 4 + np.array([-12, -12, 12, 12])
    # A pixel's place is that of its centre: p + 0.5 grows with the photo.
    assert np.abs((boxes[0] + 0.5) / ratio - 0.5 - expected).max() < 0.05
    (found,) = (points + 0.5) / ratio - 0.5
    assert np.abs(found.mean(0) - (reference.TEMPLATE.mean(0) + 0.5) / 112 * FACE
                  - expected[:2]).max() < 0.05  # fmt: skip


def test_a_large_photo_is_searched_at_two_sizes():
    """A square too large for one cell of the fine picture is one cell of the coarse one."""
    pixels = np.full((960, 1280, 3), 90, np.uint8)
    ratio = 1280 / 480
    top, left = round(80 * ratio), round(160 * ratio)
    pixels[top : top + 22, left : left + 22] = (255, 0, 0)
    once = DetectionSettings(max_side=1280, min_side=1280)
    twice = DetectionSettings(max_side=1280, min_side=480)
    boxes_once, _, _ = detect(pixels, settings=once)
    boxes_twice, _, _ = detect(pixels, settings=twice)
    assert max(boxes_once[:, 2] - boxes_once[:, 0], default=0) < 1.1 * FACE
    assert max(boxes_twice[:, 2] - boxes_twice[:, 0]) > 2 * FACE


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_side": 20},
        {"min_side": 1281},
        {"max_side": 5000},
        {"score_threshold": 0.0},
        {"score_threshold": 1.0},
        {"nms_iou": 1.0},
        {"max_faces": 0},
    ],
)
def test_invalid_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=r"side|score"):
        DetectionSettings(**wrong)


@pytest.mark.weights
def test_a_mosaic_of_more_than_fifty_faces(engine, portraits):
    tiles = [
        Image.open(portraits / name).convert("RGB").resize((160, 160))
        for name in ("biden.jpg", "obama2.jpg", "obama3.jpg")
    ]
    mosaic = Image.new("RGB", (10 * 160, 6 * 160))
    for number in range(60):
        mosaic.paste(tiles[number % 3], (number % 10 * 160, number // 10 * 160))
    found = engine.detect(photo_of(np.asarray(mosaic)))
    centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    tiles_with_a_face = {(int(x // 160), int(y // 160)) for x, y in centres}
    assert len(tiles_with_a_face) == 60
    assert engine.align(photo_of(np.asarray(mosaic)), found).shape == (len(found), 112, 112, 3)
