"""Embed: from crops to unit vectors."""

from __future__ import annotations

import numpy as np
import onnx

from mien.graph.builder import Graph, Value


def embed(
    graph: Graph,
    crops: Value,
    embedder: onnx.ModelProto,
    *,
    colour: str = "RGB",
    mean: float = 0.0,
    scale: float = 1.0,
) -> Value:
    """Add the embedder to a graph.

    Args:
        graph: the graph to add to.
        crops: (F, 112, 112, 3) uint8 RGB.
        embedder: a clean graph, (N, 3, 112, 112) float32 to (N, D).
        colour: the colour order of its input, "RGB" or "BGR".
        mean: subtracted from each pixel.
        scale: multiplies the difference.

    Returns:
        (F, D) float32 unit rows.
    """
    planes = crops.cast("float32").transpose(0, 3, 1, 2)
    if colour == "BGR":
        planes = planes.take(graph.constant(np.array([2, 1, 0])), axis=1)
    if mean:
        planes = planes - mean
    if scale != 1:
        planes = planes * scale
    (vectors,) = graph.inline(embedder, {"input": planes}, "embedder").values()
    return graph.op("LpNormalization", vectors, axis=1, p=2)
