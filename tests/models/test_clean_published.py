"""Conversion of the default models' files."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest

from mien.errors import ModelError
from mien.models import clean
from mien.models.cards import DEFAULT_DETECTOR, DEFAULT_EMBEDDER, card
from mien.models.weight_store import WeightStore
from mien.session import onnxruntime

pytestmark = pytest.mark.weights


def weights(model_id):
    try:
        return WeightStore.default().fetch(card(model_id)).read_bytes()
    except ModelError as error:
        pytest.skip(f"no weights: {error}")


@pytest.fixture(scope="module")
def embedder():
    return clean.clean_embedder(weights(DEFAULT_EMBEDDER), card(DEFAULT_EMBEDDER))


@pytest.fixture(scope="module")
def detector():
    return clean.clean_detector(weights(DEFAULT_DETECTOR), card(DEFAULT_DETECTOR))


def run(model, pixels):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"input": pixels}), strict=True))


def pictures(*shape):
    """Smooth noise, similar to photos."""
    rng = np.random.default_rng(7)
    coarse = rng.uniform(0, 255, (*shape[:2], shape[2] // 8, shape[3] // 8))
    return coarse.repeat(8, 2).repeat(8, 3).astype(np.float32)


def kinds(model):
    return Counter(node.op_type for node in model.graph.node)


def test_embedder_has_only_what_it_needs(embedder):
    assert kinds(embedder).keys() == {"Sub", "Conv", "Relu", "Add", "Flatten", "Gemm"}
    assert [value.name for value in embedder.graph.input] == ["input"]
    assert embedder.opset_import[0].version == clean.OPSET


def test_embedder_is_equal_to_its_unrewritten_form(embedder):
    plain = clean.clean_embedder(weights(DEFAULT_EMBEDDER), card(DEFAULT_EMBEDDER), rewrite=False)
    assert kinds(plain)["PRelu"] == 27
    pixels = pictures(3, 3, 112, 112)
    found, expected = (run(model, pixels)["embedding"] for model in (embedder, plain))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_embedder_takes_any_batch(embedder, count):
    pixels = pictures(5, 3, 112, 112)[:count]
    found = run(embedder, pixels)["embedding"]
    assert found.shape == (count, 128)
    if count:
        alone = run(embedder, pixels[-1:])["embedding"]
        np.testing.assert_allclose(found[-1:], alone, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (96, 160), (320, 320), (640, 224)])
@pytest.mark.parametrize("count", [1, 2])
def test_detector_takes_any_multiple_of_32(detector, height, width, count):
    found = run(detector, pictures(count, 3, height, width))
    for stride in (8, 16, 32):
        cells = (height // stride) * (width // stride)
        for part, width_of_part in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            assert found[f"{part}_{stride}"].shape == (count, cells, width_of_part)


def test_merged_heads_are_equal_to_separate_ones(detector, monkeypatch):
    monkeypatch.setattr(clean, "merge_heads", lambda *_: None)
    separate = clean.clean_detector(weights(DEFAULT_DETECTOR), card(DEFAULT_DETECTOR))
    assert kinds(separate)["Split"] == 0
    assert kinds(detector)["Split"] == 3
    pixels = pictures(2, 3, 96, 160)
    found, expected = run(detector, pixels), run(separate, pixels)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-5)


def test_heads_of_another_structure_are_not_merged(detector, monkeypatch):
    """Where an output is computed in another way, nothing is merged and outputs are equal."""
    monkeypatch.setattr(clean, "merge_heads", lambda *_: None)
    separate = clean.clean_detector(weights(DEFAULT_DETECTOR), card(DEFAULT_DETECTOR))
    monkeypatch.undo()
    for node in separate.graph.node:
        if node.output[0] == "obj_16":
            node.op_type = "HardSigmoid"
    again = clean.clean_detector(separate.SerializeToString(), card(DEFAULT_DETECTOR))
    assert kinds(again)["Split"] == 2
    pixels = pictures(1, 3, 96, 160)
    np.testing.assert_allclose(
        run(again, pixels)["cls_16"], run(detector, pixels)["cls_16"], atol=1e-5
    )


def test_converting_a_clean_graph_again_gives_equal_outputs(embedder):
    again = clean.clean_embedder(embedder.SerializeToString(), card(DEFAULT_EMBEDDER))
    assert kinds(again) == kinds(embedder)
    assert onnx.checker.check_model(again) is None


def test_a_detector_is_not_an_embedder():
    with pytest.raises(ModelError, match="outputs of YuNet"):
        clean.clean_detector(weights(DEFAULT_EMBEDDER), card(DEFAULT_DETECTOR))
    with pytest.raises(ModelError, match="one output"):
        clean.clean_embedder(weights(DEFAULT_DETECTOR), card(DEFAULT_EMBEDDER))
