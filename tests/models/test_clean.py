"""Conversion of published weights: small networks, and files that are refused."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from mien.errors import UnusableWeights
from mien.models.clean import OPSET, clean_detector, clean_embedder, dequantise
from mien.session import onnxruntime

SIDE = 12


@dataclass(frozen=True)
class Card:
    id: str = "tiny"
    side: int | None = SIDE
    dimension: int | None = 5


node = helper.make_node


def tensor(rng, *shape, low=-1.0, high=1.0):
    return rng.uniform(low, high, shape).astype(np.float32)


def network(nodes, constants, *, takes=(1, 3, SIDE, SIDE), gives=(("out", (1, 5)),), opset=17):
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, takes)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in gives],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)])
    return model.SerializeToString()


def normalisation(rng, name, channels):
    parts = {"gamma": (-2, 2), "beta": (-1, 1), "mean": (-1, 1), "var": (0.2, 2)}
    constants = {
        f"{name}_{part}": tensor(rng, channels, low=low, high=high)
        for part, (low, high) in parts.items()
    }
    return list(constants), constants


def embedder(rng, *, slopes=(-0.5, 1.4), opset=17, flatten=True, channels=4, batch=1):
    """A small SFace: Conv-BN-PRelu, depthwise Conv-BN-PRelu, BN-Dropout-Flatten-Gemm-BN."""
    half = SIDE // 2
    constants = {
        "scale": np.array([1 / 128], np.float32),
        "mean": np.array([127.5], np.float32),
        "w1": tensor(rng, channels, 3, 3, 3),
        "b1": tensor(rng, channels),
        "w2": tensor(rng, channels, 1, 3, 3),
        "s1": tensor(rng, channels, 1, 1, low=slopes[0], high=slopes[1]),
        "s2": tensor(rng, channels, 1, 1, low=slopes[0], high=slopes[1]),
        "wf": tensor(rng, 5, channels * half * half),
        "bf": tensor(rng, 5),
        "sizes": np.array([1, -1], np.int64),
    }
    names = []
    for name, width in (("n1", channels), ("n2", channels), ("n3", channels), ("n4", 5)):
        inputs, more = normalisation(rng, name, width)
        names.append(inputs)
        constants |= more
    flat = node("Flatten", ["d"], ["f"]) if flatten else node("Reshape", ["d", "sizes"], ["f"])
    nodes = [
        node("Sub", ["data", "mean"], ["centred"]),
        node("Mul", ["centred", "scale"], ["x"]),
        node("Conv", ["x", "w1", "b1"], ["c1"], kernel_shape=[3, 3], pads=[1] * 4),
        node("BatchNormalization", ["c1", *names[0]], ["n1"], epsilon=1e-3),
        node("PRelu", ["n1", "s1"], ["p1"]),
        node(
            "Conv",
            ["p1", "w2"],
            ["c2"],
            kernel_shape=[3, 3],
            pads=[1] * 4,
            strides=[2, 2],
            group=channels,
        ),
        node("BatchNormalization", ["c2", *names[1]], ["n2"], epsilon=1e-3),
        node("PRelu", ["n2", "s2"], ["p2"]),
        node("BatchNormalization", ["p2", *names[2]], ["n3"]),
        node("Dropout", ["n3"], ["d"]),
        flat,
        node("Gemm", ["f", "wf", "bf"], ["g"], transB=1),
        node("BatchNormalization", ["g", *names[3]], ["out"]),
    ]
    return network(nodes, constants, opset=opset, takes=(batch, 3, SIDE, SIDE))


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    data = model if isinstance(model, bytes) else model.SerializeToString()
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def crops(rng, count):
    return tensor(rng, count, 3, SIDE, SIDE, low=0, high=255)


@st.composite
def blocked(draw):
    shape = draw(st.lists(st.integers(1, 7), min_size=1, max_size=4))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    block = draw(st.integers(1, shape[axis] + 1))
    scales = list(shape)
    scales[axis] = -(-shape[axis] // block)
    kind = draw(st.sampled_from([np.int8, np.uint8]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    low, high = np.iinfo(kind).min, np.iinfo(kind).max + 1
    values = rng.integers(low, high, shape).astype(kind)
    zero = rng.integers(low, high, scales).astype(kind) if draw(st.booleans()) else None
    return values, tensor(rng, *scales, low=1e-4), zero, axis, block


@given(blocked())
@settings(max_examples=100)
def test_blocks_are_dequantised_as_the_standard_says(case):
    values, scale, zero, axis, block = case
    inputs = {"values": values, "scale": scale} | ({} if zero is None else {"zero": zero})
    graph = helper.make_graph(
        [node("DequantizeLinear", list(inputs), ["out"], axis=axis, block_size=block)],
        "one",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
            )
            for name, value in inputs.items()
        ],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, values.shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    expected = ReferenceEvaluator(model).run(None, inputs)[0]
    found = dequantise(values, scale, zero, axis, block)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("block", [2, 5])
def test_blocks_that_do_not_fit_are_refused(block):
    with pytest.raises(ValueError, match="do not take"):
        dequantise(np.zeros((4, 9), np.int8), np.ones((4, 3), np.float32), None, 1, block)


@given(
    seed=st.integers(0, 2**32),
    slopes=st.sampled_from([(-0.5, 0.9), (-0.5, 1.4), (0.0, 0.0), (1.0, 1.0), (0.9, 0.9995)]),
    flatten=st.booleans(),
    channels=st.sampled_from([2, 4, 16]),
)
@settings(max_examples=40)
def test_a_rewritten_embedder_gives_the_same(seed, slopes, flatten, channels):
    rng = np.random.default_rng(seed)
    published = embedder(rng, slopes=slopes, flatten=flatten, channels=channels)
    model = clean_embedder(published, Card())
    kinds = Counter(step.op_type for step in model.graph.node)
    assert not kinds.keys() & {"BatchNormalization", "Dropout", "PRelu", "Mul", "Identity"}
    photos = crops(rng, 3)
    before = session(published)
    expected = np.concatenate([before.run(None, {"data": photos[i : i + 1]})[0] for i in range(3)])
    found = session(model).run(["embedding"], {"input": photos})[0]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_an_empty_batch_gives_no_embeddings():
    for flatten in (True, False):
        model = clean_embedder(embedder(np.random.default_rng(0), flatten=flatten), Card())
        found = session(model).run(None, {"input": np.zeros((0, 3, SIDE, SIDE), np.float32)})[0]
        assert found.shape == (0, 5)


def test_the_clean_graph_has_the_documented_form():
    model = clean_embedder(embedder(np.random.default_rng(0)), Card())
    assert [value.name for value in model.graph.input] == ["input"]
    assert [value.name for value in model.graph.output] == ["embedding"]
    assert model.ir_version <= 10
    assert model.opset_import[0].version == OPSET
    kept = {value.name for value in model.graph.initializer}
    assert kept == kept & {name for step in model.graph.node for name in step.input}


@pytest.mark.parametrize("opset", [11, 13, 17, 18, 20, 21, 22])
def test_older_and_newer_opsets_are_converted(opset):
    rng = np.random.default_rng(opset)
    published = embedder(rng, opset=opset, flatten=False)
    model = clean_embedder(published, Card())
    assert model.opset_import[0].version == OPSET
    photos = crops(rng, 1)
    np.testing.assert_allclose(
        session(model).run(None, {"input": photos})[0],
        session(published).run(None, {"data": photos})[0],
        rtol=1e-3,
        atol=1e-3,
    )


def test_a_single_slope_for_all_channels_is_not_rewritten():
    rng = np.random.default_rng(0)
    nodes = [
        node("PRelu", ["data", "slope"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("MatMul", ["f", "w"], ["out"]),
    ]
    constants = {
        "slope": np.full((1, 1, 1), 0.3, np.float32),
        "w": tensor(rng, 3 * SIDE * SIDE, 5),
    }
    model = clean_embedder(network(nodes, constants), Card())
    assert [step.op_type for step in model.graph.node] == ["PRelu", "Flatten", "MatMul"]


def test_inner_values_with_the_names_of_inputs_and_outputs_are_renamed():
    rng = np.random.default_rng(0)
    nodes = [
        node("Flatten", ["data"], ["embedding"]),
        node("MatMul", ["embedding", "input"], ["out"]),
    ]
    published = network(nodes, {"input": tensor(rng, 3 * SIDE * SIDE, 5)})
    photos = crops(rng, 1)
    np.testing.assert_allclose(
        session(clean_embedder(published, Card())).run(None, {"input": photos})[0],
        session(published).run(None, {"data": photos})[0],
        rtol=1e-5,
    )


def test_a_variable_batch_size_stays_variable():
    rng = np.random.default_rng(0)
    model = clean_embedder(embedder(rng, batch="N", flatten=True), Card())
    assert session(model).run(None, {"input": crops(rng, 7)})[0].shape == (7, 5)


def one_node(step, constants=None, **more):
    return network([step], constants or {}, **more)


def flat_weights(width):
    return np.zeros((3 * SIDE * SIDE, width), np.float32)


REFUSED = {
    "not ONNX": b"GIF89a, or something else",
    "empty": b"",
    "a web page": b"<!doctype html><title>404</title>",
    "another dimension": network(
        [node("Flatten", ["data"], ["f"]), node("MatMul", ["f", "w"], ["out"])],
        {"w": flat_weights(7)},
        gives=(("out", (1, 7)),),
    ),
    "another size": network(
        [node("GlobalAveragePool", ["data"], ["p"]), node("Flatten", ["p"], ["out"])],
        {},
        takes=(1, 3, 99, 99),
        gives=(("out", (1, 3)),),
    ),
    "grey": network(
        [node("Flatten", ["data"], ["out"])],
        {},
        takes=(1, 1, SIDE, SIDE),
        gives=(("out", (1, SIDE * SIDE)),),
    ),
    "two outputs": network(
        [node("Relu", ["data"], ["out"]), node("Neg", ["data"], ["more"])],
        {},
        gives=(("out", None), ("more", None)),
    ),
    "custom operator": one_node(node("Fancy", ["data"], ["out"], domain="com.example")),
    "unknown operator": one_node(node("Fancy", ["data"], ["out"])),
    "a batch that cannot be freed": network(
        [node("Reshape", ["data", "sizes"], ["out"])],
        {"sizes": np.array([-1, 5], np.int64)[:1]},
        gives=(("out", (3 * SIDE * SIDE,)),),
    ),
    "blocks that do not fit": network(
        [
            node("DequantizeLinear", ["q", "s"], ["w"], axis=0, block_size=3),
            node("Flatten", ["data"], ["f"]),
            node("MatMul", ["f", "w"], ["out"]),
        ],
        {"q": np.zeros((432, 5), np.int8), "s": np.zeros((3, 5), np.float32)},
        opset=21,
    ),
    "an operator newer than the graph": network(
        [
            node("Gelu", ["data"], ["x"]),
            node("Flatten", ["x"], ["f"]),
            node("MatMul", ["f", "w"], ["out"]),
        ],
        {"w": flat_weights(5)},
        opset=20,
    ),
    "two inputs": network(
        [node("Add", ["data", "nowhere"], ["s"]), node("Flatten", ["s"], ["out"])], {}
    ),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
def test_other_models_are_refused(data):
    with pytest.raises(UnusableWeights):
        clean_embedder(data, Card())
    with pytest.raises(UnusableWeights):
        clean_detector(data, Card())


def test_weights_in_a_second_file_are_refused():
    model = onnx.load_model_from_string(embedder(np.random.default_rng(0)))
    weights = model.graph.initializer[2]
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="elsewhere.bin")
    with pytest.raises(UnusableWeights, match="second file") as caught:
        clean_embedder(model.SerializeToString(), Card())
    assert "onnx.save" in caught.value.hint


@given(cut=st.floats(0, 1, exclude_max=True))
@settings(max_examples=40)
def test_a_truncated_file_is_refused(cut):
    whole = embedder(np.random.default_rng(0))
    with pytest.raises(UnusableWeights):
        clean_embedder(whole[: int(cut * len(whole))], Card())


@given(seed=st.integers(0, 2**32))
@settings(max_examples=100)
def test_a_damaged_file_is_refused_or_is_still_a_model(seed):
    rng = np.random.default_rng(seed)
    data = bytearray(embedder(np.random.default_rng(0)))
    for place in rng.integers(0, len(data), 20):
        data[place] = rng.integers(256)
    with suppress(UnusableWeights):
        clean_embedder(bytes(data), Card())
