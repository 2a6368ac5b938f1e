"""Storage forms of a graph's weights: fewer bytes, converted to float32 when the graph is loaded.

The graph still computes in float32. Stored weights are converted by ordinary nodes on constants
(Cast, Mul, Add, Reshape), which runtimes compute once, on loading. DequantizeLinear would be
shorter, but onnxruntime computes it in every run.
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
"""Number of adjacent weights that share a step and an offset, as in the OpenCV Zoo's files."""

_LEAST_ELEMENTS = 4096
"""Smaller tensors, and tensors with short rows, are not converted: it would save nothing."""

_READERS = frozenset({"Conv", "Gemm", "MatMul"})

_LEVELS = range(255, 239, -1)
"""Numbers of steps to try between the least and the greatest weight of a block."""


def store_weights(
    model: onnx.ModelProto, form: Form, *, block: int | None = BLOCK
) -> onnx.ModelProto:
    """Return a copy of a model whose weights are stored in another form.

    Args:
        model: with float32 weights, as `mien.graph.assemble` builds it.
        form: "float32" unchanged; "float16" rounded to half precision; "int8" as eight bits, with
            a step and an offset per block of weights. Weights that were published in this form
            (like those of the default embedder), and were only scaled by row since, are restored
            up to the rounding of float32.
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
    """Return the names of the large float32 weights of the detector and the embedder.

    The prototypes of people are not among them: they stay exact.
    """
    read = {name for node in graph.node if node.op_type in _READERS for name in node.input[1:2]}
    return frozenset(
        tensor.name
        for tensor in graph.initializer
        if tensor.name in read
        and tensor.data_type == onnx.TensorProto.FLOAT
        and np.prod(tensor.dims) >= _LEAST_ELEMENTS
        and np.prod(tensor.dims[1:]) >= BLOCK
        and "/" in tensor.name  # constants of inlined networks have a prefix
    )


Stored = tuple[list[onnx.TensorProto], list[onnx.NodeProto]]


def _halves(name: str, values: NDArray[np.float32]) -> Stored:
    half = numpy_helper.from_array(values.astype(np.float16), f"{name}/half")
    cast = helper.make_node("Cast", [half.name], [name], to=onnx.TensorProto.FLOAT)
    return [half], [cast]


def _blocks(name: str, values: NDArray[np.float32], block: int | None) -> Stored:
    rows = values.reshape(len(values), -1)
    width = rows.shape[1]
    # A row whose length is no multiple of `block` is one block.
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
    """Yield the nodes that compute levels * step + least in the shape of the weights."""
    make = helper.make_node
    yield make("Cast", [f"{name}/levels"], [f"{name}/cast"], to=onnx.TensorProto.FLOAT)
    yield make("Mul", [f"{name}/cast", f"{name}/step"], [f"{name}/scaled"])
    yield make("Add", [f"{name}/scaled", f"{name}/least"], [f"{name}/flat"])
    yield make("Reshape", [f"{name}/flat", f"{name}/shape"], [name])


def _quantised(
    rows: NDArray[np.float32],
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """Return levels (N, size), step (N, 1) and least (N, 1) of N blocks.

    A block that was quantised before spans a whole number of steps, which may be less than 255:
    the number of steps that fits the block best is used.
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
