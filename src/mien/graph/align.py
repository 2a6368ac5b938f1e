"""Align: from points to crops, by a least-squares similarity transform to the ArcFace template.

Sources: S. Umeyama, "Least-squares estimation of transformation parameters between two point
patterns", IEEE PAMI 13 (1991), in two dimensions, where it has a closed form; the template is
that of J. Deng et al., "ArcFace", CVPR 2019.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.graph.builder import Graph, Value
from mien.types import CROP_SIDE

TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    np.float32,
)
"""(5, 2) positions of the five points in a crop of 112 pixels."""

EYE_CORNERS = np.array([[31.35, 53.12], [79.17, 52.88]], np.float32)
"""(2, 2) positions of the outer corners of the eyes in such a crop.

The median over 145 photos of LFW of dlib's points 36 and 45, mapped into the crop by the five
points; standard deviation 2.7 pixels horizontally and 2.4 vertically.
"""


def _portrait_template() -> NDArray[np.float32]:
    """Return TEMPLATE, transformed so that EYE_CORNERS are at the positions of a portrait."""
    crop = EYE_CORNERS @ (1, 1j)
    portrait = CROP_SIDE * np.array([0.3 + 1j / 3, 0.7 + 1j / 3]) - (0.5 + 0.5j)
    turn = (portrait[1] - portrait[0]) / (crop[1] - crop[0])
    places = (TEMPLATE @ (1, 1j) - crop[0]) * turn + portrait[0]
    return np.stack([places.real, places.imag], axis=1).astype(np.float32)


PORTRAIT_TEMPLATE = _portrait_template()
"""(5, 2) like TEMPLATE, for a wider frame: outer eye corners at 0.3 and 0.7 of its width and a
third of its height, the positions that face-alignment tutorials use."""

SAMPLES = 2
"""Each pixel of a crop is the mean of SAMPLES x SAMPLES samples."""


_LEAST = 1e-12
"""Prevents division by zero; far below the squared spread or scale of any face."""


def align(
    graph: Graph,
    image: Value,
    points: Value,
    side: int = CROP_SIDE,
    template: NDArray[np.float32] = TEMPLATE,
) -> Value:
    """Add alignment to a graph.

    The region around a face is cut from the photo, reduced (with antialiasing) to about the
    resolution of the crop where it is finer, and sampled. The time depends on the faces, not on
    the size of the photo.

    Args:
        graph: the graph to add to.
        image: (H, W, 3) uint8 RGB.
        points: (F, 5, 2) float32 in pixels of `image`.
        side: of a crop in pixels; the template is scaled to it.
        template: (5, 2) positions of the points in a crop of 112 pixels; embedders need TEMPLATE.

    Returns:
        (F, side, side, 3) uint8 RGB; pixels outside the photo are black.
    """
    maps = _crop_to_photo(graph, points, side, template)
    body = Graph(prefix="face/")
    index = body.input("face/index", "int64", [])
    condition = body.input("face/go_on", "bool", [])
    crop = _sample(body, image, body.op("Gather", maps, index), side)
    body.output("face/go_on_out", condition, "bool", [])
    body.output("face/crop", crop, "uint8", [side, side, 3])
    return graph.for_each(maps, body)


def _crop_to_photo(graph: Graph, points: Value, side: int, template: NDArray[np.float32]) -> Value:
    """Return (F, 4): a, b, x0, y0 with x = a·u - b·v + x0 and y = b·u + a·v + y0.

    (u, v) is a position in the crop, (x, y) in the photo. The squared distances are minimised in
    the crop, as in the training of ArcFace embedders, and the transform is inverted.
    """
    # Positions are those of pixel centres, so that the left edge of the crop is at -0.5.
    places = (template + 0.5) * np.float32(side / CROP_SIDE) - 0.5
    to_mean = places.mean(0)
    to = places - to_mean
    from_mean = points.mean(1)
    centred = points - from_mean.unsqueeze(1)
    x, y = centred.at(0, axis=2), centred.at(1, axis=2)
    # Five equal points have no scale or rotation: such a crop shows that position alone.
    spread = graph.op("Max", (x * x + y * y).sum(1), _LEAST)
    cosine = (x * to[:, 0] + y * to[:, 1]).sum(1) / spread
    sine = (x * to[:, 1] - y * to[:, 0]).sum(1) / spread
    norm = graph.op("Max", cosine * cosine + sine * sine, _LEAST)
    a, b = cosine / norm, -sine / norm
    x0 = from_mean.at(0, axis=1) - (a * float(to_mean[0]) - b * float(to_mean[1]))
    y0 = from_mean.at(1, axis=1) - (b * float(to_mean[0]) + a * float(to_mean[1]))
    return graph.concat([value.unsqueeze(1) for value in (a, b, x0, y0)], axis=1)


def _grid(side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the u (1, S) and the v (S, 1) of the samples in the crop, S = side · SAMPLES."""
    along = ((np.arange(side * SAMPLES, dtype=np.float32) + 0.5) / SAMPLES - 0.5).astype(np.float32)
    return along[None], along[:, None]


