"""A graph's weights in fewer bytes: stored small, made float32 again when the graph is loaded.

The arithmetic of the graph stays float32. What is stored is turned back by ordinary nodes on
constants (Cast, Mul, Add, Reshape), which every runtime computes once, when it loads the graph:
the standard's DequantizeLinear would do too, but onnxruntime leaves it for every run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Form = Literal["float32", "float16", "int8"]
FORMS: tuple[Form, ...] = get_args(Form)

BLOCK = 64
"""So many neighbouring weights share a step and an offset, as in the OpenCV Zoo's own files."""

_LEAST_ELEMENTS = 4096
"""Smaller tensors stay as they are, and so do those of short rows: there is nothing to gain."""

_READERS = frozenset({"Conv", "Gemm", "MatMul"})

_LEVELS = range(255, 239, -1)
"""How many steps may lie between a block's least and greatest weight."""


def store_weights(
    model: onnx.ModelProto, form: Form, *, block: int | None = BLOCK
) -> onnx.ModelProto:
    """Return a copy of a model whose weights are stored in another form.

    Args:
        model: of a graph, as `mien.graph.assemble` makes it: its weights are float32.
        form: "float32" as they are; "float16" rounded to half precision; "int8" as eight bits,
            with a step and an offset for each block of weights. Weights that were published so
            (as those of the default embedder) and have only been scaled by row since come back
            as they were, but for float32's own rounding.
        block: how many weights of a row share a step; None for whole rows ("per channel").
    """
    if form not in FORMS:
        raise ValueError(f"weights are stored as one of {FORMS}, not as {form!r}")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if form == "float32":
        return copy
    graph = copy.graph
    kept: list[onnx.TensorProto] = []
    made: list[onnx.NodeProto] = []
    weights = _weights_of(graph)
    for tensor in graph.initializer:
        if tensor.name not in weights:
            kept.append(tensor)
            continue
        values = np.asarray(numpy_helper.to_array(tensor))
        stored, nodes = (
            _halves(tensor.name, values)
            if form == "float16"
            else _blocks(tensor.name, values, block)
        )
        kept += stored
        made += nodes
    nodes = [*made, *graph.node]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
    onnx.checker.check_model(copy)
    return copy


def _weights_of(graph: onnx.GraphProto) -> frozenset[str]:
    """Return the names of the large float32 weights of the graph's networks.

    What the compare stage multiplies with are people, not weights: those stay exact.
    """
    read = {name for node in graph.node if node.op_type in _READERS for name in node.input[1:2]}
    return frozenset(
        tensor.name
        for tensor in graph.initializer
        if tensor.name in read
        and tensor.data_type == onnx.TensorProto.FLOAT
        and np.prod(tensor.dims) >= _LEAST_ELEMENTS
        and np.prod(tensor.dims[1:]) >= BLOCK
        and "/" in tensor.name  # an inlined network's; the stages' own constants have no prefix
    )


Stored = tuple[list[onnx.TensorProto], list[onnx.NodeProto]]


def _halves(name: str, values: NDArray[np.float32]) -> Stored:
    half = numpy_helper.from_array(values.astype(np.float16), f"{name}/half")
    cast = helper.make_node("Cast", [half.name], [name], to=onnx.TensorProto.FLOAT)
    return [half], [cast]


def _blocks(name: str, values: NDArray[np.float32], block: int | None) -> Stored:
    rows = values.reshape(len(values), -1)
    width = rows.shape[1]
    # A row that cannot be cut into blocks is one block.
    size = block if block and width % block == 0 else width
    levels, step, least = _quantised(rows.reshape(-1, size))
    parts: dict[str, NDArray[Any]] = {
        "levels": levels,
        "step": step,
        "least": least,
        "shape": np.array(values.shape, np.int64),
    }
    stored = [numpy_helper.from_array(part, f"{name}/{key}") for key, part in parts.items()]
    return stored, list(_restore(name))


def _restore(name: str) -> Iterator[onnx.NodeProto]:
    """Yield the nodes of levels * step + least in the weights' own shape."""
    make = helper.make_node
    yield make("Cast", [f"{name}/levels"], [f"{name}/cast"], to=onnx.TensorProto.FLOAT)
    yield make("Mul", [f"{name}/cast", f"{name}/step"], [f"{name}/scaled"])
    yield make("Add", [f"{name}/scaled", f"{name}/least"], [f"{name}/flat"])
    yield make("Reshape", [f"{name}/flat", f"{name}/shape"], [name])


def _quantised(
    rows: NDArray[np.float32],
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """Return levels (N, size), step (N, 1) and least (N, 1) of N blocks.

    Blocks that already lie on a grid of up to 256 levels span a whole number of its steps, which
    need not be 255: of several numbers the one is taken that fits the block best.
    """
    least = rows.min(axis=1, keepdims=True)
    span = rows.max(axis=1, keepdims=True) - least
    shifted = rows - least
    best = np.full((len(rows), 1), np.inf, np.float32)
    steps = np.ones_like(least)
    for levels in _LEVELS:
        step = np.where(span > 0, span / np.float32(levels), np.float32(1))
        error = np.abs(np.round(shifted / step) * step - shifted).max(axis=1, keepdims=True)
        better = error < best
        best[better], steps[better] = error[better], step[better]
    levels = np.clip(np.round(shifted / steps), 0, 255).astype(np.uint8)
    return levels, steps.astype(np.float32), least.astype(np.float32)
