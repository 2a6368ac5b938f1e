"""Convert published weights to a clean graph: constants folded, batch (and detector size) variable.

onnxruntime cannot run the block-quantised files of the OpenCV Zoo: their weights pass through
`DequantizeLinear` with blocks and are inputs of the graph, and the batch size is 1.

The clean graph always has this form:

- a detector takes ``input`` (N, 3, H, W), H and W multiples of 32, and returns ``cls_S``,
  ``obj_S``, ``bbox_S`` and ``kps_S`` for the strides S = 8, 16, 32: (N, cells, 1 | 1 | 4 | 10);
- an embedder takes ``input`` (N, 3, side, side) and returns ``embedding`` (N, D), N = 0 included;
- pixels are float32 in the card's colour order, outputs float32, operators of `OPSET`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

import numpy as np
import onnx
from onnx import checker, helper, numpy_helper, shape_inference, version_converter

from mien.errors import UnusableWeights
from mien.models.fast import fold_factor, fold_normalisation, merge_heads, rewrite_prelu
from mien.models.network import Array, Network, Shape, attributes, read_network
from mien.onnx_files.graph_checks import check_graph

CLEAN_VERSION = 3
"""Incremented with each change of the resulting graphs."""

OPSET = 18
"""Operator set of clean graphs, the same as that of `mien.graph`."""

_INVALID = (
    checker.ValidationError,
    shape_inference.InferenceError,
    version_converter.ConvertError,
    RuntimeError,  # from the version converter, for an unknown operator
    # From NumPy and Python, for weights whose shapes do not fit their node.
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
)
_STRIDES = (8, 16, 32)
_PARTS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}


class Card(Protocol):
    """The fields of a `mien.models.cards.ModelCard` that are needed here."""

    @property
    def id(self) -> str:
        """Id of the model, for messages."""

    @property
    def side(self) -> int | None:
        """Side of an embedder's crops in pixels."""

    @property
    def dimension(self) -> int | None:
        """Dimension of an embedder's vectors."""


def clean_detector(data: bytes, card: Card) -> onnx.ModelProto:
    """Return the clean graph of a detector with the outputs of YuNet.

    Args:
        data: the published file.
        card: of the model.

    Raises:
        UnusableWeights: the file is not such a model.
    """
    with _errors_translated(card):
        widths = {f"{part}_{s}": width for part, width in _PARTS.items() for s in _STRIDES}
        network = _read(data)
        if set(network.outputs) != set(widths):
            raise UnusableWeights(f"{card.id} is not a detector with the outputs of YuNet")
        _check_input(network, card, (3, None, None))
        _free_sizes(network, widths)
        for stride in _STRIDES:
            merge_heads(network, stride, _PARTS)
        network.outputs = list(widths)
        shapes = {name: ("N", None, width) for name, width in widths.items()}
        return _checked(network.to_model(("N", 3, "H", "W"), shapes), card, shapes)


def clean_embedder(data: bytes, card: Card, *, rewrite: bool = True) -> onnx.ModelProto:
    """Return the clean graph of an embedder, rewritten so that onnxruntime is fast.

    Args:
        data: the published file.
        card: of the model; its `side` and `dimension` must be the model's.
        rewrite: False keeps PRelu, for comparison.

    Raises:
        UnusableWeights: the file is not such a model, or its batch size cannot be made variable.
    """
    with _errors_translated(card):
        network = _read(data)
        if len(network.outputs) != 1:
            raise UnusableWeights(f"{card.id} must have one output, has {len(network.outputs)}")
        _check_input(network, card, (3, card.side, card.side))
        _free_batch(network, card.side)
        fold_factor(network)
        # Again: a Reshape before a Gemm may have become a Flatten.
        fold_normalisation(network)
        if rewrite:
            rewrite_prelu(network)
        network.expose(network.outputs[0], "embedding")
        shapes = {"embedding": ("N", card.dimension)}
        return _checked(network.to_model(("N", 3, card.side, card.side), shapes), card, shapes)


