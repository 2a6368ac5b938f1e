"""Milliseconds per face of the embedder: as published, and rewritten.

    python benchmarks/embedder.py [--model ID] [--json OUT] [--rounds N]

Three graphs with the same weights, all with constants folded and a free batch size:

- `published`: PRelu unchanged;
- `four nodes`: PRelu as slope * x + (1 - slope) * relu(x), the best form known before;
- `mien`: the graph that `mien.models.clean` makes.

They take turns on the same crops, so that other load affects all alike; a ratio is the median over
the turns. Threads do not spin while they wait, since those of one graph would slow the next.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from mien.models.cards import DEFAULT_EMBEDDER, card
from mien.models.clean import clean_embedder
from mien.models.weight_store import WeightStore
from mien.session import onnxruntime

THREADS = (1, 2)
BATCHES = (1, 8)


def in_four_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy with each PRelu as slope * x + (1 - slope) * relu(x)."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    constants = {kept.name: numpy_helper.to_array(kept) for kept in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type != "PRelu":
            nodes.append(node)
            continue
        x, y = node.input[0], node.output[0]
        slope = constants[node.input[1]].reshape(-1, 1, 1, 1)
        for name, value in ((f"{y}_low", slope), (f"{y}_high", 1 - slope)):
            graph.initializer.append(numpy_helper.from_array(value, name))
        each = {"group": len(slope), "kernel_shape": [1, 1]}
        nodes += [
            helper.make_node("Conv", [x, f"{y}_low"], [f"{y}_a"], **each),
            helper.make_node("Relu", [x], [f"{y}_relu"]),
            helper.make_node("Conv", [f"{y}_relu", f"{y}_high"], [f"{y}_b"], **each),
            helper.make_node("Add", [f"{y}_a", f"{y}_b"], [y]),
        ]
    del graph.node[:]
    graph.node.extend(nodes)
    return copy


def session(model: onnx.ModelProto, threads: int) -> onnxruntime.InferenceSession:
    """Return a session on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def unit_rows(run: onnxruntime.InferenceSession, crops: NDArray[np.float32]) -> NDArray[Any]:
    """Return embeddings of length 1."""
    vectors = run.run(None, {"input": crops})[0]
    rows: NDArray[Any] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return rows


def measure(
    forms: dict[str, onnxruntime.InferenceSession], crops: NDArray[np.float32], rounds: int
) -> dict[str, NDArray[np.float64]]:
    """Return the milliseconds per face of each form in each round."""
    times: dict[str, list[float]] = {name: [] for name in forms}
    for turn in range(rounds + 1):
        for name in list(forms)[:: 1 if turn % 2 else -1]:
            start = time.perf_counter()
            forms[name].run(None, {"input": crops})
            times[name].append((time.perf_counter() - start) * 1e3 / len(crops))
    return {name: np.array(values[1:]) for name, values in times.items()}


def main() -> None:
    """Measure, print a table, write JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=DEFAULT_EMBEDDER, help="id of an embedder")
    parser.add_argument(
        "--rounds", type=int, default=40, help="turns at batch size 1 (default: 40)"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers here")
    options = parser.parse_args()

    known = card(options.model)
    data = WeightStore.default().fetch(known).read_bytes()
    published = clean_embedder(data, known, rewrite=False)
    models = {
        "published": published,
        "four nodes": in_four_nodes(published),
        "mien": clean_embedder(data, known),
    }
    side = known.side or 112
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (max(BATCHES), 3, side // 8, side // 8)).astype(np.float32)
    crops = coarse.repeat(8, 2).repeat(8, 3)

    rows = []
    print(f"{known.id}, onnxruntime {onnxruntime.__version__}, ms per face")
    print("threads batch  published  four nodes    mien   mien/published  mien/four nodes  max |Δ|")
    for threads in THREADS:
        forms = {name: session(model, threads) for name, model in models.items()}
        found = {name: unit_rows(form, crops) for name, form in forms.items()}
        apart = float(np.abs(found["mien"] - found["published"]).max())
        for batch in BATCHES:
            times = measure(forms, crops[:batch], max(5, options.rounds // batch))
            ms = {name: float(np.median(values)) for name, values in times.items()}
            ratio = {
                name: float(np.median(times["mien"] / times[name]))
                for name in ("published", "four nodes")
            }
            rows.append(
                {
                    "threads": threads,
                    "batch": batch,
                    "ms_per_face": ms,
                    "mien_over": ratio,
                    "max_difference": apart,
                }
            )
            print(
                f"{threads:7d} {batch:5d} {ms['published']:10.2f} {ms['four nodes']:11.2f} "
                f"{ms['mien']:7.2f} {ratio['published']:16.2f} {ratio['four nodes']:16.2f} "
                f"{apart:8.0e}"
            )
    if options.json:
        result = {"model": known.id, "onnxruntime": onnxruntime.__version__, "rows": rows}
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
