"""Small models of the real ones' shape, so that graphs can be tested without weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mien.engine import DetectionSettings, Engine, Session
from mien.graph.align import TEMPLATE
from mien.graph.assemble import ModelParts
from mien.models.cards import DEFAULT_DETECTOR, DEFAULT_EMBEDDER, card
from mien.types import Calibration, Head, Interval, Photo, Policy

STRIDES = (8, 16, 32)
FACE = 24
"""Side of the box that the toy detector puts around a red square of 8 pixels."""
DIMENSION = 16

Weights = dict[int, tuple[np.ndarray, np.ndarray]]
"""For each stride the (16, 3, stride, stride) weights and (16,) biases of its cells' outputs:
class and object before their sigmoid, 4 of the box, 10 of the points."""


def toy_detector(weights: Weights) -> onnx.ModelProto:
    """Return a detector whose cells see the pixels under them, and those only."""
    nodes, constants, outputs = [], [], []
    for stride, (kernel, bias) in weights.items():
        constants += [
            numpy_helper.from_array(kernel.astype(np.float32), f"w{stride}"),
            numpy_helper.from_array(bias.astype(np.float32), f"b{stride}"),
            numpy_helper.from_array(np.array([0, 16, -1]), f"flat{stride}"),
            numpy_helper.from_array(np.array([1, 1, 4, 10]), f"parts{stride}"),
        ]
        names = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps")]
        nodes += [
            helper.make_node(
                "Conv",
                ["input", f"w{stride}", f"b{stride}"],
                [f"c{stride}"],
                strides=[stride, stride],
            ),
            helper.make_node("Reshape", [f"c{stride}", f"flat{stride}"], [f"r{stride}"]),
            helper.make_node("Transpose", [f"r{stride}"], [f"t{stride}"], perm=[0, 2, 1]),
            helper.make_node(
                "Split",
                [f"t{stride}", f"parts{stride}"],
                [f"raw_cls{stride}", f"raw_obj{stride}", *names[2:]],
                axis=2,
            ),
            helper.make_node("Sigmoid", [f"raw_cls{stride}"], [names[0]]),
            helper.make_node("Sigmoid", [f"raw_obj{stride}"], [names[1]]),
        ]
        outputs += [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", f"cells{stride}", side])
            for name, side in zip(names, (1, 1, 4, 10), strict=True)
        ]
    picture = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, "H", "W"])
    graph = helper.make_graph(nodes, "toy_detector", [picture], outputs, constants)
    return _model(graph)


def red_detector() -> onnx.ModelProto:
    """Return a detector that finds a face of FACE pixels at each red 8 x 8 cell.

    Red stands for the first plane high and the second low: blue where its input is BGR.
    """
    weights: Weights = {}
    for stride in STRIDES:
        kernel, bias = np.zeros((16, 3, stride, stride)), np.zeros(16)
        bias[:2] = -20
        if stride == 8:
            kernel[:2, 0], kernel[:2, 1] = 40 / 255 / 64, -40 / 255 / 64
            bias[2:4] = 0.5
            bias[4:6] = np.log(FACE / 8)
            bias[6:] = (((TEMPLATE + 0.5) / 112 - 0.5) * FACE / 8 + 0.5).ravel()
        weights[stride] = kernel, bias
    return toy_detector(weights)


def random_detector(seed: int) -> tuple[onnx.ModelProto, Weights]:
    """Return a detector that sees faces everywhere, their boxes overlapping, and its weights."""
    rng = np.random.default_rng(seed)
    weights: Weights = {}
    for stride in STRIDES:
        kernel = rng.normal(0, 0.02 / stride, (16, 3, stride, stride))
        bias = rng.normal(0, 0.5, 16)
        bias[:2] = 0
        bias[4:6] = np.log(3)
        kernel[4:6] *= 0.1
        weights[stride] = kernel - kernel.mean((1, 2, 3), keepdims=True), bias
    return toy_detector(weights), weights


def toy_embedder(seed: int = 0) -> onnx.ModelProto:
    """Return an embedder: the crop at 8 x 8 pixels, turned into DIMENSION random directions."""
    directions = np.random.default_rng(seed).normal(size=(192, DIMENSION)).astype(np.float32)
    constants = [
        numpy_helper.from_array(directions, "directions"),
        numpy_helper.from_array(np.array([-1, 192]), "flat"),
    ]
    nodes = [
        helper.make_node(
            "AveragePool", ["input"], ["small"], kernel_shape=[14, 14], strides=[14, 14]
        ),
        helper.make_node("Reshape", ["small", "flat"], ["row"]),
        helper.make_node("MatMul", ["row", "directions"], ["embedding"]),
    ]
    crop = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 112, 112])
    vector = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", DIMENSION])
    return _model(helper.make_graph(nodes, "toy_embedder", [crop], [vector], constants))


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.checker.check_model(model)
    return model


def toy_parts(**changes) -> ModelParts:
    """Return parts of which a red square is a face and its colours make the embedding."""
    parts = ModelParts(
        detector=red_detector(),
        detector_colour="RGB",
        embedder=toy_embedder(),
        embedder_colour="RGB",
        mean=0.0,
        scale=1.0,
        dimension=DIMENSION,
        settings=DetectionSettings(),
    )
    return replace(parts, **changes)


def toy_engine(**changes) -> Engine:
    """Return an engine over `toy_parts`."""
    # Its card states the statistics of SFace as its own: enough where they are only passed on.
    embedder = replace(card(DEFAULT_EMBEDDER), dimension=DIMENSION, contracts=())
    return Engine(toy_parts(**changes), card(DEFAULT_DETECTOR), embedder, threads=1)


def toy_head(people=3, *, threshold=0.5, contract="c", dimension=DIMENSION, seed=0) -> Head:
    """Return a head of people called `people`, or of that many, with random prototypes."""
    names = tuple(f"person {n}" for n in range(people)) if isinstance(people, int) else people
    prototypes = np.random.default_rng(seed).normal(size=(len(names), dimension))
    prototypes /= np.linalg.norm(prototypes, axis=1, keepdims=True)
    return Head(
        kind="prototype",
        people=tuple(names),
        prototypes=prototypes.astype(np.float32),
        photos=np.arange(1, len(names) + 1),
        contract=contract,
        # Even odds a little below the threshold.
        calibration=Calibration(40.0, -40.0 * (threshold - 0.1)),
        policy=Policy(threshold, 0.01, Interval(0.01, 0.005, 0.02), 500, True, "made up"),
    )


def photo_of(pixels: np.ndarray, *, name: str = "toy", scale: float = 1.0) -> Photo:
    return Photo(np.ascontiguousarray(pixels), "0" * 64, name, scale)


def red_squares(height: int, width: int, cells: list[tuple[int, int]], seed: int = 0):
    """Return a photo of grey noise, (H, W, 3) uint8, with a red square on each (row, column)."""
    noise = np.random.default_rng(seed).integers(60, 120, (height, width, 1), np.uint8)
    pixels = noise.repeat(3, axis=2)
    for row, column in cells:
        pixels[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = (255, 0, 0)
    return pixels


def run(model: onnx.ModelProto, *wanted: str, **inputs: np.ndarray) -> list[np.ndarray]:
    """Return the outputs of a graph."""
    return Session(model.SerializeToString(), name="test", threads=1).run(*wanted, **inputs)
