"""The stages assembled: embedding, the one file, and its ONNX operators."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.graph.assemble import (
    align_graph,
    compare_graph,
    detect_graph,
    embed_graph,
    whole_graph,
)
from mien.graph.builder import OPSET, Graph
from mien.recognizer import Recognizer
from toy_graphs import (
    DIMENSION,
    photo_of,
    red_squares,
    run,
    toy_embedder,
    toy_engine,
    toy_head,
    toy_parts,
)


def embedded(crops, colour, mean, scale):
    """Return the toy embedder's output, computed in NumPy."""
    (directions,) = (
        onnx.numpy_helper.to_array(tensor)
        for tensor in toy_embedder().graph.initializer
        if tensor.name == "directions"
    )
    planes = crops.astype(np.float64).transpose(0, 3, 1, 2)
    planes = planes[:, ::-1] if colour == "BGR" else planes
    planes = (planes - mean) * scale
    small = planes.reshape(-1, 3, 8, 14, 8, 14).mean((3, 5)).reshape(-1, 192)
    vectors = small @ directions
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("colour", ["RGB", "BGR"])
@pytest.mark.parametrize(("mean", "scale"), [(0.0, 1.0), (127.5, 1 / 127.5), (0.0, 1 / 255)])
@pytest.mark.parametrize("count", [0, 1, 60])
def test_the_embedder_gets_the_input_of_its_card(colour, mean, scale, count):
    crops = np.random.default_rng(0).integers(0, 256, (count, 112, 112, 3), np.uint8)
    parts = toy_parts(embedder_colour=colour, mean=mean, scale=scale)
    (vectors,) = run(embed_graph(parts), crops=crops)
    assert vectors.shape == (count, DIMENSION)
    assert vectors.dtype == np.float32
    assert np.allclose(vectors, embedded(crops, colour, mean, scale), atol=2e-5)


def every_node(graph: onnx.GraphProto):
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from every_node(attribute.g)


def graphs():
    parts, head = toy_parts(), toy_head()
    return {
        "detect": detect_graph(parts),
        "align": align_graph(),
        "embed": embed_graph(parts),
        "compare": compare_graph(head),
        "embed photo": whole_graph(parts),
        "whole": whole_graph(parts, head, {"mien": "{}"}),
    }


@pytest.mark.parametrize("name", graphs())
def test_only_standard_operators(name):
    model = graphs()[name]
    assert {node.domain for node in every_node(model.graph)} == {""}
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", OPSET)]
    assert 17 <= OPSET <= 20
    assert not model.functions
    onnx.checker.check_model(model, full_check=True)


@pytest.mark.weights
def test_only_standard_operators_with_the_real_models(engine):
    model = whole_graph(engine.parts, toy_head(dimension=engine.dimension))
    assert {node.domain for node in every_node(model.graph)} == {""}
    known = {tensor.name for tensor in model.graph.initializer}
    assert not known & {value.name for value in model.graph.input}  # weights are not inputs
    assert [value.name for value in model.graph.input] == ["image"]


def test_the_whole_graph_gives_the_results_of_its_stages():
    engine = toy_engine()
    cells = [(6 + 9 * (n // 6), 6 + 9 * (n % 6)) for n in range(30)]
    pixels = red_squares(480, 500, cells)
    for number, (row, column) in enumerate(cells):  # faces that differ
        pixels[8 * row + 10 : 8 * row + 14, 8 * column - 6 : 8 * column + 14] = 8 * number
    head = toy_head(40, threshold=0.2, contract=engine.contract)
    photo = photo_of(pixels)
    faces = Recognizer.build(head, engine, threads=1).identify(photo)

    found = engine.detect(photo)
    crops = engine.align(photo, found)
    vectors = engine.embed(crops).vectors
    *_, person = run(compare_graph(head), embeddings=vectors)
    assert len(faces) == len(found) == 30
    for number, face in enumerate(faces):
        assert np.allclose(face.box, found.boxes[number], atol=1e-3)
        assert np.array_equal(face.crop, crops[number])
        assert np.allclose(face.embedding, vectors[number], atol=1e-5)
        similarity = vectors[number] @ head.prototypes.T
        assert face.similarity == pytest.approx(similarity.max(), abs=1e-5)
        named = None if person[number] < 0 else head.people[person[number]]
        assert face.name == named


@settings(max_examples=30)
@given(
    numbers=st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=5),
    other=st.floats(0.5, 100, width=32),
)
def test_operators_of_the_builder_agree_with_python(numbers, other):
    array = np.array(numbers, np.float32)
    other = float(np.float32(other))
    graph = Graph()
    x = graph.input("x", "float32", ["n"])
    made = {
        "sum": (x + other) - (other - x),
        "product": other * x / other + (1.0 + x),
        "minus": -x,
        "more": x > other,
        "between": (x >= other) & (x < other) | (x > other),
    }
    for name, value in made.items():
        dtype = "bool" if name in {"more", "between"} else "float32"
        graph.output(name, value, dtype, ["n"])
    found = dict(zip(made, run(graph.model("test"), x=array), strict=True))
    assert np.allclose(found["sum"], 2 * array, atol=1e-3)
    assert np.allclose(found["product"], 2 * array + 1, atol=1e-3)
    assert np.array_equal(found["minus"], -array)
    assert np.array_equal(found["more"], array > other)
    assert np.array_equal(found["between"], array > other)
