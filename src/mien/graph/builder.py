"""Write ONNX graphs as expressions.

A `Value` is a named tensor of a graph under construction; Python's operators on it add nodes.
Numbers and arrays among the operands become constants: floats float32, integers int64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
"""The first version in which Resize has `antialias`; current runtimes read it."""

_IR_VERSION = 8

Array = NDArray[Any] | np.generic

type_of = {
    "float32": TensorProto.FLOAT,
    "uint8": TensorProto.UINT8,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
}


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor of a graph under construction."""

    graph: Graph
    name: str

    def __add__(self, other: Value | float | Array) -> Value:
        return self.graph.op("Add", self, other)

    def __radd__(self, other: float) -> Value:
        return self.graph.op("Add", other, self)

    def __sub__(self, other: Value | float | Array) -> Value:
        return self.graph.op("Sub", self, other)

    def __rsub__(self, other: float) -> Value:
        return self.graph.op("Sub", other, self)

    def __mul__(self, other: Value | float | Array) -> Value:
        return self.graph.op("Mul", self, other)

    def __rmul__(self, other: float) -> Value:
        return self.graph.op("Mul", other, self)

    def __truediv__(self, other: Value | float | Array) -> Value:
        return self.graph.op("Div", self, other)

    def __rtruediv__(self, other: float) -> Value:
        return self.graph.op("Div", other, self)

    def __neg__(self) -> Value:
        return self.graph.op("Neg", self)

    def __matmul__(self, other: Value | Array) -> Value:
        return self.graph.op("MatMul", self, other)

    def __gt__(self, other: Value | float | Array) -> Value:
        return self.graph.op("Greater", self, other)

    def __ge__(self, other: Value | float | Array) -> Value:
        return self.graph.op("GreaterOrEqual", self, other)

    def __lt__(self, other: Value | float | Array) -> Value:
        return self.graph.op("Less", self, other)

    def __and__(self, other: Value) -> Value:
        return self.graph.op("And", self, other)

    def __or__(self, other: Value) -> Value:
        return self.graph.op("Or", self, other)

    def cast(self, dtype: str) -> Value:
        """Return it as `dtype`, one of the keys of `type_of`."""
        return self.graph.op("Cast", self, to=type_of[dtype])

    def transpose(self, *axes: int) -> Value:
        """Return it with its axes in the given order."""
        return self.graph.op("Transpose", self, perm=list(axes))

    def reshape(self, *sides: int) -> Value:
        """Return it with another shape; 0 keeps an axis, -1 infers its length."""
        return self.graph.op("Reshape", self, np.array(sides, np.int64))

    def unsqueeze(self, *axes: int) -> Value:
        """Return it with new axes of length 1."""
        return self.graph.op("Unsqueeze", self, np.array(axes, np.int64))

    def sum(self, axis: int, *, keep: bool = False) -> Value:
        """Return its sum along an axis."""
        return self.graph.op("ReduceSum", self, np.array([axis], np.int64), keepdims=int(keep))

    def mean(self, axis: int, *, keep: bool = False) -> Value:
        """Return its mean along an axis."""
        return self.graph.op("ReduceMean", self, np.array([axis], np.int64), keepdims=int(keep))

    def at(self, index: int, *, axis: int) -> Value:
        """Return its slice at one index, without that axis."""
        return self.graph.op("Gather", self, np.int64(index), axis=axis)

    def take(self, indices: Value, *, axis: int = 0) -> Value:
        """Return its slices at `indices` along an axis."""
        return self.graph.op("Gather", self, indices, axis=axis)

    def columns(self, start: int, end: int) -> Value:
        """Return the columns start..end-1 of its last axis."""
        return self.graph.op(
            "Slice", self, np.array([start]), np.array([end]), np.array([-1], np.int64)
        )

    def size(self, axis: int) -> Value:
        """Return the length of an axis, a scalar int64."""
        return self.graph.op("Shape", self).at(axis, axis=0)


Operand = Value | float | Array | None