@contextmanager
def _errors_translated(card: Card) -> Iterator[None]:
    """Translate errors of onnx and NumPy about an inconsistent model.

    Raises:
        UnusableWeights: instead of these errors.
    """
    try:
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            yield
    except _INVALID as error:
        first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UnusableWeights(
            f"{card.id} is not a usable model: {first_line}",
            hint="See that the file is whole and was exported with plain ONNX operators.",
        ) from error


def dequantise(values: Array, scale: Array, zero: Array | None, axis: int, block: int) -> Array:
    """Return the result of a blocked `DequantizeLinear` (opset 21): (values - zero) * scale.

    Args:
        values: integers.
        scale: one number per block: the shape of `values`, divided by `block` on `axis`.
        zero: like `scale`, with the dtype of `values`; None for 0.
        axis: axis of the blocks; may be negative.
        block: length of a block; the last one may be shorter.

    Returns:
        float32 of the shape of `values`.

    Raises:
        ValueError: the shapes do not fit.
    """
    length = values.shape[axis]

    def spread(part: Array) -> Array:
        return np.repeat(part, block, axis=axis).take(range(length), axis=axis)

    if scale.ndim != values.ndim or -(-length // block) != scale.shape[axis]:
        raise ValueError(f"blocks of {block} of {values.shape} do not take {scale.shape} scales")
    centred = values.astype(np.int32)
    if zero is not None:
        centred = centred - spread(zero.astype(np.int32))
    return cast("Array", centred.astype(np.float32) * spread(scale.astype(np.float32)))


def _read(data: bytes) -> Network:
    """Return the network in `OPSET`, constants folded, without nodes for training."""
    network = read_network(data)
    check_graph(data, exported=True)
    _fold_constants(network)
    for node in [n for n in network.nodes if n.op_type in {"Dropout", "Identity"}]:
        network.bypass(node)
    fold_normalisation(network)
    network.expose(network.input, "input")
    if network.opset < OPSET:
        model = network.to_model(network.input_shape, dict.fromkeys(network.outputs))
        model = version_converter.convert_version(model, OPSET)
        network = read_network(model.SerializeToString())
        _fold_constants(network)
    # Later versions of an operator have more types and options, which the checker reports where
    # they are not in this opset; it does not report an option of GroupNormalization whose meaning
    # changed.
    if network.opset > OPSET and any(n.op_type == "GroupNormalization" for n in network.nodes):
        raise UnusableWeights("GroupNormalization changed its meaning: export with opset 18")
    network.opset = OPSET
    return network


def _fold_constants(network: Network) -> None:
    """Compute the nodes that only unpack weights: Constant, Reshape, blocked DequantizeLinear."""
    kept = []
    for node in network.nodes:
        values = [network.constants.get(name) for name in node.input]
        value = _value(node, values)
        if value is None:
            kept.append(node)
        else:
            network.constants[node.output[0]] = value
    network.nodes = kept


def _value(node: onnx.NodeProto, inputs: list[Array | None]) -> Array | None:
    """Return the value of a node that unpacks a constant, None for any other node."""
    known = attributes(node)
    if node.op_type == "Constant":
        return _constant(known)
    if not inputs or inputs[0] is None or any(part is None for part in inputs[1:]):
        return None
    first, *rest = cast("list[Array]", inputs)
    if node.op_type == "DequantizeLinear" and known.get("block_size"):
        zero = rest[1] if len(rest) > 1 else None
        return dequantise(first, rest[0], zero, known.get("axis", 1), known["block_size"])
    if node.op_type == "Reshape" and not known.get("allowzero"):
        wanted = [first.shape[i] if size == 0 else size for i, size in enumerate(rest[0])]
        return first.reshape(wanted)
    return first if node.op_type == "Identity" else None


def _constant(known: dict[str, Any]) -> Array | None:
    if "value" in known:
        return numpy_helper.to_array(known["value"])
    kinds = {"value_float": "f4", "value_floats": "f4", "value_int": "i8", "value_ints": "i8"}
    return next((np.array(known[key], kind) for key, kind in kinds.items() if key in known), None)


def _check_input(network: Network, card: Card, wanted: tuple[int | None, ...]) -> None:
    """Raise UnusableWeights unless the input is (N, 3, height, width)."""
    have = network.input_shape
    fits = len(have) == 4 and all(
        size is None or want is None or size == want
        for size, want in zip(have[1:], wanted, strict=True)
    )
    if not fits:
        raise UnusableWeights(
            f"{card.id} takes {have}, not (N, {', '.join(str(w or '?') for w in wanted)})"
        )


def _free_sizes(network: Network, widths: dict[str, int]) -> None:
    """Make batch size, height and width of a detector variable in its Reshape and Resize nodes."""
    for node in network.nodes:
        if node.op_type == "Reshape":
            shape = network.constant(node, 1)
            if shape is None or len(shape) != 3 or shape[2] not in widths.values():
                raise UnusableWeights(
                    f"cannot make the size variable in the Reshape {node.output[0]!r}"
                )
            free = np.array([0, -1, shape[2]], np.int64)
            node.input[1] = network.add_constant(f"cells_{shape[2]}", free)
        if node.op_type == "Resize" and len(node.input) != 3:
            raise UnusableWeights(f"cannot make the size variable in the Resize {node.output[0]!r}")


def _free_batch(network: Network, side: int | None) -> None:
    """Make the batch size of an embedder variable in its Reshape nodes.

    They keep the first size and set the others, which cannot be inferred (-1) for an empty batch. A
    Reshape to two sizes becomes a Flatten.
    """
    sizes = _inferred_sizes(network, (1, 3, side, side))
    for node in network.nodes:
        shape = network.constant(node, 1) if node.op_type == "Reshape" else None
        # Not a constant, so computed from the batch; or only the first size inferred: both are
        # valid.
        if shape is None or (shape[0] == -1 and (shape[1:] > 0).all()):
            continue
        before, after = sizes.get(node.input[0], [0]), sizes.get(node.output[0], [0])
        if before[0] != 1 or after[0] != 1:
            raise UnusableWeights(
                f"cannot make the batch size variable in the Reshape {node.output[0]!r}"
            )
        if len(after) == 2:
            node.CopyFrom(helper.make_node("Flatten", node.input[:1], node.output))
        else:
            free = np.array([0, *after[1:]], np.int64)
            node.input[1] = network.add_constant(f"{node.output[0]}_sizes", free)


def _inferred_sizes(network: Network, input_shape: Shape) -> dict[str, list[int]]:
    """Return the sizes of all values that can be inferred from the input's size."""
    model = network.to_model(input_shape, dict.fromkeys(network.outputs))
    known = shape_inference.infer_shapes(model).graph
    return {
        value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (*known.input, *known.value_info, *known.output)
        if value.type.tensor_type.shape.dim
        and all(size.dim_value for size in value.type.tensor_type.shape.dim)
    }


def _checked(model: onnx.ModelProto, card: Card, shapes: dict[str, Any]) -> onnx.ModelProto:
    """Return the model if it is valid.

    Raises:
        UnusableWeights: an output has the wrong shape.
        ValidationError, InferenceError: the model is invalid.
    """
    checker.check_model(model, full_check=True)
    # It becomes a part of recognizer files, which are opened only where they pass this.
    check_graph(model.SerializeToString())
    inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    for output in inferred.graph.output:
        have = [size.dim_value or size.dim_param for size in output.type.tensor_type.shape.dim]
        want = shapes[output.name]
        if len(have) != len(want) or have[0] != "N" or have[-1] != want[-1]:
            raise UnusableWeights(f"{card.id} gives {output.name} as {have}, not {list(want)}")
    return model
