"""Detect: from pixels to boxes, points and scores, with YuNet.

Source: W. Wu, H. Peng, S. Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine
Intelligence Research 20 (2023), and the decoding of its published model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from mien.graph.builder import Graph, Value, type_of
from mien.graph.settings import DetectionSettings

_STRIDES = (8, 16, 32)

_NEAR = 4
"""Photos with a long side of up to this many times `max_side` are converted to floats whole."""


def detect(
    graph: Graph, image: Value, detector: onnx.ModelProto, colour: str, settings: DetectionSettings
) -> tuple[Value, Value, Value]:
    """Add detection to a graph.

    Args:
        graph: the graph to add to.
        image: (H, W, 3) uint8 RGB.
        detector: a clean YuNet graph.
        colour: the colour order of its input, "RGB" or "BGR".
        settings: how faces are searched for.

    Returns:
        Boxes (F, 4) xyxy, points (F, 5, 2) and scores (F,), float32, best first, in pixels of
        `image`.
    """
    search = _Search(detector, colour)
    planes, size, to_image = _picture(graph, image, settings)
    fine = search(graph, planes)
    coarse = _coarse(graph, planes, size, search, settings)
    cells = _Cells(*(graph.concat(parts, axis=0) for parts in zip(fine, coarse, strict=True)))
    boxes, points, scores = _decode(cells, settings.score_threshold)
    kept = graph.op(
        "NonMaxSuppression",
        boxes.unsqueeze(0),
        scores.unsqueeze(0, 1),
        np.array([settings.max_faces], np.int64),
        np.array([settings.nms_iou], np.float32),
        np.array([settings.score_threshold], np.float32),
    ).at(2, axis=1)
    boxes, points, scores = (found.take(kept) for found in (boxes, points, scores))
    boxes = to_image(boxes.reshape(-1, 2, 2)).reshape(-1, 4)
    return boxes, to_image(points), scores


@dataclass(frozen=True, slots=True)
class _Cells:
    """Raw detector outputs of N grid cells.

    Attributes:
        classes: (N, 1) float32 probability of a face.
        objects: (N, 1) float32 probability of an object.
        offsets: (N, 4) offset from the cell to the box's centre, in cells, and logarithm of the
            box's sides.
        points: (N, 10) offsets from the cell to the points, in cells.
        grid: (N, 4) the cell: x, y, width and height.
    """

    classes: Value
    objects: Value
    offsets: Value
    points: Value
    grid: Value


class _Search:
    """Runs the detector on a picture without resizing it."""

    def __init__(self, detector: onnx.ModelProto, colour: str) -> None:
        self._detector = _with_rgb_input(detector) if colour == "BGR" else detector

    def __call__(self, graph: Graph, planes: Value) -> tuple[Value, ...]:
        """Return the fields of `_Cells` for all strides, in pixels of `planes`.

        Args:
            graph: the graph to add to.
            planes: (1, 3, H, W) float32 RGB, H and W multiples of 32.
        """
        raw = graph.inline(self._detector, {"input": planes}, "detector")
        sides = graph.op("Shape", planes, start=2)
        grids = [_grid(graph, sides, stride) for stride in _STRIDES]
        found = [
            graph.concat([raw[f"{kind}_{stride}"] for stride in _STRIDES], axis=1).at(0, axis=0)
            for kind in ("cls", "obj", "bbox", "kps")
        ]
        return (*found, graph.concat(grids, axis=0))


def _coarse(
    graph: Graph, planes: Value, size: Value, search: _Search, settings: DetectionSettings
) -> tuple[Value, ...]:
    """Search a reduced copy of a large picture of `size` again; return the fields of `_Cells`.

    The detector finds faces of about 10 to 400 pixels: at a size that shows the small faces of a
    group, a face that fills the picture is too large.
    """
    again = Graph(prefix="coarse/")
    sides, ratio = _sides(again, size, settings.min_side, settings.min_side)
    # The border is cut from the reduced copy: cutting it from the large picture takes longer.
    copy = _resized(again, planes, ratio=ratio * (1 + 1e-6))  # rounds 479.99 up to 480
    copy = again.op("Slice", copy, np.zeros(2, np.int64), sides, np.array([2, 3]))
    *answers, grid = search(again, _padded(again, copy))
    grid = _ToImage(again, ratio).grid(grid)
    never = Graph(prefix="once/")
    widths = (1, 1, 4, 10, 4)
    for number, (found, width) in enumerate(zip((*answers, grid), widths, strict=True)):
        nothing = never.constant(np.zeros((0, width), np.float32))
        for branch, value in ((again, found), (never, nothing)):
            branch.output(f"{branch.prefix}{number}", value, "float32", ["cells", width])
    long_side = graph.op("ReduceMax", size, keepdims=0)
    return graph.either(long_side > settings.min_side * 4 // 3, again, never)


class _ToImage:
    """Maps pixels of the detector's picture to pixels of the photo; positions are pixel centres."""

    def __init__(self, graph: Graph, ratio: Value) -> None:
        """Take (2,) float32: picture height / photo height, picture width / photo width."""
        self._ratio = graph.vector(ratio.at(1, axis=0), ratio.at(0, axis=0))

    def __call__(self, points: Value) -> Value:
        return (points + 0.5) / self._ratio - 0.5

    def grid(self, grid: Value) -> Value:
        """Return a `_grid` in pixels of the photo."""
        graph = grid.graph
        return graph.concat([self(grid.columns(0, 2)), grid.columns(2, 4) / self._ratio], axis=1)


