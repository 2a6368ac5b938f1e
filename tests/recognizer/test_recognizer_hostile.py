"""Recognizer files that were made to hang, to fill memory, to read other files or to crash."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from fuzz.seeds.recognizers import seeds
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from mien.errors import NotARecognizer, UnusableWeights
from mien.onnx_files.graph_checks import check_graph
from mien.recognizer import Recognizer
from toy_graphs import photo_of, red_squares, toy_engine, toy_head

make = helper.make_node
HUGE = 10**12


@pytest.fixture(scope="module")
def file() -> bytes:
    engine = toy_engine()
    return Recognizer.build(toy_head(5, contract=engine.contract), engine, threads=1).to_bytes()


@pytest.fixture
def model(file) -> onnx.ModelProto:
    return onnx.load_from_string(file)


def number(model, name, values, dtype=np.int64) -> str:
    """Store a tensor in the model and return its name."""
    model.graph.initializer.append(numpy_helper.from_array(np.array(values, dtype), name))
    return name


def inner_graph(name, *nodes, outputs=("go", "x")):
    """Return the body of a loop, or a branch, whose nodes come from nowhere."""
    kinds = {"go": TensorProto.BOOL, "x": TensorProto.FLOAT}
    values = [helper.make_tensor_value_info(o, kinds[o], []) for o in outputs]
    inputs = [helper.make_tensor_value_info("n", TensorProto.INT64, []),
              helper.make_tensor_value_info("c", TensorProto.BOOL, [])]  # fmt: skip
    nodes = [*nodes, make("Identity", ["c"], ["go"]), make("Cast", ["n"], ["x"], to=1)]
    return helper.make_graph(nodes, name, inputs, values)


def endless_loop(model):
    loop = next(node for node in model.graph.node if node.op_type == "Loop")
    loop.input[0] = ""


def loop_of_many_rounds(model):
    loop = next(node for node in model.graph.node if node.op_type == "Loop")
    loop.input[0] = number(model, "rounds", HUGE)


def second_loop(model):
    loop = next(node for node in model.graph.node if node.op_type == "Loop")
    again = make("Loop", list(loop.input), ["again"], body=inner_graph("second"))
    model.graph.node.insert(list(model.graph.node).index(loop), again)


def loop_in_a_loop(model):
    loop = next(node for node in model.graph.node if node.op_type == "Loop")
    body = loop.attribute[0].g
    body.node.insert(0, make("Loop", list(loop.input), ["again"], body=inner_graph("inner")))


def scan(model):
    model.graph.node.insert(0, make("Scan", ["image"], ["s"], body=inner_graph("b"),
                                    num_scan_inputs=1))  # fmt: skip


def constant_of_shape(model):
    shape = number(model, "huge", [HUGE])
    model.graph.node.insert(0, make("ConstantOfShape", [shape], ["filled"]))


def random_numbers(model):
    model.graph.node.insert(0, make("RandomNormal", [], ["random"], shape=[HUGE]))


def expanded_constant(model):
    shape, one = number(model, "huge", [HUGE]), number(model, "one", [1], np.float32)
    model.graph.node.insert(0, make("Expand", [one, shape], ["wide"]))


def expanded_photo(model):
    shape = number(model, "huge", [1 << 30, 1, 1, 1])
    model.graph.node.insert(0, make("Expand", ["image", shape], ["wide"]))


def tiled_photo(model):
    times = number(model, "times", [1 << 20, 1 << 20, 1])
    model.graph.node.insert(0, make("Tile", ["image", times], ["wide"]))


def enlarged_photo(model):
    scales = number(model, "scales", [1e6, 1e6, 1], np.float32)
    model.graph.node.insert(0, make("Resize", ["image", "", scales], ["wide"]))


def long_range(model):
    ends = [number(model, f"end{n}", value) for n, value in enumerate((0, HUGE, 1))]
    model.graph.node.insert(0, make("Range", ends, ["many"]))


def range_of_small_steps(model):
    ends = [number(model, f"end{n}", value, np.float32) for n, value in enumerate((0, 1, 1e-9))]
    model.graph.node.insert(0, make("Range", ends, ["many"]))


def outer_product(model):
    column = number(model, "column", np.ones((100_000, 1)), np.float32)
    row = number(model, "row", np.ones((1, 100_000)), np.float32)
    model.graph.node.insert(0, make("Add", [column, row], ["square"]))


def large_product(model):
    column = number(model, "column", np.ones((100_000, 1)), np.float32)
    row = number(model, "row", np.ones((1, 100_000)), np.float32)
    model.graph.node.insert(0, make("MatMul", [column, row], ["square"]))


def tensor_without_its_elements(model):
    model.graph.initializer.append(
        TensorProto(name="hollow", data_type=TensorProto.FLOAT, dims=[1 << 20, 1 << 20])
    )


def negative_sides(model):
    model.graph.initializer.append(
        TensorProto(name="hollow", data_type=TensorProto.FLOAT, dims=[-1, -1], raw_data=b"0000")
    )


def external_data(model):
    tensor = TensorProto(name="secret", data_type=TensorProto.UINT8, dims=[16])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.txt")
    model.graph.initializer.append(tensor)


def external_data_in_an_attribute(model):
    tensor = TensorProto(name="secret", data_type=TensorProto.UINT8, dims=[16])
    tensor.external_data.add(key="location", value="secret.txt")
    model.graph.node.insert(0, make("Constant", [], ["secret"], value=tensor))


def operator_of_another_domain(model):
    model.opset_import.add(domain="com.example", version=1)
    model.graph.node.insert(0, make("Run", ["image"], ["ran"], domain="com.example"))


def function(model):
    opset = [helper.make_opsetid("", 18)]
    body = [make("Identity", ["a"], ["b"])]
    model.functions.append(helper.make_function("f", "F", ["a"], ["b"], body, opset))


def deep_branches(model):
    nodes = ()
    for depth in range(6):
        branch = inner_graph(f"branch{depth}", *nodes)
        node = make("If", ["c"], ["g", "y"], then_branch=branch, else_branch=branch)
        nodes = (node,)
    model.graph.node.extend(nodes)


def fewer_people(model):
    (fields,) = [p for p in model.metadata_props if p.key == "mien"]
    metadata = json.loads(fields.value)
    metadata |= {"people": metadata["people"][:3], "photos": metadata["photos"][:3]}
    fields.value = json.dumps(metadata)


def more_people(model):
    (fields,) = [p for p in model.metadata_props if p.key == "mien"]
    metadata = json.loads(fields.value)
    metadata |= {"people": [*metadata["people"], "Eve"], "photos": [*metadata["photos"], 1]}
    fields.value = json.dumps(metadata)


def another_input(model):
    model.graph.input.add().CopyFrom(
        helper.make_tensor_value_info("more", TensorProto.FLOAT, [HUGE])
    )


def missing_output(model):
    del model.graph.output[-1]


HOSTILE = [
    endless_loop, loop_of_many_rounds, second_loop, loop_in_a_loop, scan, constant_of_shape,
    random_numbers, expanded_constant, expanded_photo, tiled_photo, enlarged_photo, long_range,
    range_of_small_steps, outer_product, large_product, tensor_without_its_elements,
    negative_sides, external_data, external_data_in_an_attribute, operator_of_another_domain,
    function, deep_branches, fewer_people, more_people, another_input, missing_output,
]  # fmt: skip


@pytest.mark.parametrize("change", HOSTILE, ids=lambda change: change.__name__)
def test_a_hostile_file_is_refused(model, change, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.txt").write_bytes(b"not for strangers")
    change(model)
    with pytest.raises(NotARecognizer) as caught:
        Recognizer(model.SerializeToString(), threads=1)
    assert caught.value.code == "recognizer-unreadable"
    assert caught.value.hint


def test_answers_beyond_the_people_are_an_error(model):
    """Not a traceback: the graph names person 9 of 5."""
    last = next(node for node in model.graph.node if node.output[0] == "candidates")
    nine = number(model, "nine", 9)
    model.graph.node.remove(last)
    model.graph.node.append(make("Add", [last.input[0], nine], ["candidates"]))
    recognizer = Recognizer(model.SerializeToString(), threads=1)
    with pytest.raises(NotARecognizer, match="do not fit its people"):
        recognizer.identify(photo_of(red_squares(480, 500, [(9, 9)])))


def test_answers_of_another_kind_are_an_error(model):
    """Not a traceback: its embeddings have no length."""
    last = next(node for node in model.graph.node if node.output[0] == "embeddings")
    nothing = number(model, "nothing", 0.0, np.float32)
    model.graph.node.remove(last)
    model.graph.node.append(make("Mul", [last.input[0], nothing], ["embeddings"]))
    with pytest.raises(NotARecognizer, match=r"not those of a recognizer|cannot be separated"):
        Recognizer(model.SerializeToString(), threads=1).identify(
            photo_of(red_squares(480, 500, [(9, 9)]))
        )


def test_answers_of_no_length_are_an_error():
    """The least recognizer there is, whose embedding is zero whatever the photo."""
    recognizer = Recognizer(seeds()["zero-embedding.onnx"], threads=1)
    photo = photo_of(np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(NotARecognizer, match="not those of a recognizer"):
        recognizer.identify(photo)
    with pytest.raises(UnusableWeights, match="embedder"):
        recognizer.engine(threads=1).embed_photo(photo)


def test_a_file_without_the_shape_of_its_embeddings_has_no_engine():
    model = onnx.load_from_string(seeds()["least.onnx"])
    wanted = next(value for value in model.graph.output if value.name == "embeddings")
    del wanted.type.tensor_type.shape.dim[:]
    recognizer = Recognizer(model.SerializeToString(), threads=1)
    with pytest.raises(NotARecognizer, match="stages"):
        recognizer.engine(threads=1)


def test_metadata_that_is_not_text_is_an_error(file):
    damaged = file.replace(b'"contract"', b'"contr\xff\xfft"')
    assert damaged != file
    with pytest.raises(NotARecognizer, match="not text"):
        Recognizer(damaged, threads=1)


def test_a_file_with_very_many_parts_is_refused_soon():
    with pytest.raises(ValueError, match="too many parts"):
        check_graph(b"\x08\x01" * 3_000_000)


@given(st.binary(max_size=200))
def test_any_bytes_are_checked_without_another_error(data):
    with pytest.raises(ValueError):  # noqa: PT011 — of any wording
        check_graph(data)


@given(st.data())
def test_a_damaged_file_is_checked_without_another_error(file, data):
    broken = bytearray(file)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        check_graph(bytes(broken))
    except ValueError:
        return
