"""Networks written so that onnxruntime runs them fast, with equal output."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from mien.models.network import Array, Network, attributes


def fold_normalisation(network: Network) -> None:
    """Fold each BatchNormalization into the Conv or Gemm before it, or the Gemm after it."""
    for node in [n for n in network.nodes if n.op_type == "BatchNormalization"]:
        numbers = [network.constant(node, position) for position in range(1, 5)]
        if any(part is None for part in numbers):
            continue
        gamma, beta, mean, variance = (np.asarray(part, np.float64) for part in numbers)
        scale = gamma / np.sqrt(variance + attributes(node).get("epsilon", 1e-5))
        offset = beta - mean * scale
        if _fold_back(network, node, scale, offset) or _fold_on(network, node, scale, offset):
            network.bypass(node)


def _fold_back(network: Network, node: onnx.NodeProto, scale: Array, offset: Array) -> bool:
    """Fold y = scale * x + offset, a number a channel, into the node that makes x."""
    before = network.maker(node.input[0])
    if before is None or network.only_reader(node.input[0]) is None:
        return False
    weights, bias = network.constant(before, 1), network.constant(before, 2)
    if weights is None or (len(before.input) > 2 and bias is None):
        return False
    if before.op_type == "Conv":
        column = scale.reshape(-1, *[1] * (weights.ndim - 1))
    elif before.op_type == "Gemm" and _plain(before):
        column = scale[:, None] if attributes(before).get("transB") else scale[None]
    else:
        return False
    _set_weights(network, before, weights * column, (0 if bias is None else bias) * scale + offset)
    return True


def _fold_on(network: Network, node: onnx.NodeProto, scale: Array, offset: Array) -> bool:
    """Fold y = scale * x + offset, a number a channel, into the Gemm that reads y flattened."""
    after = network.only_reader(node.output[0])
    if after is not None and after.op_type == "Flatten" and attributes(after).get("axis", 1) == 1:
        after = network.only_reader(after.output[0])
    if after is None or after.op_type != "Gemm" or not _plain(after):
        return False
    weights, bias = network.constant(after, 1), network.constant(after, 2)
    if weights is None or (len(after.input) > 2 and bias is None):
        return False
    rows = weights if attributes(after).get("transB") else weights.T
    cells = rows.shape[1] // len(scale)
    new_bias = rows @ np.repeat(offset, cells) + (0 if bias is None else bias)
    new_rows = rows * np.repeat(scale, cells)
    _set_weights(
        network, after, new_rows if attributes(after).get("transB") else new_rows.T, new_bias
    )
    return True


def _plain(gemm: onnx.NodeProto) -> bool:
    known = attributes(gemm)
    return (known.get("alpha", 1), known.get("beta", 1), known.get("transA", 0)) == (1, 1, 0)


def _set_weights(network: Network, node: onnx.NodeProto, weights: Array, bias: Array) -> None:
    """Give a Conv or Gemm new weights and bias; the old may be shared and stay as they are."""
    names = [
        network.add_constant(f"{node.output[0]}_{part}", value.astype(np.float32))
        for part, value in (("weights", weights), ("bias", bias))
    ]
    node.input[1:] = names


def quicken_prelu(network: Network) -> None:
    """Write each PRelu as slope * x + (1 - slope) * relu(x), with depthwise 1 x 1 Conv nodes."""
    for place, node in reversed(list(enumerate(network.nodes))):
        slope = network.constant(node, 1) if node.op_type == "PRelu" else None
        if slope is not None and slope.ndim == 3 and slope.shape[1:] == (1, 1):
            network.nodes[place : place + 1] = _prelu(network, node, slope)


def _prelu(network: Network, node: onnx.NodeProto, slope: Array) -> list[onnx.NodeProto]:
    x, y = node.input[0], node.output[0]
    channels = len(slope)
    below = network.add_constant(f"{y}_below", slope.reshape(-1, 1, 1, 1))
    above = network.add_constant(f"{y}_above", 1 - slope.reshape(-1, 1, 1, 1))
    return [
        helper.make_node("Conv", [x, below], [f"{y}_x"], group=channels, kernel_shape=[1, 1]),
        helper.make_node("Relu", [x], [f"{y}_relu"]),
        helper.make_node(
            "Conv", [f"{y}_relu", above], [f"{y}_positive"], group=channels, kernel_shape=[1, 1]
        ),
        helper.make_node("Add", [f"{y}_x", f"{y}_positive"], [y]),
    ]
