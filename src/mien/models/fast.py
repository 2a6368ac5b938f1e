"""Rewrite networks so that onnxruntime runs them faster, with equal output."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from mien.models.network import Array, Network, attributes

_LEAST_SHARE = 1e-3


def fold_normalisation(network: Network) -> None:
    """Fold each BatchNormalization into the Conv or Gemm before it, or the Gemm after it."""
    for node in [n for n in network.nodes if n.op_type == "BatchNormalization"]:
        numbers = [network.constant(node, position) for position in range(1, 5)]
        if any(part is None for part in numbers) or attributes(node).get("training_mode"):
            continue
        gamma, beta, mean, variance = (np.asarray(part, np.float64) for part in numbers)
        scale = gamma / np.sqrt(variance + attributes(node).get("epsilon", 1e-5))
        offset = beta - mean * scale
        if _fold_back(network, node, scale, offset) or _fold_on(network, node, scale, offset):
            network.bypass(node)


def _fold_back(network: Network, node: onnx.NodeProto, scale: Array, offset: Array) -> bool:
    """Fold y = scale * x + offset, one number per channel, into the node that computes x."""
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
    """Fold y = scale * x + offset, one number per channel, into the Gemm that reads flattened y."""
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
    """Give a Conv or Gemm new weights and bias; the old ones may be shared and do not change."""
    names = [
        network.add_constant(f"{node.output[0]}_{part}", value.astype(np.float32))
        for part, value in (("weights", weights), ("bias", bias))
    ]
    node.input[1:] = names


def fold_factor(network: Network) -> None:
    """Fold each multiplication by one number into the Conv that reads it.

    This is exact at the borders too, since padding with 0 is not affected; a subtraction would not
    be.
    """
    for node in [n for n in network.nodes if n.op_type == "Mul"]:
        if node.input[0] in network.constants:
            node.input[:] = [node.input[1], node.input[0]]
        factor, after = network.constant(node, 1), network.only_reader(node.output[0])
        if factor is None or factor.size != 1 or after is None or after.op_type != "Conv":
            continue
        weights, bias = network.constant(after, 1), network.constant(after, 2)
        if weights is None or (len(after.input) > 2 and bias is None):
            continue
        empty = np.zeros(len(weights), np.float32)
        _set_weights(network, after, weights * factor.item(), empty if bias is None else bias)
        network.bypass(node)


def rewrite_prelu(network: Network) -> None:
    """Write each PRelu with Relu and depthwise 1 x 1 Conv nodes.

    onnxruntime's PRelu does not use the blocked memory layout of Conv nodes and is not fused; on
    SFace it takes as long as all other nodes. Relu and depthwise Conv use that layout, and an Add
    is fused into the Conv before it. Measured on SFace with one thread and batch sizes 1 and 8, as
    ratios to the time of slope * x + (1 - slope) * relu(x):

    ======================================================== ====== ======
    PRelu as published                                       1.84   1.84
    max(x, slope * x)                                        1.07   1.19
    slope * x + relu((1 - slope) * x)                        0.95   0.91
    relu(x) * (1 - slope) + slope * x                        0.97   0.91
    relu(z) + k * z, (1 - slope) folded into the Conv of x   0.94   0.89
    Relu alone (not equal; a lower bound)                    0.87   0.74
    ======================================================== ====== ======
    """
    for place, node in reversed(list(enumerate(network.nodes))):
        slope = network.constant(node, 1) if node.op_type == "PRelu" else None
        # A single slope, or one per pixel, is not rewritten.
        if slope is not None and slope.shape == (slope.size, 1, 1) and slope.size > 1:
            network.nodes[place : place + 1] = _prelu(network, node, slope)


def _prelu(network: Network, node: onnx.NodeProto, slope: Array) -> list[onnx.NodeProto]:
    """Return the nodes of relu(z) + k * z, z = (1 - slope) * x and k = slope / (1 - slope)."""
    x, y = node.input[0], node.output[0]
    share = 1 - slope.reshape(-1, 1, 1, 1).astype(np.float64)
    positive = f"{y}_relu"
    nodes = [helper.make_node("Relu", [x], [positive])]
    # z must rise with x, and not so slowly that k loses precision.
    maker = network.maker(x)
    if (
        share.min() > _LEAST_SHARE
        and maker is not None
        and maker.op_type == "Conv"
        and _fold_back(network, node, share.ravel(), np.zeros(len(share)))
    ):
        slope = slope.reshape(share.shape) / share
    else:
        nodes.append(_scale_channels(network, positive, share, f"{y}_positive"))
        positive = f"{y}_positive"
    nodes.append(_scale_channels(network, x, slope, f"{y}_linear"))
    nodes.append(helper.make_node("Add", [positive, f"{y}_linear"], [y]))
    return nodes


def _scale_channels(network: Network, x: str, factors: Array, y: str) -> onnx.NodeProto:
    """Return a node that multiplies each channel by its factor."""
    weights = factors.reshape(-1, 1, 1, 1).astype(np.float32)
    name = network.add_constant(f"{y}_weights", weights)
    return helper.make_node("Conv", [x, name], [y], group=len(weights), kernel_shape=[1, 1])


def merge_heads(network: Network, stride: int, widths: dict[str, int]) -> None:
    """Compute all of YuNet's outputs for one stride with the same two Conv nodes.

    Each output is computed from the same features by a 1 x 1 Conv to a few channels and a depthwise
    3 x 3 Conv. Together they have 16 channels, the block size of onnxruntime's blocked layout;
    separately they have 1, 4 or 10 and cannot use it. The detector takes 0.90 of the time.

    Args:
        network: of the detector; not changed where its outputs are computed in another way.
        stride: of the grid cells.
        widths: the parts of outputs ``PART_STRIDE``, in order, and their numbers per cell.
    """
    found = [_head(network, f"{part}_{stride}") for part in widths]
    heads = [head for head in found if head is not None]
    if len(heads) != len(widths) or len({head.features for head in heads}) != 1:
        return
    gone = {id(node) for head in heads for node in head.nodes}
    network.nodes = [node for node in network.nodes if id(node) not in gone]

    def joined(name: str, arrays: list[Array]) -> str:
        return network.add_constant(f"heads_{stride}_{name}", np.concatenate(arrays))

    stem, total = f"heads_{stride}", sum(widths.values())
    point = [joined(f"point_{i}", [head.point[i] for head in heads]) for i in (0, 1)]
    depth = [joined(f"depth_{i}", [head.depth[i] for head in heads]) for i in (0, 1)]
    sizes = joined("sizes", [np.array([0, -1, total], np.int64)])
    split = joined("split", [np.array(list(widths.values()), np.int64)])
    parts = [
        f"{part}_{stride}" + "_raw" * head.squashed
        for part, head in zip(widths, heads, strict=True)
    ]
    make = helper.make_node
    network.nodes += [
        make("Conv", [heads[0].features, *point], [f"{stem}_point"], kernel_shape=[1, 1]),
        make(
            "Conv",
            [f"{stem}_point", *depth],
            [f"{stem}_planes"],
            kernel_shape=[3, 3],
            pads=[1] * 4,
            group=total,
        ),
        make("Transpose", [f"{stem}_planes"], [f"{stem}_rows"], perm=[0, 2, 3, 1]),
        make("Reshape", [f"{stem}_rows", sizes], [f"{stem}_cells"]),
        make("Split", [f"{stem}_cells", split], parts, axis=2),
    ]
    network.nodes += [
        make("Sigmoid", [part], [part.removesuffix("_raw")])
        for part in parts
        if part.endswith("_raw")
    ]


@dataclass(frozen=True)
class _Head:
    """How one output is computed: weights and biases of two Conv nodes, and whether by Sigmoid."""

    features: str
    point: tuple[Array, Array]
    depth: tuple[Array, Array]
    squashed: bool
    nodes: tuple[onnx.NodeProto, ...]


def _head(network: Network, output: str) -> _Head | None:
    """Return how an output is computed, None if it is not as in YuNet."""
    nodes: list[onnx.NodeProto] = []
    name = output
    for step in ("Sigmoid", "Reshape", "Transpose", "Conv", "Conv"):
        node = network.maker(name)
        if node is None or (nodes and network.only_reader(name) is not nodes[-1]):
            return None
        if node.op_type == step:
            nodes.append(node)
            name = node.input[0]
        elif step != "Sigmoid":
            return None
    numbers = [network.constant(node, i) for node in nodes[-2:] for i in (1, 2)]
    depth, depth_bias, point, point_bias = numbers
    if depth is None or depth_bias is None or point is None or point_bias is None:
        return None
    as_in_yunet = (
        attributes(nodes[-3]) == {"perm": [0, 2, 3, 1]}
        and _moves(nodes[-2]) == ([1] * 4, len(depth))
        and _moves(nodes[-1]) == ([0] * 4, 1)
        and (depth.shape[1:], point.shape[2:]) == ((1, 3, 3), (1, 1))
    )
    head = _Head(name, (point, point_bias), (depth, depth_bias), len(nodes) == 5, tuple(nodes))
    return head if as_in_yunet else None


def _moves(conv: onnx.NodeProto) -> tuple[list[int], int] | None:
    """Return padding and groups of a Conv with strides and dilations of 1, None for any other."""
    known = attributes(conv)
    plain = known.get("auto_pad", b"NOTSET") == b"NOTSET" and all(
        known.get(key, [1, 1]) == [1, 1] for key in ("strides", "dilations")
    )
    return (known.get("pads", [0] * 4), known.get("group", 1)) if plain else None