@dataclass(eq=False)
class Graph:
    """A graph under construction, or the body of a loop in one.

    Attributes:
        prefix: of all names in this graph, so that names of inner graphs are unique.
    """

    prefix: str = ""
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    outputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    _count: int = 0

    def _name(self, of: str) -> str:
        self._count += 1
        return f"{self.prefix}{of}_{self._count}"

    def input(self, name: str, dtype: str, shape: Sequence[int | str]) -> Value:
        """Declare an input; a string in `shape` is a variable length."""
        self.inputs.append(helper.make_tensor_value_info(name, type_of[dtype], list(shape)))
        return Value(self, name)

    def output(self, name: str, value: Value, dtype: str, shape: Sequence[int | str]) -> None:
        """Declare an output."""
        self.nodes.append(helper.make_node("Identity", [value.name], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, type_of[dtype], list(shape)))

    def constant(self, array: float | Array, name: str = "constant") -> Value:
        """Return a constant; Python floats become float32, integers int64."""
        values = np.asarray(array)
        if values.dtype == np.float64:
            values = values.astype(np.float32)
        tensor = numpy_helper.from_array(values, self._name(name))
        self.constants.append(tensor)
        return Value(self, tensor.name)

    def value(self, operand: Value | float | Array) -> Value:
        """Return an operand as a value; numbers and arrays become constants."""
        return operand if isinstance(operand, Value) else self.constant(operand)

    def op(self, kind: str, *operands: Operand, **attributes: Any) -> Value:
        """Add a node with one output; None omits an optional input."""
        return self.ops(kind, 1, *operands, **attributes)[0]

    def ops(
        self,
        kind: str,
        results: int,
        *operands: Operand,
        **attributes: Any,
    ) -> tuple[Value, ...]:
        """Add a node with any number of outputs."""
        inputs = ["" if operand is None else self.value(operand).name for operand in operands]
        outputs = [self._name(kind.lower()) for _ in range(results)]
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return tuple(Value(self, name) for name in outputs)

    def concat(self, values: Sequence[Value | Array], *, axis: int) -> Value:
        """Join values along an axis."""
        return self.op("Concat", *values, axis=axis)

    def vector(self, *scalars: Value) -> Value:
        """Return scalars as one vector."""
        return self.concat([scalar.unsqueeze(0) for scalar in scalars], axis=0)

    def for_each(self, values: Value, body: Graph) -> Value:
        """Run `body` on each row of `values` and stack its outputs.

        The body has two inputs, iteration number and condition, as in ONNX's Loop, and one output
        besides the condition. It may read values of this graph, including `values`.
        """
        return self.op("Loop", values.size(0), np.array(True), body=body.proto("body"))

    def either(self, condition: Value, then: Graph, otherwise: Graph) -> tuple[Value, ...]:
        """Return the outputs of `then` or of `otherwise`; only one of them is run."""
        results = len(then.outputs)
        branches = {"then_branch": then.proto("then"), "else_branch": otherwise.proto("otherwise")}
        return self.ops("If", results, condition, **branches)

    def inline(
        self, model: onnx.ModelProto, inputs: Mapping[str, Value], prefix: str
    ) -> dict[str, Value]:
        """Copy another model's nodes into this graph and return its outputs by name."""
        names = {name: value.name for name, value in inputs.items()}

        def renamed(name: str) -> str:
            return name and names.setdefault(name, f"{self.prefix}{prefix}/{name}")

        for tensor in model.graph.initializer:
            copy = onnx.TensorProto()
            copy.CopyFrom(tensor)
            copy.name = renamed(tensor.name)
            self.constants.append(copy)
        for node in model.graph.node:
            copied = onnx.NodeProto()
            copied.CopyFrom(node)
            copied.input[:] = [renamed(name) for name in node.input]
            copied.output[:] = [renamed(name) for name in node.output]
            copied.name = f"{prefix}/{node.name}" if node.name else ""
            self.nodes.append(copied)
        return {out.name: Value(self, renamed(out.name)) for out in model.graph.output}

    def proto(self, name: str) -> onnx.GraphProto:
        """Return the graph as a protobuf."""
        return helper.make_graph(self.nodes, name, self.inputs, self.outputs, self.constants)

    def model(self, name: str, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
        """Return a checked model with `metadata` in its properties."""
        made = helper.make_model(
            self.proto(name),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=_IR_VERSION,
            producer_name="mien",
        )
        helper.set_model_props(made, dict(metadata or {}))
        onnx.checker.check_model(made)
        return made