def _picture(
    graph: Graph, image: Value, settings: DetectionSettings
) -> tuple[Value, Value, _ToImage]:
    """Return the photo at the detection size: planes, that size, and the map to the photo.

    The planes are (1, 3, H', W') float32, padded with black below and on the right to multiples
    of 32.
    """
    size = graph.op("Shape", image, end=2)
    sides, ratio = _sides(graph, size, settings.min_side, settings.max_side)
    long_side = graph.op("ReduceMax", size, keepdims=0)
    rows = image.unsqueeze(0)
    near, up, same, down, far = (
        Graph(prefix=f"{name}/") for name in ("near", "up", "same", "down", "far")
    )
    # The Transpose is outside the branches: onnxruntime would move it after the Resize, which is
    # several times slower on (H, W, 3). Float planes are resized fastest, but take four times
    # the memory of bytes, so the largest photos are resized as bytes.
    bytes_ = near.op("Transpose", rows, perm=[0, 3, 1, 2])
    little = far.op("Transpose", _resized(far, rows, sides, axes=(1, 2)), perm=[0, 3, 1, 2])
    for branch, picture in (
        (up, _padded(up, _resized(up, _floats(up, bytes_), sides, antialias=False))),
        (same, _floats(same, _padded(same, bytes_))),
        (down, _padded(down, _resized(down, _floats(down, bytes_), sides))),
        (far, _floats(far, _padded(far, little))),
    ):
        _output_planes(branch, picture)
    smaller = Graph(prefix="smaller/")
    _output_planes(smaller, *smaller.either(long_side < settings.min_side, up, same))
    _output_planes(near, *near.either(long_side > settings.max_side, down, smaller))
    (planes,) = graph.either(long_side > _NEAR * settings.max_side, far, near)
    return planes, sides, _ToImage(graph, ratio)


def _output_planes(branch: Graph, planes: Value) -> None:
    branch.output(f"{branch.prefix}planes", planes, "float32", [1, 3, "rows", "columns"])


def _floats(graph: Graph, planes: Value) -> Value:
    return graph.op("Cast", planes, to=type_of["float32"])


def _sides(graph: Graph, size: Value, least: int, most: int) -> tuple[Value, Value]:
    """Return (height, width) with a long side from `least` to `most`, and the ratio to `size`."""
    size = graph.op("Cast", size, to=type_of["float32"])
    long_side = graph.op("ReduceMax", size, keepdims=0)
    wanted = graph.op("Clip", long_side, float(least), float(most))
    scaled = graph.op("Max", graph.op("Round", size * (wanted / long_side)), 1.0)
    return scaled.cast("int64"), scaled / size


def _resized(
    graph: Graph,
    picture: Value,
    sides: Value | None = None,
    *,
    ratio: Value | None = None,
    axes: tuple[int, int] = (2, 3),
    antialias: bool = True,
) -> Value:
    """Return a picture resized to these sides, or by this ratio."""
    return graph.op(
        "Resize",
        picture,
        None,
        ratio,
        sides,
        axes=list(axes),
        mode="linear",
        antialias=int(antialias),
        coordinate_transformation_mode="half_pixel",
    )


def _padded(graph: Graph, picture: Value) -> Value:
    """Return (1, 3, H, W), padded with black below and on the right to multiples of 32."""
    size = graph.op("Shape", picture, start=2)
    short = graph.op("Mod", -graph.op("Mod", size, 32) + 32, 32)
    return graph.op("Pad", picture, graph.concat([np.zeros(6, np.int64), short], axis=0))


def _decode(cells: _Cells, least: float) -> tuple[Value, Value, Value]:
    """Return boxes (M, 4), points (M, 5, 2) and scores (M,) of cells with a score above `least`."""
    graph = cells.grid.graph
    scores = graph.op("Sqrt", cells.classes * cells.objects).reshape(-1)
    # Few of the thousands of cells are faces: only those are decoded.
    faces = graph.op("NonZero", scores > least).at(0, axis=0)
    offsets, points, grid = (x.take(faces) for x in (cells.offsets, cells.points, cells.grid))
    place, side = grid.columns(0, 2), grid.columns(2, 4)
    centre = offsets.columns(0, 2) * side + place
    half = graph.op("Exp", offsets.columns(2, 4)) * (side * 0.5)
    boxes = graph.concat([centre - half, centre + half], axis=1)
    points = points.reshape(-1, 5, 2) * side.unsqueeze(1) + place.unsqueeze(1)
    return boxes, points, scores.take(faces)


def _grid(graph: Graph, sides: Value, stride: int) -> Value:
    """Return (N, 4) float32: x, y, width and height of the cells of a picture, row by row."""
    cells = graph.op("Div", sides, stride)
    x, y = (
        graph.op("Range", 0, cells.at(axis, axis=0), 1).cast("float32") * float(stride)
        for axis in (1, 0)
    )
    shape = graph.concat([cells, np.array([1])], axis=0)
    columns = graph.op("Expand", x.unsqueeze(1), shape)
    rows = graph.op("Expand", y.unsqueeze(1, 2), shape)
    size = graph.op("Expand", np.full((1, 1, 2), stride, np.float32), shape)
    return graph.concat([columns, rows, size], axis=2).reshape(-1, 4)


def _with_rgb_input(detector: onnx.ModelProto) -> onnx.ModelProto:
    """Return a detector with BGR input changed to take RGB, so that photos need no conversion.

    The planes are swapped in the weights of the Conv nodes that read the input.
    """
    turned = onnx.ModelProto()
    turned.CopyFrom(detector)
    graph = turned.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if "input" not in node.input:
            continue
        if node.op_type != "Conv" or node.input[1] not in constants:
            raise ValueError(
                f"the input is read by {node.op_type}, not by a Conv with constant weights"
            )
        name = f"{node.input[1]}_of_rgb"
        weights = numpy_helper.to_array(constants[node.input[1]])[:, ::-1]
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(weights), name))
        node.input[1] = name
    return turned
