"""Storage forms of weights: restored values, and tensors that are not converted."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mien.graph.storage_form import BLOCK, FORMS, store_weights
from toy_graphs import run

WIDTH = 4 * BLOCK


def product(weights: np.ndarray, name: str = "net/weights") -> onnx.ModelProto:
    """Return the graph x → x @ weights.T, with the weights by row as a Gemm takes them."""
    rows, width = weights.shape
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", name], ["y"], transB=1)],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", rows])],
        [numpy_helper.from_array(weights.astype(np.float32), name)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def back(model: onnx.ModelProto) -> np.ndarray:
    """Return the weights that a graph of `product` computes with."""
    (rows,) = run(model, "y", x=np.eye(WIDTH, dtype=np.float32))
    return rows.T


def normal(rows: int = 32) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, WIDTH)).astype(np.float32)


def test_each_form_is_smaller_and_close():
    weights = normal()
    sizes = []
    for form, apart in zip(FORMS, (0, 2e-3, 1.5e-2), strict=True):
        stored = store_weights(product(weights), form)
        sizes.append(stored.ByteSize())
        assert np.abs(back(stored) - weights).max() <= apart
    assert sizes[0] / sizes[1] > 1.9
    assert sizes[0] / sizes[2] > 3.3


@pytest.mark.parametrize("span", [241, 254, 255])
def test_weights_that_were_quantised_before_are_restored(span):
    """For any number of used levels per block, and any scaling of rows."""
    rng = np.random.default_rng(1)
    levels = rng.integers(0, span + 1, (32, WIDTH // BLOCK, BLOCK))
    levels[..., 0], levels[..., 1] = 0, span
    zero = rng.integers(100, 150, (32, WIDTH // BLOCK, 1))
    steps = rng.uniform(1e-3, 1e-2, (32, WIDTH // BLOCK, 1)).astype(np.float32)
    by_row = rng.uniform(0.1, 3, (32, 1)).astype(np.float32)
    weights = ((levels - zero) * steps).astype(np.float32).reshape(32, WIDTH) * by_row
    stored = store_weights(product(weights), "int8")
    assert np.abs(back(stored) - weights).max() < 1e-6 * np.abs(weights).max()


def test_one_step_per_row_is_less_precise_than_per_block():
    weights = normal()
    weights[:, 0] = 20
    apart = [
        float(np.abs(back(store_weights(product(weights), "int8", block=block)) - weights).mean())
        for block in (BLOCK, None)
    ]
    assert 2 * apart[0] < apart[1]


def test_a_constant_block_is_exact():
    weights = np.full((32, WIDTH), 0.25, np.float32)
    weights[:, BLOCK:] = 0
    assert (back(store_weights(product(weights), "int8")) == weights).all()


def test_prototypes_and_small_tensors_stay_exact():
    for model in (product(normal(), name="prototypes_1"), product(normal(2))):
        assert store_weights(model, "int8") == model


def test_the_given_model_and_converted_weights_do_not_change():
    model = product(normal())
    before = model.SerializeToString(deterministic=True)
    stored = store_weights(model, "int8")
    assert model.SerializeToString(deterministic=True) == before
    assert store_weights(stored, "int8") == stored


def test_other_forms_are_refused():
    with pytest.raises(ValueError, match="float8"):
        store_weights(product(normal()), "float8")