def _sample(graph: Graph, image: Value, crop_to_photo: Value, side: int) -> Value:
    """Return one face's (side, side, 3) uint8 crop."""
    a, b, x0, y0 = (crop_to_photo.at(index, axis=0) for index in range(4))
    u, v = (graph.constant(places) for places in _grid(side))
    x = a * u - b * v + x0
    y = b * u + a * v + y0
    region, left, top = _region(graph, image, x, y)
    pitch = graph.op("Sqrt", a * a + b * b)
    # SAMPLES per side cover as many photo pixels per crop pixel; finer photos are reduced to that.
    shrink = graph.op("Min", float(SAMPLES) / pitch, 1.0)
    size = graph.op("Shape", region, end=2).cast("float32")
    target = graph.op("Max", graph.op("Round", size * shrink), 1.0)
    # Float planes are resized several times faster than (H, W, 3) bytes. The Reshape prevents
    # onnxruntime from moving the Transpose after the Resize.
    sides = graph.concat([np.array([1, 3]), graph.op("Shape", region, end=2)], axis=0)
    planes = graph.op("Reshape", region.transpose(2, 0, 1), sides)
    resized = graph.op(
        "Resize",
        planes.cast("float32"),
        None,
        None,
        graph.concat([np.array([1, 3]), target.cast("int64")], axis=0),
        mode="linear",
        antialias=1,
        coordinate_transformation_mode="half_pixel",
    )
    # GridSample takes positions from -1 at the first edge to 1 at the last edge.
    height, width = size.at(0, axis=0), size.at(1, axis=0)
    places = graph.concat(
        [
            ((x - left + 0.5) * (2.0 / width) - 1.0).unsqueeze(0, 3),
            ((y - top + 0.5) * (2.0 / height) - 1.0).unsqueeze(0, 3),
        ],
        axis=3,
    )
    samples = graph.op(
        "GridSample",
        resized,
        places,
        mode="bilinear",
        padding_mode="zeros",
        align_corners=0,
    )
    pooled = graph.op(
        "AveragePool", samples, kernel_shape=[SAMPLES, SAMPLES], strides=[SAMPLES, SAMPLES]
    )
    pixels = graph.op("Clip", graph.op("Round", pooled), 0.0, 255.0).cast("uint8")
    return pixels.transpose(0, 2, 3, 1).reshape(side, side, 3)


def _region(graph: Graph, image: Value, x: Value, y: Value) -> tuple[Value, Value, Value]:
    """Return the region of the photo that the samples cover, and its left and top, float32.

    The region of a face that is completely outside the photo is one pixel.
    """
    size = graph.op("Shape", image, end=2).cast("float32")
    starts, ends = [], []
    for axis, places in ((0, y), (1, x)):
        length = size.at(axis, axis=0)
        least = graph.op("ReduceMin", places, keepdims=0)
        most = graph.op("ReduceMax", places, keepdims=0)
        start = graph.op("Min", graph.op("Max", graph.op("Floor", least) - 1.0, 0.0), length - 1.0)
        end = graph.op("Max", graph.op("Min", graph.op("Ceil", most) + 2.0, length), start + 1.0)
        starts.append(start)
        ends.append(end)
    region = graph.op(
        "Slice",
        image,
        graph.vector(*starts).cast("int64"),
        graph.vector(*ends).cast("int64"),
        np.array([0, 1], np.int64),
    )
    return region, starts[1], starts[0]
