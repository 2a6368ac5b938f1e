"""Cut the graph of a recognizer file into stages, so that faces can be embedded in groups.

The memory that embedding takes grows with the number of faces. Comparing needs all faces of a photo
at once, as a person is named at most once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mien.onnx_files.wire import MOST_FIELDS, Field, Message, encoded

_GRAPH = 7
"""Field of a model."""

_NODE, _NAME, _INITIALIZER, _INPUT, _OUTPUT = 1, 2, 5, 11, 12
"""Fields of a graph."""

FOUND = ("boxes", "points", "scores", "crops")
"""Outputs of the first stage."""


def stages(model: bytes) -> tuple[bytes, bytes, bytes]:
    """Return a checked recognizer file as three models.

    They are: image to `FOUND`; crops to embeddings; embeddings to the other outputs.

    Raises:
        ValueError: it cannot be cut there.
    """
    file = Message(memoryview(model), [MOST_FIELDS])
    graph = file.message(_GRAPH)
    if graph is None:
        raise ValueError("it has no graph")
    parts = _Parts(graph)
    if not {*FOUND, "embeddings"} <= parts.outputs.keys():
        raise ValueError("an output is missing")
    rest = [name for name in parts.outputs if name not in {*FOUND, "embeddings"}]
    return (
        parts.model_of(file, FOUND),
        parts.model_of(file, ["embeddings"], source="crops"),
        parts.model_of(file, rest, source="embeddings"),
    )


class _Parts:
    """The nodes, weights, inputs and outputs of a graph, encoded, by the names they define."""

    def __init__(self, graph: Message) -> None:
        self._nodes = [_Node(raw, message) for raw, message in _both(graph, _NODE)]
        self._maker = {name: node for node in self._nodes for name in node.outputs}
        self._weights = {tensor.text(8): raw for raw, tensor in _both(graph, _INITIALIZER)}
        self.inputs = {value.text(1): raw for raw, value in _both(graph, _INPUT)}
        self.outputs = {value.text(1): raw for raw, value in _both(graph, _OUTPUT)}

    def _inside(self, name: str) -> str:
        """Return the value that an output copies, which the other nodes read."""
        while name in self._maker and self._maker[name].kind == "Identity":
            name = self._maker[name].inputs[0]
        return name

    def model_of(self, file: Message, wanted: Sequence[str], *, source: str = "") -> bytes:
        """Return the part that makes some outputs, as a model.

        Args:
            file: the whole model.
            wanted: names of its outputs.
            source: the output of the whole graph that is its input; empty for the graph's inputs.
        """
        given = {source: self.outputs[source]} if source else self.inputs
        alias = self._inside(source) if source else ""
        used = self._needed(wanted, {alias} if source else set(given))
        graph: list[Field] = [(_NAME, b"stage")]
        if alias != source:
            graph.append((_NODE, _identity(source, alias)))
        graph += [(_NODE, n.raw) for n in self._nodes if not used.isdisjoint(n.outputs)]
        graph += [(_INITIALIZER, raw) for name, raw in self._weights.items() if name in used]
        graph += [(_INPUT, raw) for raw in given.values()]
        graph += [(_OUTPUT, self.outputs[name]) for name in wanted]
        whole: list[Field] = [(n, value) for n, value in file.fields if n != _GRAPH]
        return encoded([*whole, (_GRAPH, encoded(graph))])

    def _needed(self, wanted: Iterable[str], given: set[str]) -> set[str]:
        """Return the names that some values depend on, without those that are given."""
        used: set[str] = set()
        waiting = list(wanted)
        while waiting:
            name = waiting.pop()
            if name in used or name in given or not name:
                continue
            used.add(name)
            if name in self._maker:
                waiting.extend(self._maker[name].needs)
            elif name in self.inputs:
                raise ValueError(f"its stages cannot be told apart: one needs {name}")
        return used


class _Node:
    """A node, encoded, and the names it reads and defines."""

    def __init__(self, raw: memoryview, node: Message) -> None:
        self.raw = raw
        self.kind = node.text(4)
        self.inputs, self.outputs = node.texts(1), node.texts(2)
        self.needs = list(_needs(node))


def _needs(node: Message) -> Iterator[str]:
    """Yield the values that a node reads, also in its inner graphs.

    Names defined inside are included. They are unique in what Mien writes; elsewhere more is taken
    along than is needed.
    """
    attributes, graph = 5, 6
    yield from node.texts(1)
    for attribute in node.messages(attributes):
        inner = attribute.message(graph)
        if inner is not None:
            for each in inner.messages(_NODE):
                yield from _needs(each)
            yield from (value.text(1) for value in inner.messages(_OUTPUT))


def _both(graph: Message, number: int) -> Iterator[tuple[memoryview, Message]]:
    """Yield the messages of a repeated field, encoded and read."""
    return zip(graph.payloads(number), graph.messages(number), strict=True)


def _identity(source: str, target: str) -> bytes:
    """Return a node that gives a value another name."""
    return encoded([(1, source.encode()), (2, target.encode()), (4, b"Identity")])
