"""Detect: pixels to boxes, points and scores, with YuNet.

Source: W. Wu, H. Peng, S. Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine
Intelligence Research 20 (2023), and the decoding of its published model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from mien.graph.builder import Graph, Value, type_of
from mien.graph.settings import DetectionSettings

_STRIDES = (8, 16, 32)


def detect(
    graph: Graph, image: Value, detector: onnx.ModelProto, colour: str, settings: DetectionSettings
) -> tuple[Value, Value, Value]:
    """Add detection to a graph.

    Args:
        graph: to add to.
        image: (H, W, 3) uint8 RGB.
        detector: a clean YuNet graph.
        colour: the order it wants, "RGB" or "BGR".
        settings: how faces are looked for.

    Returns:
        Boxes (F, 4) xyxy, points (F, 5, 2) and scores (F,), float32, best first, in pixels of
        `image`.
    """
    search = _Search(detector, colour)
    picture, to_image = _picture(graph, image, settings)
    fine = search(graph, picture)
    coarse = _coarse(graph, picture, search, settings)
    boxes, points, scores = (
        graph.concat(parts, axis=0) for parts in zip(fine, coarse, strict=True)
    )
    kept = graph.op(
        "NonMaxSuppression",
        boxes.unsqueeze(0),
        scores.unsqueeze(0, 1),
        np.array([settings.faces], np.int64),
        np.array([settings.overlap], np.float32),
        np.array([settings.score], np.float32),
    ).at(2, axis=1)
    boxes, points, scores = (found.take(kept) for found in (boxes, points, scores))
    boxes = to_image(boxes.reshape(-1, 2, 2)).reshape(-1, 4)
    return boxes, to_image(points), scores


@dataclass(frozen=True, slots=True)
class _Search:
    """The detector on a picture of its own size: all cells' boxes, points and scores."""

    detector: onnx.ModelProto
    colour: str

    def __call__(self, graph: Graph, picture: Value) -> tuple[Value, ...]:
        """Return boxes (N, 4), points (N, 5, 2), scores (N,) of a (1, 3, H, W) float32 picture."""
        planes = _padded(graph, picture)
        if self.colour == "BGR":
            planes = planes.take(graph.constant(np.array([2, 1, 0])), axis=1)
        raw = graph.inline(self.detector, {"input": planes}, "detector")
        levels = [_decode(graph, raw, planes, stride) for stride in _STRIDES]
        return tuple(graph.concat(parts, axis=0) for parts in zip(*levels, strict=True))


