"""Extract a part of a graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx
from onnx import helper


def subgraph_of(
    model: onnx.ModelProto, inputs: Sequence[str], outputs: Sequence[str]
) -> onnx.ModelProto:
    """Return the part of a graph between some values and others.

    Args:
        model: the graph.
        inputs: names of inputs or outputs of the graph that become inputs of the part.
        outputs: names of outputs of the graph that the part returns.

    Raises:
        ValueError: an output depends on a value that is not among the inputs.
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
    input_aliases = [
        helper.make_node("Identity", [outer], [inner])
        for inner, outer in given.items()
        if inner != outer
    ]
    part = helper.make_graph(
        [*input_aliases, *(node for node in graph.node if id(node) in kept)],
        "part",
        [typed[name] for name in inputs],
        [typed[name] for name in outputs],
        [tensor for name, tensor in stored.items() if name in used],
    )
    return helper.make_model(
        part, opset_imports=list(model.opset_import), ir_version=model.ir_version
    )


def _inside(name: str, maker: dict[str, onnx.NodeProto]) -> str:
    """Return the value that an output copies, which the rest of the graph reads."""
    while name in maker and maker[name].op_type == "Identity":
        name = maker[name].input[0]
    return name


def _needs(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the values that a node reads, also in its inner graphs.

    Names defined inside are included; they are unique, so no outer value has them.
    """
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _needs(inner)
        yield from (value.name for value in attribute.g.output)
