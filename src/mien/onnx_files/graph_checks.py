"""Check the graph of a recognizer file or of a stranger's model before onnxruntime reads it.

onnxruntime runs whatever a file holds: loops without an end, tensors of any size that it makes
while it loads, and data in other files. Allowed is what Mien writes: operators of the standard
domain, `If`, and one `Loop` whose number of rounds is the size of a tensor.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from mien.onnx_files.wire import MOST_FIELDS, Message, elements

_STANDARD = {"", "ai.onnx"}
_MOST_NODES = 50_000
_DEEPEST = 4
"""Graphs in graphs; Mien writes three."""

_REFUSED = frozenset(
    [
        "Bernoulli",
        "Col2Im",
        "ConstantOfShape",
        "EyeLike",
        "Multinomial",
        "OneHot",
        "Optional",
        "OptionalGetElement",
        "OptionalHasElement",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Scan",
        "SequenceMap",
        "StringConcat",
        "StringNormalizer",
        "StringSplit",
        "TfIdfVectorizer",
    ]
)
"""They make tensors of any size, call graphs, or read text; Mien writes none of them."""

_GROW = frozenset(["Expand", "Pad", "Range", "Resize", "Tile", "Upsample"])
"""The size of what they return is given by their operands."""

_MOST_VALUES = 64
_LARGEST_OPERAND = 1 << 24
"""Of the product of the numbers that a constant operand of those has."""

_SAME_SIZE = frozenset(
    [
        "Abs",
        "Cast",
        "Ceil",
        "Exp",
        "Flatten",
        "Floor",
        "Identity",
        "Log",
        "Neg",
        "Not",
        "Reciprocal",
        "Relu",
        "Reshape",
        "Round",
        "Sigmoid",
        "Slice",
        "Sqrt",
        "Squeeze",
        "Tanh",
        "Transpose",
        "Unsqueeze",
    ]
)
_KEEPS_SHAPE = _SAME_SIZE - {"Flatten", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}
_BROADCAST = frozenset(
    [
        "Add",
        "And",
        "Div",
        "Equal",
        "Greater",
        "GreaterOrEqual",
        "Less",
        "LessOrEqual",
        "Max",
        "Min",
        "Mod",
        "Mul",
        "Or",
        "Pow",
        "Sub",
        "Where",
    ]
)
"""What onnxruntime may compute from constants while it loads: the size is known beforehand."""

_READ = {1: "f", 6: "i", 7: "q", 9: "?"}
"""float32, int32, int64 and bool: the types of operands, as `struct` has them."""


@dataclass(frozen=True, slots=True)
class _Constant:
    """A value that does not depend on the photo; `values` are those of a small stored tensor."""

    size: int
    shape: tuple[int, ...] | None = None
    values: tuple[float, ...] | None = None


@dataclass(slots=True)
class CheckedGraph:
    """What is known of a graph that passed.

    Attributes:
        inputs: names of its inputs.
        outputs: names of its outputs.
        shapes: shape of each stored tensor of the outer graph, by name.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)


def check_graph(model: bytes, *, exported: bool = False) -> CheckedGraph:
    """Return what is in a recognizer file.

    Args:
        model: the file.
        exported: it is a model that another program wrote, which may compute anything of its
            constants; onnxruntime limits what it computes so.

    Raises:
        ValueError: it holds what Mien never writes.
    """
    file = Message(memoryview(model), [MOST_FIELDS])
    opsets, graph, training, functions = 8, 7, 20, 25
    if training in file or functions in file:
        raise ValueError("it holds functions")
    if any(opset.text(1) not in _STANDARD for opset in file.messages(opsets)):
        raise ValueError("it needs operators that are not standard")
    outer = file.message(graph)
    if outer is None:
        raise ValueError("it has no graph")
    return _Check(len(model), exported=exported).graph(outer, {}, set(), 0)


