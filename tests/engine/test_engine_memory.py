"""Memory of graphs: faces in groups, what a large input took given back, runs that end."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from mien import session
from mien.engine import Session
from mien.errors import UnusableWeights
from toy_graphs import toy_engine

make = helper.make_node


def model(nodes, constants, output, sides) -> bytes:
    picture = helper.make_tensor_value_info("image", TensorProto.UINT8, ["height", "width", 3])
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, sides)
    stored = [numpy_helper.from_array(np.array(values), name) for name, values in constants.items()]
    graph = helper.make_graph(nodes, "g", [picture], [result], stored)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return made.SerializeToString()


def growing() -> bytes:
    """Return a graph that makes a tensor of a thousand times the photo's sides."""
    nodes = [
        make("Shape", ["image"], ["size"]),
        make("Mul", ["size", "thousand"], ["sides"]),
        make("Expand", ["one", "sides"], ["wide"]),
        make("ReduceSum", ["wide"], ["sum"], keepdims=0),
    ]
    constants = {"thousand": np.array([1000, 1000, 1]), "one": np.ones((1, 1, 1), np.float32)}
    return model(nodes, constants, "sum", [])


LIMITED = """
import sys
import numpy as np
from mien import session
from mien.errors import UnusableWeights
session._memory_of_machine = lambda: 1 << 28
graph = session.Session(sys.stdin.buffer.read(), name="hostile", threads=1)
assert graph.run("sum", image=np.zeros((2, 2, 3), np.uint8))[0] == 12e6
try:
    graph.run("sum", image=np.zeros((20, 20, 3), np.uint8))
except UnusableWeights as error:
    print(error)
"""


def test_a_graph_that_grows_with_the_photo_gets_no_more_than_its_share_of_memory():
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], input=growing(), capture_output=True, check=True
    )
    assert b"hostile: onnxruntime failed" in done.stdout


def test_the_share_is_at_most_that_of_the_container(monkeypatch, tmp_path):
    assert 1 << 28 < session._memory_of_machine() < 1 << 50
    monkeypatch.setattr(session, "Path", lambda _, name: tmp_path / name)
    (tmp_path / "memory.max").write_text("536870912\n")
    assert session._memory_of_machine() == 1 << 29
    (tmp_path / "memory.max").write_text("max\n")
    assert session._memory_of_machine() > 1 << 29


def test_a_run_that_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(session, "_LONGEST_RUN", 0.1)
    nodes = [make("Cast", ["image"], ["x0"], to=TensorProto.FLOAT)]
    nodes += [make("Sin" if n % 2 else "Cos", [f"x{n}"], [f"x{n + 1}"]) for n in range(2000)]
    slow = Session(model(nodes, {}, "x2000", ["h", "w", 3]), name="slow", threads=1)
    with pytest.raises(UnusableWeights, match="slow: onnxruntime failed"):
        slow.run("x2000", image=np.zeros((1500, 1500, 3), np.uint8))
    monkeypatch.setattr(session, "_LONGEST_RUN", 60.0)
    assert slow.run("x2000", image=np.zeros((1, 1, 3), np.uint8))[0].shape == (1, 1, 3)
    assert not session._watch._runs


def test_the_watch_waits_while_nothing_runs():
    watch = session._Watch()
    assert watch._seconds_to_next() is None
    watch._runs[1] = time.monotonic() + 50, None
    assert 49 < watch._seconds_to_next() <= 50


def test_memory_is_given_back_after_an_input_that_is_large_or_unusual():
    graph = Session(growing(), name="g", kept_for=1000)
    given_back = graph._has_too_much
    assert [given_back(size) for size in (900, 1000, 1001)] == [False, False, True]
    several = [given_back(3000) for _ in range(20)]
    assert several == sorted(several, reverse=True)  # what is usual is kept
    assert (several[0], several[-1]) == (True, False)
    assert [given_back(4001) for _ in range(20)] == [True] * 20  # but not what is large
    assert given_back(3000) is False  # and what is large is not usual
    assert [graph._has_too_much(3000) for _ in range(20)][-1] is False
    fewer = [graph._has_too_much(100) for _ in range(30)]
    assert fewer.count(True) == 1  # once, when they are no longer usual


@pytest.mark.parametrize("faces", [0, 1, 16, 17, 50])
def test_faces_are_embedded_in_groups_of_almost_equal_size(faces, monkeypatch):
    engine = toy_engine()
    crops = np.random.default_rng(0).integers(0, 256, (faces, 112, 112, 3), np.uint8)
    (whole,) = engine._embed.run("embeddings", crops=crops)
    groups = []
    run = Session.run

    def counted(self, *wanted, **inputs):
        groups.append(len(inputs["crops"]))
        return run(self, *wanted, **inputs)

    monkeypatch.setattr(Session, "run", counted)
    vectors = engine.embed(crops).vectors
    assert np.array_equal(vectors, whole)
    assert max(groups) <= 16
    assert max(groups) - min(groups) <= 1
    assert sum(groups) == faces
