"""A stranger's embedder is checked like a recognizer file before it is run or added."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from toy_models import card_text, toy_network

from mien.errors import UnusableWeights
from mien.models.cards import parse_card
from mien.models.own import check_embedder
from mien.onnx_files.graph_checks import check_graph

make = helper.make_node


@pytest.fixture
def model() -> onnx.ModelProto:
    return onnx.load_from_string(toy_network())


def number(model, name, values, dtype=np.int64) -> str:
    model.graph.initializer.append(numpy_helper.from_array(np.array(values, dtype), name))
    return name


def constant_of_shape(model):
    shape = number(model, "huge", [10**12])
    model.graph.node.insert(0, make("ConstantOfShape", [shape], ["filled"]))


def random_numbers(model):
    model.graph.node.insert(0, make("RandomNormal", [], ["random"], shape=[10**12]))


def expanded(model):
    shape = number(model, "huge", [1 << 30, 1, 1, 1])
    model.graph.node.insert(0, make("Expand", [model.graph.input[0].name, shape], ["wide"]))


def outer_product(model):
    column = number(model, "column", np.ones((100_000, 1)), np.float32)
    row = number(model, "row", np.ones((1, 100_000)), np.float32)
    model.graph.node.insert(0, make("Add", [column, row], ["square"]))


def external_data(model):
    tensor = TensorProto(name="secret", data_type=TensorProto.UINT8, dims=[16])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.txt")
    model.graph.node.insert(0, make("Constant", [], ["secret"], value=tensor))


def loop(model):
    body = helper.make_graph(
        [make("Identity", ["c"], ["go"])],
        "body",
        [helper.make_tensor_value_info("n", TensorProto.INT64, []),
         helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("go", TensorProto.BOOL, [])],
    )  # fmt: skip
    yes = number(model, "yes", True, np.bool_)
    model.graph.node.insert(0, make("Loop", ["", yes], [], body=body))


def tensor_without_its_elements(model):
    model.graph.initializer.append(
        TensorProto(name="hollow", data_type=TensorProto.FLOAT, dims=[1 << 20, 1 << 20])
    )


HOSTILE = [constant_of_shape, random_numbers, expanded, outer_product, external_data, loop,
           tensor_without_its_elements]  # fmt: skip


@pytest.mark.parametrize("change", HOSTILE, ids=lambda change: change.__name__)
def test_a_hostile_embedder_is_refused_before_it_is_run(model, change, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.txt").write_bytes(b"not for strangers")
    change(model)

    def never(*_):
        raise AssertionError("it was run")

    data = model.SerializeToString()
    with pytest.raises(UnusableWeights) as caught:
        check_embedder(parse_card(card_text(data=data), name="toy.toml"), data, never)
    assert caught.value.hint


def test_an_exported_model_may_compute_anything_of_its_constants(model):
    number(model, "weights", np.ones((4, 4)), np.float32)
    model.graph.node.insert(0, make("MatMul", ["weights", "weights"], ["square"]))
    data = model.SerializeToString()
    check_graph(data, exported=True)
    with pytest.raises(ValueError, match="it computes MatMul of constants"):
        check_graph(data)
