"""The least graphs that are recognizers: they answer with one face, whatever the photo."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_SIDE = 112
_OUTPUTS = {
    "boxes": (TensorProto.FLOAT, [1, 4]), "points": (TensorProto.FLOAT, [1, 5, 2]),
    "scores": (TensorProto.FLOAT, [1]), "crops": (TensorProto.UINT8, [1, _SIDE, _SIDE, 3]),
    "embeddings": (TensorProto.FLOAT, [1, 2]), "candidates": (TensorProto.INT64, [1, 1]),
    "similarities": (TensorProto.FLOAT, [1, 1]), "probabilities": (TensorProto.FLOAT, [1, 1]),
    "person": (TensorProto.INT64, [1]),
}  # fmt: skip


def seeds() -> Mapping[str, bytes]:
    """Return the inputs by file name."""
    rows = {
        "measured_on": "", "template_photos": [1], "similarity": [[0.2, 0.3]],
    }  # fmt: skip
    statistics = {
        "impostors": {**rows, "false_match_rate": [0.1, 0.01]},
        "genuine": {**rows, "false_non_match_rate": [0.1, 0.2]},
        "copies": {**rows, "false_non_match_rate": [0.1, 0.2], "similarity": [0.2, 0.3]},
        "verification": {"slope": 30, "offset": -10},
    }
    least = _model(["Ada"])
    zero = _model(["Ada"])
    _stored(zero, "emb_").raw_data = bytes(8)
    damaged = _model(["Ada"])
    damaged.metadata_props[0].value = damaged.metadata_props[0].value[:-1]
    foreign = _model(["Ada"])
    del foreign.metadata_props[:]
    return {
        "least.onnx": _bytes(least),
        "two.onnx": _bytes(_model(["Ada", "Ben"])),
        "negatives.onnx": _bytes(_model(["Ada", "Ben"], negative_of=[1])),
        "statistics.onnx": _bytes(_model(["Ada"], statistics=statistics)),
        "loop.onnx": _bytes(_model(["Ada"], more=_loop())),
        "branch.onnx": _bytes(_model(["Ada"], more=_branch())),
        "computed.onnx": _bytes(_model(["Ada"], more=_computed())),
        "damaged.onnx": _bytes(damaged),
        "foreign.onnx": _bytes(foreign),
        "zero-embedding.onnx": _bytes(zero),
        "cut.onnx": _bytes(least)[:200],
        "newer.onnx": _bytes(_model(["Ada"], format=99)),
        "no-people.onnx": _bytes(_model([])),
    }


def _stored(model: onnx.ModelProto, name: str) -> TensorProto:
    return next(each for each in model.graph.initializer if each.name == name)


def _bytes(model: onnx.ModelProto) -> bytes:
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _model(
    people: list[str], *, more: list[onnx.NodeProto] | None = None, **fields: Any
) -> onnx.ModelProto:
    nodes, constants = [], [_tensor("prototypes", np.eye(2, len(people), dtype=np.float32))]
    if "negative_of" in fields:
        constants.append(_tensor("negatives", np.ones((2, 1), np.float32)))
    for name, (kind, shape) in _OUTPUTS.items():
        if name == "crops":
            continue
        dtype = np.int64 if kind == TensorProto.INT64 else np.float32
        values = np.eye(1, 2) if name == "embeddings" else np.zeros(shape)
        constants.append(_tensor(f"{name[:3]}_", values.astype(dtype)))
        nodes.append(helper.make_node("Identity", [f"{name[:3]}_"], [name]))
    constants += [
        _tensor("from", np.array([0, 0], np.int64)),
        _tensor("to", np.array([1, 1], np.int64)),
        _tensor("side", np.array([_SIDE, _SIDE, 3], np.int64)),
        _tensor("axis", np.array([0], np.int64)),
    ]
    nodes += [
        helper.make_node("Slice", ["image", "from", "to"], ["pixel"]),
        helper.make_node("Expand", ["pixel", "side"], ["crop"]),
        helper.make_node("Unsqueeze", ["crop", "axis"], ["crops"]),
        *(more or []),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["h", "w", 3])
    outputs = [helper.make_tensor_value_info(n, *kind) for n, kind in _OUTPUTS.items()]
    graph = helper.make_graph(nodes, "g", [image], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    model.producer_name = ""
    text = json.dumps({**_fields(people), **fields}, separators=(",", ":"))
    helper.set_model_props(model, {"mien": text})
    return model


def _tensor(name: str, values: np.ndarray) -> TensorProto:
    return numpy_helper.from_array(values, name)


def _fields(people: list[str]) -> dict[str, Any]:
    weights = dict.fromkeys(("id", "licence", "publisher", "trained_on", "sha256"), "")
    interval = {"value": 0.01, "low": 0.005, "high": 0.02, "level": 0.95}
    return {
        "format": 1, "people": people, "photos": [1] * len(people), "kind": "prototype",
        "contract": "c", "calibration": {"slope": 12.5, "offset": -5.0},
        "policy": {"threshold": 0.5, "false_positive_rate": 0.01, "expected": interval,
                   "strangers": 500, "supported": True, "source": "", "basis": "strangers"},
        "about": {"version": "0.1.0", "created": "", "detector": weights, "embedder": weights,
                  "settings": {"side": 1280, "least_side": 480, "score": 0.6, "overlap": 0.3,
                               "faces": 500}, "dataset": "", "measured": {}},
    }  # fmt: skip


def _inner(name: str, nodes: list[onnx.NodeProto], *outputs: tuple[str, int]) -> onnx.GraphProto:
    inputs = [("n", TensorProto.INT64), ("c", TensorProto.BOOL)] if name == "body" else []
    return helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info(each, kind, []) for each, kind in inputs],
        [helper.make_tensor_value_info(each, kind, []) for each, kind in outputs],
    )  # fmt: skip


def _loop() -> list[onnx.NodeProto]:
    """Return the loop in the form that the program writes: once for each row of a tensor."""
    body = _inner(
        "body",
        [helper.make_node("Identity", ["c"], ["go"]),
         helper.make_node("Cast", ["n"], ["x"], to=TensorProto.FLOAT)],
        ("go", TensorProto.BOOL), ("x", TensorProto.FLOAT),
    )  # fmt: skip
    true = numpy_helper.from_array(np.array(True))
    zero = numpy_helper.from_array(np.array(0))
    return [
        helper.make_node("Shape", ["image"], ["shape"]),
        helper.make_node("Constant", [], ["first"], value=zero),
        helper.make_node("Gather", ["shape", "first"], ["rounds"]),
        helper.make_node("Constant", [], ["start"], value=true),
        helper.make_node("Loop", ["rounds", "start"], ["all"], body=body),
    ]


def _branch() -> list[onnx.NodeProto]:
    constant = numpy_helper.from_array(np.array(1, np.float32))
    arms = {
        f"{arm}_branch": _inner(
            arm, [helper.make_node("Constant", [], [arm], value=constant)], (arm, TensorProto.FLOAT)
        )
        for arm in ("then", "else")
    }
    true = numpy_helper.from_array(np.array(True))
    return [
        helper.make_node("Constant", [], ["choice"], value=true),
        helper.make_node("If", ["choice"], ["chosen"], **arms),
    ]


def _computed() -> list[onnx.NodeProto]:
    return [
        helper.make_node("Add", ["poi_", "poi_"], ["sum"]),
        helper.make_node("Concat", ["sum", "poi_"], ["both"], axis=0),
        helper.make_node("Reshape", ["both", "axis"], ["flat"], allowzero=0),
        helper.make_node("Shape", ["both"], ["sides"]),
        helper.make_node("Where", ["per_", "per_", "sides"], ["where"]),
    ]
