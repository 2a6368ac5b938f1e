"""A recognizer file is run in three stages, whose answers are those of the whole graph."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from mien.engine import Session
from mien.errors import NotARecognizer
from mien.matching import COMPARED
from mien.onnx_files.stages import FOUND, stages
from mien.onnx_files.wire import Message, encoded
from mien.recognizer import Recognizer
from toy_graphs import photo_of, red_squares, toy_engine, toy_head


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    engine = toy_engine()
    return Recognizer.build(toy_head(5, contract=engine.contract), engine, threads=1)


@pytest.mark.parametrize("faces", [0, 1, 3, 40])
def test_the_stages_answer_like_the_whole_graph(recognizer, faces):
    cells = [(4 + 4 * (n // 10), 4 + 5 * (n % 10)) for n in range(faces)]
    photo = photo_of(red_squares(480, 500, cells))
    whole = Session(recognizer.to_bytes(), name="whole", threads=1)
    boxes, crops, vectors, person, probabilities = whole.run(
        "boxes", "crops", "embeddings", "person", "probabilities", image=photo.pixels
    )
    found = recognizer.identify(photo)
    assert len(found) == len(boxes) == faces
    for row, face in enumerate(found):
        assert np.array_equal(face.box, boxes[row])
        assert np.array_equal(face.crop, crops[row])
        assert np.array_equal(face.embedding, vectors[row])
        assert face.name == (None if person[row] < 0 else recognizer.people[person[row]])
        assert face.probability == probabilities[row, 0]


def test_each_stage_holds_its_own_weights_only(recognizer):
    parts = [onnx.load_from_string(part) for part in stages(recognizer.to_bytes())]
    for part in parts:
        onnx.checker.check_model(part)
    inputs = [[value.name for value in part.graph.input] for part in parts]
    outputs = [[value.name for value in part.graph.output] for part in parts]
    assert inputs == [["image"], ["crops"], ["embeddings"]]
    assert outputs == [list(FOUND), ["embeddings"], list(COMPARED)]
    weights = [{tensor.name for tensor in part.graph.initializer} for part in parts]
    whole = onnx.load_from_string(recognizer.to_bytes()).graph.initializer
    assert len(whole) >= len(set.union(*weights))
    assert sum(map(len, weights)) == len(set.union(*weights))


def test_a_file_whose_names_depend_on_the_pixels_is_refused(recognizer):
    model = onnx.load_from_string(recognizer.to_bytes())
    last = next(node for node in model.graph.node if node.output[0] == "similarities")
    nodes = [
        onnx.helper.make_node("Cast", ["image"], ["seen"], to=1),
        onnx.helper.make_node("ReduceMax", ["seen"], ["brightest"], keepdims=0),
        onnx.helper.make_node("Add", [last.input[0], "brightest"], ["similarities"]),
    ]
    model.graph.node.remove(last)
    model.graph.node.extend(nodes)
    with pytest.raises(NotARecognizer, match="cannot be separated: one needs image"):
        Recognizer(model.SerializeToString(), threads=1)


def test_more_faces_than_the_settings_allow_are_an_error(recognizer, monkeypatch):
    photo = photo_of(red_squares(480, 500, [(9, 9), (30, 30)]))
    monkeypatch.setattr(type(recognizer.about.settings), "max_faces", 1, raising=False)
    with pytest.raises(NotARecognizer, match="more faces than its settings allow"):
        recognizer.identify(photo)


def test_what_is_encoded_is_read_as_it_was():
    data = encoded([(1, 0), (2, 300), (7, b"text"), (9, memoryview(b"")), (1, (1 << 64) - 1)])
    message = Message(memoryview(data), [10])
    assert message.integers(1) == [0, -1]
    assert message.integer(2) == 300
    assert message.text(7) == "text"
    assert message.data(9) == b""