class _Check:
    """The check of one file.

    Args:
        size: of the file in bytes; what is computed from constants is limited by it.
        exported: as for `check_graph`.
    """

    def __init__(self, size: int, *, exported: bool) -> None:
        self._exported = exported
        self._nodes = 0
        self._loops = 0
        self._computed = 0
        self._most_computed = 8 * size + (1 << 20)
        self._made_by: dict[str, tuple[str, list[str]]] = {}

    def graph(
        self, graph: Message, constants: dict[str, _Constant], defined: set[str], depth: int
    ) -> CheckedGraph:
        """Check a graph; `constants` and `defined` are those of the graphs around it."""
        node, initializer, inputs, outputs, quantised, sparse = 1, 5, 11, 12, 14, 15
        if depth >= _DEEPEST:
            raise ValueError("its graphs are nested too deeply")
        if (quantised in graph and not self._exported) or sparse in graph:
            raise ValueError("it has tensors of a kind that Mien does not write")
        constants = dict(constants)
        checked = CheckedGraph(
            tuple(value.text(1) for value in graph.messages(inputs)),
            tuple(value.text(1) for value in graph.messages(outputs)),
        )
        for tensor in graph.messages(initializer):
            name = tensor.text(8)
            constants[name] = _stored(tensor)
            checked.shapes[name] = constants[name].shape or ()
        defined = defined | set(checked.inputs) | constants.keys()
        for each in graph.messages(node):
            self._node(each, constants, defined, depth)
        if not defined.issuperset(checked.outputs):
            raise ValueError("an output is missing")
        return checked

    def _node(
        self, node: Message, constants: dict[str, _Constant], defined: set[str], depth: int
    ) -> None:
        kind, inputs, outputs = node.text(4), node.texts(1), node.texts(2)
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise ValueError("it has too many nodes")
        if node.text(7) not in _STANDARD or kind in _REFUSED or node.text(8):
            raise ValueError(f"it holds the operator {kind}, which Mien does not write")
        if any(name and name not in defined for name in inputs):
            raise ValueError("its nodes are not in order")
        graphs = self._attributes(node, constants, defined, depth)
        if kind == "Loop":
            self._loop(inputs, constants, depth)
        elif graphs and kind != "If":
            raise ValueError(f"it holds the operator {kind} with a graph")
        operands = [constants.get(name) for name in inputs if name]
        if kind in _GROW:
            self._limit_operands(kind, operands)
        if not graphs and all(operand is not None for operand in operands):
            made = self._from_constants(node, kind, [o for o in operands if o is not None])
            if made is not None:
                constants.update(dict.fromkeys(outputs, made))
        self._made_by.update(dict.fromkeys(outputs, (kind, inputs)))
        defined.update(outputs)

    def _attributes(
        self, node: Message, constants: dict[str, _Constant], defined: set[str], depth: int
    ) -> int:
        """Check a node's attributes and return how many graphs are among them."""
        tensor, graph, tensors, graphs, reference, sparse, more_sparse = 5, 6, 10, 11, 21, 22, 23
        found = 0
        for attribute in node.messages(5):
            if any(number in attribute for number in (graphs, reference, sparse, more_sparse)):
                raise ValueError("a node has attributes that Mien does not write")
            for each in (*attribute.messages(tensor), *attribute.messages(tensors)):
                elements(each)
            inner = attribute.message(graph)
            if inner is not None:
                found += 1
                self.graph(inner, constants, defined, depth + 1)
        return found

    def _loop(self, inputs: Sequence[str], constants: dict[str, _Constant], depth: int) -> None:
        """Allow the one loop over the faces: as many rounds as an axis of a tensor is long."""
        self._loops += 1
        rounds, operands = self._made_by.get(inputs[0], ("", [])) if inputs else ("", [])
        shape, _ = self._made_by.get(operands[0], ("", [])) if operands else ("", [])
        go_on = constants.get(inputs[1]) if len(inputs) == 2 else None
        if depth or self._loops > 1 or (rounds, shape) != ("Gather", "Shape") or go_on is None:
            raise ValueError("it has a loop that Mien does not write")

    @staticmethod
    def _limit_operands(kind: str, operands: Sequence[_Constant | None]) -> None:
        """Limit the constants that say how large a result is."""
        for operand in operands if kind == "Range" else operands[1:]:
            if operand is None:
                continue
            values = operand.values
            if values is None or (kind == "Range" and any(value != value // 1 for value in values)):
                raise ValueError(f"the operator {kind} has operands that Mien does not write")
            if not prod(max(1, abs(value)) for value in values) <= _LARGEST_OPERAND:
                raise ValueError(f"the operator {kind} makes too large a tensor")

    def _from_constants(
        self, node: Message, kind: str, operands: Sequence[_Constant]
    ) -> _Constant | None:
        """Return what a node makes of constants, which onnxruntime computes while it loads."""
        if kind == "Constant" and not operands:
            tensors = [a.message(5) for a in node.messages(5) if 5 in a]
            if len(tensors) == 1 and tensors[0] is not None:
                return _stored(tensors[0])
            return _Constant(node.size)
        if kind in _SAME_SIZE and operands:
            first = operands[0]
            made = _Constant(first.size, first.shape if kind in _KEEPS_SHAPE else None)
        elif kind in _BROADCAST and operands:
            made = _broadcast(operands)
        elif kind == "Concat":
            made = _Constant(sum(operand.size for operand in operands))
        elif kind == "Shape":
            made = _Constant(16)
        elif kind == "Gather" and len(operands) == 2:
            made = _Constant(operands[0].size * operands[1].size)
        elif self._exported:
            return None
        else:
            raise ValueError(f"it computes {kind} of constants, which Mien does not write")
        self._computed += made.size
        if self._computed > self._most_computed:
            raise ValueError("it computes too large tensors from constants")
        return made


def _broadcast(operands: Sequence[_Constant]) -> _Constant:
    """Return the shape that operands have together; where one is unknown, the largest size."""
    shapes = [operand.shape for operand in operands if operand.shape is not None]
    if len(shapes) < len(operands):
        return _Constant(prod(operand.size for operand in operands))
    rank = max(map(len, shapes))
    full = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    shape = tuple(max(sides) for sides in zip(*full, strict=True))
    return _Constant(prod(shape), shape)


def _stored(tensor: Message) -> _Constant:
    shape = elements(tensor)
    size = prod(shape)
    kind = _READ.get(tensor.integer(2), "")
    values = None
    if (
        kind
        and size <= _MOST_VALUES
        and len(data := tensor.data(9)) == struct.calcsize(kind) * size
    ):
        values = struct.unpack(f"<{size}{kind}", data)
    return _Constant(size, shape, values)