def _coarse(
    graph: Graph, picture: Value, search: _Search, settings: DetectionSettings
) -> tuple[Value, ...]:
    """Look once more at a small copy of a large picture, in pixels of the large one.

    The detector knows faces of some 10 to 400 pixels: at a size that shows the small faces of a
    group, a face that fills the picture is too large for it.
    """
    again = Graph(prefix="coarse/")
    size = graph.op("Shape", picture, start=2)
    sides, to_picture = _sides(again, size, settings.least_side, settings.least_side)
    boxes, points, scores = search(again, _resized(again, picture, sides))
    boxes = to_picture(boxes.reshape(-1, 2, 2)).reshape(-1, 4)
    never = Graph(prefix="once/")
    for branch, found in (
        (again, (boxes, to_picture(points), scores)),
        (
            never,
            [never.constant(np.zeros((0, *shape), np.float32)) for shape in ((4,), (5, 2), ())],
        ),
    ):
        for name, value, shape in zip(("b", "p", "s"), found, ([4], [5, 2], []), strict=True):
            branch.output(f"{branch.prefix}{name}", value, "float32", ["cells", *shape])
    long_side = graph.op("ReduceMax", size, keepdims=0)
    return graph.either(long_side > settings.least_side * 4 // 3, again, never)


class _ToImage:
    """From pixels of the detector's picture to pixels of the photo, both named by their centres."""

    def __init__(self, ratio: Value) -> None:
        self._ratio = ratio

    def __call__(self, points: Value) -> Value:
        return (points + 0.5) / self._ratio - 0.5


def _picture(graph: Graph, image: Value, settings: DetectionSettings) -> tuple[Value, _ToImage]:
    """Return the photo at the size to look at, (1, 3, H', W') float32, and the way back."""
    size = graph.op("Shape", image, end=2)
    sides, to_image = _sides(graph, size, settings.least_side, settings.side)
    # Each in the form that onnxruntime is quick at: floats up, bytes down.
    up, down = Graph(prefix="up/"), Graph(prefix="down/")
    enlarged = _resized(up, _planes(up, image.unsqueeze(0)), sides, antialias=False)
    reduced = _resized(down, image.unsqueeze(0), sides, axes=(1, 2))
    for branch, picture in ((up, enlarged), (down, _planes(down, reduced))):
        branch.output(f"{branch.prefix}picture", picture, "float32", [1, 3, "rows", "columns"])
    long_side = graph.op("ReduceMax", size, keepdims=0)
    (picture,) = graph.either(long_side < settings.least_side, up, down)
    return picture, to_image


def _sides(graph: Graph, size: Value, least: int, most: int) -> tuple[Value, _ToImage]:
    """Return the height and width with a long side from `least` to `most`, and the way back."""
    size = graph.op("Cast", size, to=type_of["float32"])
    long_side = graph.op("ReduceMax", size, keepdims=0)
    wanted = graph.op("Clip", long_side, float(least), float(most))
    scaled = graph.op("Max", graph.op("Round", size * (wanted / long_side)), 1.0)
    ratio = scaled / size
    ratio_xy = graph.vector(ratio.at(1, axis=0), ratio.at(0, axis=0))
    return scaled.cast("int64"), _ToImage(ratio_xy)


def _resized(
    graph: Graph,
    picture: Value,
    sides: Value,
    *,
    axes: tuple[int, int] = (2, 3),
    antialias: bool = True,
) -> Value:
    """Return a picture with other sides."""
    return graph.op(
        "Resize",
        picture,
        None,
        None,
        sides,
        axes=list(axes),
        mode="linear",
        antialias=int(antialias),
        coordinate_transformation_mode="half_pixel",
    )


def _planes(graph: Graph, picture: Value) -> Value:
    """Return (1, 3, H, W) float32 of (1, H, W, 3) uint8."""
    return graph.op(
        "Transpose", graph.op("Cast", picture, to=type_of["float32"]), perm=[0, 3, 1, 2]
    )


def _padded(graph: Graph, picture: Value) -> Value:
    """Return (1, 3, H, W) with black added below and on the right up to multiples of 32."""
    size = graph.op("Shape", picture, start=2)
    short = graph.op("Mod", -graph.op("Mod", size, 32) + 32, 32)
    return graph.op("Pad", picture, graph.concat([np.zeros(6, np.int64), short], axis=0), 0.0)


def _decode(
    graph: Graph, raw: dict[str, Value], planes: Value, stride: int
) -> tuple[Value, Value, Value]:
    """Return boxes (N, 4), points (N, 5, 2) and scores (N,) of one stride's N cells."""
    classes, objects, offsets, points = (
        raw[f"{kind}_{stride}"].at(0, axis=0) for kind in ("cls", "obj", "bbox", "kps")
    )
    scores = graph.op("Sqrt", classes * objects).reshape(-1)
    cells = _cells(graph, planes, stride)
    centre = (cells + offsets.columns(0, 2)) * float(stride)
    half = graph.op("Exp", offsets.columns(2, 4)) * (stride / 2)
    boxes = graph.concat([centre - half, centre + half], axis=1)
    points = (points.reshape(-1, 5, 2) + cells.unsqueeze(1)) * float(stride)
    return boxes, points, scores


def _cells(graph: Graph, planes: Value, stride: int) -> Value:
    """Return the (N, 2) column and row of each cell, row by row."""
    rows = graph.op("Div", planes.size(2), stride)
    columns = graph.op("Div", planes.size(3), stride)
    index = graph.op("Range", 0, graph.op("Mul", rows, columns), 1)
    column, row = graph.op("Mod", index, columns), graph.op("Div", index, columns)
    return graph.op("Concat", column.unsqueeze(1), row.unsqueeze(1), axis=1).cast("float32")
