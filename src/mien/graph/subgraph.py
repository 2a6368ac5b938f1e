"""A part of a finished graph as a graph of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx
from onnx import helper


def subgraph_of(
    model: onnx.ModelProto, inputs: Sequence[str], outputs: Sequence[str]
) -> onnx.ModelProto:
    """Return what lies between some values of a graph and others.

    Args:
        model: a whole graph.
        inputs: inputs or outputs of it, which the part is given.
        outputs: outputs of it, which the part returns.

    Raises:
        ValueError: an output needs something that is not among the inputs.
    """
    graph = model.graph
    maker = {name: node for node in graph.node for name in node.output}
    stored = {tensor.name: tensor for tensor in graph.initializer}
    typed = {value.name: value for value in (*graph.input, *graph.output)}
    given = {_inside(name, maker): name for name in inputs}
    kept: set[int] = set()
    used: set[str] = set()
    waiting = [name for name in outputs if name not in given.values()]
    while waiting:
        name = waiting.pop()
        if name in used or name in given or not name:
            continue
        used.add(name)
        if name in maker:
            kept.add(id(maker[name]))
            waiting.extend(_needs(maker[name]))
        elif name in typed:
            raise ValueError(f"{', '.join(outputs)} need {name}")
    doors = [
        helper.make_node("Identity", [outer], [inner])
        for inner, outer in given.items()
        if inner != outer
    ]
    part = helper.make_graph(
        [*doors, *(node for node in graph.node if id(node) in kept)],
        "part",
        [typed[name] for name in inputs],
        [typed[name] for name in outputs],
        [tensor for name, tensor in stored.items() if name in used],
    )
    return helper.make_model(
        part, opset_imports=list(model.opset_import), ir_version=model.ir_version
    )


def _inside(name: str, maker: dict[str, onnx.NodeProto]) -> str:
    """Return the value that an output is a copy of: what the rest of the graph reads."""
    while name in maker and maker[name].op_type == "Identity":
        name = maker[name].input[0]
    return name


def _needs(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the values that a node reads, those of its inner graphs too.

    Names that are made inside are among them; nothing outside is called so, as names are unique.
    """
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _needs(inner)
        yield from (value.name for value in attribute.g.output)
