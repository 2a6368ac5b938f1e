"""A network read from an ONNX file that can be modified: nodes, constants, one input, outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from mien.errors import UnusableWeights

Array = NDArray[Any]
Shape = Sequence[int | str | None]


@dataclass
class Network:
    """A graph that can be modified.

    Attributes:
        nodes: in an order in which they can be computed.
        constants: initializers by name; those that no node reads are not written.
        input: name of the only input that is not a constant.
        input_shape: its shape; None where a size is variable.
        outputs: names of the outputs.
        opset: version of the standard operators of the nodes.
    """

    nodes: list[onnx.NodeProto]
    constants: dict[str, Array]
    input: str
    input_shape: tuple[int | None, ...]
    outputs: list[str]
    opset: int

    def readers(self, name: str) -> list[onnx.NodeProto]:
        """Return the nodes that read a value."""
        return [node for node in self.nodes if name in node.input]

    def only_reader(self, name: str) -> onnx.NodeProto | None:
        """Return the only node that reads a value; None for several, or if it is an output."""
        readers = self.readers(name)
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def maker(self, name: str) -> onnx.NodeProto | None:
        """Return the node that computes a value; None for the input and constants."""
        return next((node for node in self.nodes if name in node.output), None)

    def constant(self, node: onnx.NodeProto, position: int) -> Array | None:
        """Return the constant that a node reads at a position, None where there is none."""
        return self.constants.get(node.input[position]) if position < len(node.input) else None

    def add_constant(self, name: str, value: Array) -> str:
        """Add a constant under `name`, or a similar name where that is taken; return the name."""
        while name in self.constants:
            name += "_"
        self.constants[name] = value
        return name

    def rename(self, old: str, new: str) -> None:
        """Rename a value everywhere."""
        for node in self.nodes:
            node.input[:] = [new if name == old else name for name in node.input]
            node.output[:] = [new if name == old else name for name in node.output]
        self.outputs = [new if name == old else name for name in self.outputs]
        if self.input == old:
            self.input = new

    def expose(self, value: str, name: str) -> None:
        """Rename an input or output; a value that already has the name gets another one."""
        if value == name:
            return
        other = f"{name}_inside"
        while other in self.constants or self.readers(other) or self.maker(other):
            other += "_"
        self.rename(name, other)
        if name in self.constants:
            self.constants[other] = self.constants.pop(name)
        self.rename(value, name)

    def bypass(self, node: onnx.NodeProto) -> None:
        """Remove a node that passes its first input on unchanged."""
        self.nodes.remove(node)
        if node.output[0] not in self.outputs:
            self.rename(node.output[0], node.input[0])
        elif self.maker(node.input[0]) is not None and node.input[0] not in self.outputs:
            self.rename(node.input[0], node.output[0])
        else:  # an input or constant that is an output too needs a node to copy it
            raise UnusableWeights(f"{node.output[0]!r} is only a copy of {node.input[0]!r}")

    def to_model(
        self, input_shape: Shape, output_shapes: Mapping[str, Shape | None]
    ) -> onnx.ModelProto:
        """Return the network as a model with float32 input and outputs of these shapes."""
        used = {name for node in self.nodes for name in node.input}
        graph = helper.make_graph(
            self.nodes,
            "mien",
            [helper.make_tensor_value_info(self.input, onnx.TensorProto.FLOAT, input_shape)],
            [
                helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, output_shapes[name])
                for name in self.outputs
            ],
            [
                numpy_helper.from_array(np.ascontiguousarray(value), name)
                for name, value in self.constants.items()
                if name in used
            ],
        )
        return helper.make_model(
            graph,
            producer_name="mien",
            ir_version=8,
            opset_imports=[helper.make_opsetid("", self.opset)],
        )


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return a node's attributes by their names."""
    return {part.name: helper.get_attribute_value(part) for part in node.attribute}


def read_network(data: bytes) -> Network:
    """Return the network in the bytes of an ONNX file.

    Raises:
        UnusableWeights: not ONNX or damaged; or a model with external data, functions, non-standard
            operators or branches.
        ValueError: a weight's bytes do not fit its shape.
    """
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise UnusableWeights("the weights are not an ONNX file, or a damaged one") from error
    graph = model.graph
    _refuse_foreign(model)
    constants = {kept.name: numpy_helper.to_array(kept) for kept in graph.initializer}
    read = {name for node in graph.node for name in node.input} - constants.keys()
    inputs = [value for value in graph.input if value.name in read]
    if len(inputs) != 1 or inputs[0].type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
        names = ", ".join(value.name for value in inputs) or "none"
        raise UnusableWeights(f"the model must take one float32 input; it takes {names}")
    sizes = inputs[0].type.tensor_type.shape.dim
    return Network(
        nodes=list(graph.node),
        constants=constants,
        input=inputs[0].name,
        input_shape=tuple(size.dim_value or None for size in sizes),
        outputs=[value.name for value in graph.output],
        opset=_opset(model.opset_import),
    )


def _opset(imports: Iterable[onnx.OperatorSetIdProto]) -> int:
    return max((entry.version for entry in imports if entry.domain in {"", "ai.onnx"}), default=1)


def _refuse_foreign(model: onnx.ModelProto) -> None:
    graph = model.graph
    if not graph.node:
        raise UnusableWeights("the weights are not an ONNX file: they hold no network")
    if any(kept.data_location == onnx.TensorProto.EXTERNAL for kept in graph.initializer):
        raise UnusableWeights(
            "the model keeps its weights in a second file",
            hint='Save it as one file: onnx.save(onnx.load("model.onnx"), "whole.onnx").',
        )
    foreign = sorted({n.op_type for n in graph.node if n.domain not in {"", "ai.onnx"}})
    branching = sorted(
        {n.op_type for n in graph.node for part in n.attribute if part.HasField("g")}
    )
    if foreign or branching or model.functions or graph.sparse_initializer:
        what = ", ".join(foreign + branching) or "functions or sparse weights"
        raise UnusableWeights(
            f"the model uses more than the plain standard operators: {what}",
            hint="Export it again with standard operators only, without control flow.",
        )
