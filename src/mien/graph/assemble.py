"""The stages as separate graphs, and as one graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from mien.graph.align import TEMPLATE, align
from mien.graph.builder import Graph, Value
from mien.graph.compare import Compared, compare, fixed_people, given_people
from mien.graph.detect import detect
from mien.graph.embed import embed
from mien.graph.settings import DetectionSettings
from mien.types import CROP_SIDE, Head


@dataclass(frozen=True, slots=True, eq=False)
class ModelParts:
    """The models and settings that graphs are built from.

    Attributes:
        detector: a clean YuNet graph.
        detector_colour: the colour order of its input, "RGB" or "BGR".
        embedder: a clean embedder graph.
        embedder_colour: the colour order of its input.
        mean: subtracted from each pixel of a crop.
        scale: multiplies the difference.
        dimension: D.
        settings: how faces are searched for.
    """

    detector: onnx.ModelProto
    detector_colour: str
    embedder: onnx.ModelProto
    embedder_colour: str
    mean: float
    scale: float
    dimension: int
    settings: DetectionSettings


def _image(graph: Graph) -> Value:
    return graph.input("image", "uint8", ["height", "width", 3])


def _output_crops(graph: Graph, crops: Value, side: int) -> None:
    graph.output("crops", crops, "uint8", ["faces", side, side, 3])


def detect_graph(parts: ModelParts) -> onnx.ModelProto:
    """Return the graph image → boxes, points, scores."""
    graph = Graph()
    _outputs_of_detect(graph, _image(graph), parts)
    return graph.model("detect")


def align_graph(side: int = CROP_SIDE, template: NDArray[np.float32] = TEMPLATE) -> onnx.ModelProto:
    """Return the graph image, points → crops of `side` pixels."""
    graph = Graph()
    image = _image(graph)
    points = graph.input("points", "float32", ["faces", 5, 2])
    _output_crops(graph, align(graph, image, points, side, template), side)
    return graph.model("align")


def embed_graph(parts: ModelParts) -> onnx.ModelProto:
    """Return the graph crops → embeddings."""
    graph = Graph()
    crops = graph.input("crops", "uint8", ["faces", CROP_SIDE, CROP_SIDE, 3])
    _outputs_of_embed(graph, crops, parts)
    return graph.model("embed")


def compare_graph(head: Head) -> onnx.ModelProto:
    """Return the graph embeddings → candidates, similarities, probabilities, person."""
    graph = Graph()
    dimension = head.prototypes.shape[1]
    embeddings = graph.input("embeddings", "float32", ["faces", dimension])
    output_compared(graph, compare(graph, embeddings, fixed_people(graph, head)))
    return graph.model("compare")


def open_compare_graph(dimension: int) -> onnx.ModelProto:
    """Return the same graph with people as inputs of each run (`compare.given_people`)."""
    graph = Graph()
    embeddings = graph.input("embeddings", "float32", ["faces", dimension])
    output_compared(graph, compare(graph, embeddings, given_people(graph, dimension)))
    return graph.model("compare")


def whole_graph(
    parts: ModelParts, head: Head | None = None, metadata: Mapping[str, str] | None = None
) -> onnx.ModelProto:
    """Return the whole graph, pixels to names; without a head it ends at the embeddings."""
    graph = Graph()
    image = _image(graph)
    points = _outputs_of_detect(graph, image, parts)
    crops = align(graph, image, points)
    _output_crops(graph, crops, CROP_SIDE)
    embeddings = _outputs_of_embed(graph, crops, parts)
    if head is not None:
        output_compared(graph, compare(graph, embeddings, fixed_people(graph, head)))
    return graph.model("recognizer" if head else "embed_photo", metadata)


def _outputs_of_detect(graph: Graph, image: Value, parts: ModelParts) -> Value:
    boxes, points, scores = detect(
        graph, image, parts.detector, parts.detector_colour, parts.settings
    )
    graph.output("boxes", boxes, "float32", ["faces", 4])
    graph.output("points", points, "float32", ["faces", 5, 2])
    graph.output("scores", scores, "float32", ["faces"])
    return points


def _outputs_of_embed(graph: Graph, crops: Value, parts: ModelParts) -> Value:
    embeddings = embed(
        graph,
        crops,
        parts.embedder,
        colour=parts.embedder_colour,
        mean=parts.mean,
        scale=parts.scale,
    )
    graph.output("embeddings", embeddings, "float32", ["faces", parts.dimension])
    return embeddings


def output_compared(graph: Graph, compared: Compared) -> None:
    """Declare the results of the compare stage as outputs."""
    graph.output("candidates", compared.candidates, "int64", ["faces", "listed"])
    graph.output("similarities", compared.similarities, "float32", ["faces", "listed"])
    graph.output("probabilities", compared.probabilities, "float32", ["faces", "listed"])
    graph.output("person", compared.person, "int64", ["faces"])
