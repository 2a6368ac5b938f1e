"""Storage forms of weights: accuracy on LFW, bytes, time to load, time per photo.

    MIEN_DATA=FOLDER python benchmarks/weights.py [--pairs FILE] [--first N] [--json OUT]

For each form the whole graph, pixels to embeddings, is built and evaluated on LFW's View 2 by its
own protocol. Loading is measured in a new process each time, since loading one graph makes the next
one faster. `int8 by row` is usually called "per channel"; `static int8` also computes in eight
bits, with ranges calibrated on photos of people outside the pairs. Mien offers neither.

MIEN_DATA holds `lfw-deepfunneled.tgz` and `lfw/pairs.txt`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from measuring_photos import data_folder, lfw_photos
from mien.engine import Engine, Session
from mien.evaluation.verification.lfw import evaluate_lfw
from mien.evaluation.verification.pairs_file import LfwPairs, read_pairs
from mien.graph.assemble import whole_graph
from mien.graph.storage_form import store_weights
from mien.photo import decode_photo
from mien.types import Detections, EmbeddedPhoto, Embeddings, Photo

CALIBRATION = 300
ROUNDS = 5

_LOAD = """
import sys, time
from pathlib import Path
import numpy
from mien.session import Session
model = Path(sys.argv[1]).read_bytes()
start = time.perf_counter()
session = Session(model, name="model", threads=1)
loaded = time.perf_counter()
session.run("embeddings", image=numpy.zeros((250, 250, 3), numpy.uint8))
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]
print(loaded - start, int(peak) * 1024)
"""


def main() -> None:
    """Measure, print a table, write JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, default=data_folder() / "lfw" / "pairs.txt")
    parser.add_argument("--first", type=int, help="only the first N pairs of each kind and fold")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers here")
    options = parser.parse_args()
    engine = Engine.open(threads=1)
    pairs = _some(read_pairs(options.pairs), options.first)
    timed = [decode_photo(data, name=name) for name, data in lfw_photos(40, seed=1)]
    rows = []
    print("| form | bytes | zipped | load | peak memory | per photo | LFW View 2 | TAR at 1e-3 |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, model in forms(engine, pairs):
        row = {"form": name, **measure(engine, model, pairs, timed)}
        rows.append(row)
        print(_line(row), flush=True)
    if options.json:
        result = {"pairs": len(pairs.pairs), "rows": rows}
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def forms(engine: Engine, pairs: LfwPairs) -> Iterator[tuple[str, onnx.ModelProto]]:
    """Yield each form's name and its whole graph."""
    whole = whole_graph(engine.parts)
    yield "float32", whole
    yield "float16", store_weights(whole, "float16")
    yield "int8 in blocks of 64", store_weights(whole, "int8")
    yield "int8 by row", store_weights(whole, "int8", block=None)
    embedder = static_int8(engine, calibration_crops(engine, pairs))
    yield "static int8", whole_graph(replace(engine.parts, embedder=embedder))


def measure(
    engine: Engine, model: onnx.ModelProto, pairs: LfwPairs, timed: list[Photo]
) -> dict[str, Any]:
    """Return the numbers of one form."""
    data = model.SerializeToString()
    session = Session(data, name="form", threads=1)
    form = _Form(session, engine.contract, engine.max_long_side)
    result = evaluate_lfw(form, data_folder() / "lfw-deepfunneled.tgz", pairs, workers=2)
    at_far = [found.tar for found, _ in result.scored.at_far]
    load, peak = zip(*(_loaded(data) for _ in range(ROUNDS)), strict=True)
    return {
        "bytes": len(data),
        "zipped": len(zlib.compress(data, 6)),
        "load_seconds": float(np.median(load)),
        "peak_bytes": int(np.median(peak)),
        "photo_ms": float(
            np.median([_milliseconds(lambda p=p: form.embed_photo(p)) for p in timed])
        ),
        "accuracy": result.scored.accuracy.value,
        "standard_error": result.scored.standard_error,
        "tar_at_1e-3": at_far[-1],
    }


@dataclass(frozen=True, slots=True)
class _Form:
    """A graph from pixels to embeddings as a `PhotoEmbedder`."""

    session: Session
    contract: str
    max_long_side: int

    def embed_photo(self, photo: Photo) -> EmbeddedPhoto:
        names = ("boxes", "points", "scores", "crops", "embeddings")
        boxes, points, scores, crops, vectors = self.session.run(*names, image=photo.pixels)
        found = Detections(boxes, points, scores)
        return EmbeddedPhoto(photo, found, crops, Embeddings(vectors, self.contract))


def _loaded(model: bytes) -> tuple[float, int]:
    """Return the seconds to load a graph in a new process, and its peak memory."""
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(model)
        file.flush()
        done = subprocess.run(
            [sys.executable, "-c", _LOAD, file.name], capture_output=True, text=True, check=True
        )
    seconds, peak = done.stdout.split()
    return float(seconds), int(peak)


def _milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def calibration_crops(engine: Engine, pairs: LfwPairs) -> NDArray[np.float32]:
    """Return crops of people who are in no pair, preprocessed for the embedder."""
    in_pairs = {photo.person for photo in pairs.photos()}
    crops = []
    for name, data in lfw_photos(4 * CALIBRATION, seed=2):
        if Path(name).name.rsplit("_", 1)[0] in in_pairs or len(crops) == CALIBRATION:
            continue
        photo = decode_photo(data, name=name)
        found = engine.detect(photo)
        if len(found):
            crops.append(engine.align(photo, found)[found.largest()])
    planes = np.stack(crops).transpose(0, 3, 1, 2).astype(np.float32)
    if engine.parts.embedder_colour == "BGR":
        planes = planes[:, ::-1]
    return np.ascontiguousarray((planes - engine.parts.mean) * engine.parts.scale)


def static_int8(engine: Engine, crops: NDArray[np.float32]) -> onnx.ModelProto:
    """Return the embedder with quantised activations (QDQ), by onnxruntime's own tool."""
    from onnxruntime import quantization  # noqa: PLC0415 — slow to import

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(np.array_split(crops, len(crops) // 10))

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self.left, None)
            return None if batch is None else {"input": batch}

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "embedder.onnx"), Path(folder, "quantised.onnx")
        onnx.save(engine.parts.embedder, source)
        quantization.quantize_static(
            source,
            target,
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
        return onnx.load(target)


def _some(pairs: LfwPairs, count: int | None) -> LfwPairs:
    if count is None:
        return pairs
    seen: dict[tuple[int, bool], int] = {}
    kept = []
    for pair in pairs.pairs:
        key = (pair.fold, pair.same)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= count:
            kept.append(pair)
    return replace(pairs, pairs=tuple(kept))


def _line(row: dict[str, Any]) -> str:
    return (
        f"| {row['form']} | {row['bytes'] / 1e6:.1f} MB | {row['zipped'] / 1e6:.1f} MB "
        f"| {row['load_seconds']:.2f} s | {row['peak_bytes'] / 1e6:.0f} MB "
        f"| {row['photo_ms']:.1f} ms | {row['accuracy']:.4f} ± {row['standard_error']:.4f} "
        f"| {row['tar_at_1e-3']:.4f} |"
    )


if __name__ == "__main__":
    main()
