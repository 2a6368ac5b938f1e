"""Change a part of a recognizer file: bytes changed at random seldom leave it whole."""

from __future__ import annotations

import random
from typing import Any

import onnx
from google.protobuf.message import DecodeError, EncodeError
from onnx import TensorProto, helper

from fuzz.changed_json import changed_json

_KINDS = (
    "Add", "Cast", "Concat", "Constant", "ConstantOfShape", "CumSum", "DequantizeLinear", "Div",
    "Expand", "Flatten", "Gather", "GatherElements", "Gemm", "Identity", "If", "Loop", "MatMul",
    "Mod", "Mul", "NonZero", "NonMaxSuppression", "OneHot", "Pad", "Pow", "QuantizeLinear", "Range",
    "ReduceSum", "Reshape", "Resize", "ScatterElements", "ScatterND", "SequenceAt", "Shape", "Size",
    "Slice", "Softmax", "SpaceToDepth", "Split", "SplitToSequence", "Sqrt", "Squeeze", "Sub",
    "Tile", "TopK", "Transpose", "Unique", "Unsqueeze", "Where", "Xor", "Bernoulli", "EyeLike",
    "Scan",
)  # fmt: skip
_NUMBERS = (
    0, 1, -1, 2, 3, 7, 16, 255, 1 << 10, 1 << 16, 1 << 24, 1 << 31, -(1 << 31), 1 << 40, 1 << 62,
    (1 << 63) - 1, -(1 << 63),
)  # fmt: skip


def changed_model(data: bytes, rng: random.Random) -> bytes:
    """Return a recognizer file with one to four things in it changed; `data` where it is none."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        return data
    for _ in range(rng.randint(1, 4)):
        change = rng.choice((_node, _node, _wire, _tensor, _attribute, _field, _field, _value))
        change(model, rng)
    try:
        changed: bytes = model.SerializeToString()
    except (EncodeError, ValueError):
        return data
    return changed


def _graph(model: onnx.ModelProto, rng: random.Random) -> onnx.GraphProto:
    """Return the outer graph, or one inside it."""
    graphs = [model.graph]
    for graph in graphs:
        graphs += [a.g for node in graph.node for a in node.attribute if a.HasField("g")]
    return rng.choice(graphs)


def _node(model: onnx.ModelProto, rng: random.Random) -> None:
    """Add, drop, move, repeat or rename a node."""
    nodes = _graph(model, rng).node
    if not nodes or rng.random() < 0.3:
        names = [each.name for each in model.graph.initializer] + ["image", ""]
        given = [rng.choice(names) for _ in range(rng.randint(0, 3))]
        nodes.append(helper.make_node(rng.choice(_KINDS), given, [f"made{rng.randrange(9)}"]))
        return
    place = rng.randrange(len(nodes))
    what = rng.randrange(4)
    if what == 0:
        del nodes[place]
    elif what == 1:
        nodes[place].op_type = rng.choice(_KINDS)
    elif what == 2:
        nodes.insert(rng.randrange(len(nodes)), nodes[place])
    else:
        nodes[place].domain = rng.choice(("", "ai.onnx", "ai.onnx.ml", "com.microsoft"))


def _wire(model: onnx.ModelProto, rng: random.Random) -> None:
    """Give a node another operand or result."""
    graph = _graph(model, rng)
    if not graph.node:
        return
    node = rng.choice(graph.node)
    names = [*(name for each in graph.node for name in each.output), "image", "",
             *(each.name for each in model.graph.initializer)]  # fmt: skip
    ends = rng.choice((node.input, node.output))
    if ends and rng.random() < 0.8:
        ends[rng.randrange(len(ends))] = rng.choice(names)
    else:
        ends.append(rng.choice(names))


def _tensor(model: onnx.ModelProto, rng: random.Random) -> None:
    """Give a stored tensor another shape, type, name, value or place."""
    attributes = [each for node in _graph(model, rng).node for each in node.attribute]
    stored = [*model.graph.initializer, *(each.t for each in attributes if each.HasField("t"))]
    if not stored:
        return
    tensor = rng.choice(stored)
    what = rng.randrange(6)
    if what == 0:
        tensor.dims[:] = [rng.choice(_NUMBERS) for _ in range(rng.randint(0, 4))]
    elif what == 1:
        tensor.data_type = rng.randrange(0, 26)
    elif what == 2:
        tensor.raw_data = bytes(rng.getrandbits(8) for _ in range(rng.choice((0, 1, 4, 8, 24))))
    elif what == 3:
        tensor.int64_data.append(rng.choice(_NUMBERS))
    elif what == 4:
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/hostname")
    else:
        size = max(1, len(tensor.raw_data) // 8)
        values = [rng.choice(_NUMBERS) for _ in range(size)]
        tensor.raw_data = b"".join(v.to_bytes(8, "little", signed=True) for v in values)


def _attribute(model: onnx.ModelProto, rng: random.Random) -> None:
    """Give a node an attribute, or change one."""
    graph = _graph(model, rng)
    if not graph.node:
        return
    node = rng.choice(graph.node)
    names = (
        "axis", "axes", "to", "perm", "mode", "value", "value_ints", "keepdims", "allowzero",
        "num_outputs", "body", "then_branch", "shape", "start", "end", "blocksize",
    )  # fmt: skip
    value: Any = rng.choice((*_NUMBERS, 0.5, "linear", [1, 0], [*_NUMBERS[:3]]))
    if node.attribute and rng.random() < 0.5:
        rng.choice(node.attribute).i = rng.choice(_NUMBERS)
    else:
        node.attribute.append(helper.make_attribute(rng.choice(names), value))


def _value(model: onnx.ModelProto, rng: random.Random) -> None:
    """Change an input or output of a graph, or the operators that it needs."""
    graph = _graph(model, rng)
    listed = rng.choice((graph.input, graph.output))
    what = rng.randrange(4)
    if what == 0 and listed:
        del listed[rng.randrange(len(listed))]
    elif what == 1 and listed:
        rng.choice(listed).type.tensor_type.elem_type = rng.randrange(0, 26)
    elif what == 2 and model.opset_import:
        model.opset_import[0].version = rng.choice((0, 1, 7, 11, 13, 17, 18, 19, 21, 25, 99, -1))
    elif listed:
        shape = rng.choice(listed).type.tensor_type.shape
        shape.dim.add().dim_value = rng.choice(_NUMBERS)


def _field(model: onnx.ModelProto, rng: random.Random) -> None:
    """Change a value of the metadata, at any depth."""
    for each in model.metadata_props:
        each.value = changed_json(each.value, rng) or each.value
