"""Cold start and warm answers of deployments, of the library, and by session settings.

    python benchmarks/cold_start.py people.onnx PHOTO... [--rounds N] [--json OUT]

The Lambda function is built for this Python and run under `awslambdaric` with Lambda's limits on
events; the app runs under gunicorn. Deployment and library take turns on the same photos, so that
other load affects both alike; a ratio is the median over the turns.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from runtime_api import Function, function_url_event, running

from mien.cli.identify import find_photos
from mien.deploy.app_folder import deploy_app
from mien.deploy.check.parity import settings_of
from mien.deploy.check.runners import running_app
from mien.deploy.lambda_function import ZIP, deploy_lambda
from mien.deploy.packaging.libraries import this_arch, this_python
from mien.photo import decode_photo
from mien.recognizer import Recognizer
from mien.session import onnxruntime

_LIBRARY = """
import sys
from mien import Recognizer, read_photo
recognizer = Recognizer.load(sys.argv[1])
recognizer.identify(read_photo(sys.argv[2], long_side=recognizer.max_long_side))
"""

_SETTINGS = """
import json, sys, time
import mien, numpy, onnxruntime
wanted = json.loads(sys.argv[2])
start = time.perf_counter()
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
options.inter_op_num_threads = 1
options.intra_op_num_threads = wanted["threads"]
options.enable_cpu_mem_arena = wanted["arena"]
options.enable_mem_pattern = False
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, wanted["level"])
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
loaded = time.perf_counter()
photo = numpy.random.default_rng(0).integers(0, 255, (480, 640, 3), numpy.uint8)
session.run(["embeddings"], {"image": photo})
first = time.perf_counter()
for _ in range(10):
    session.run(["embeddings"], {"image": photo})
warm = (time.perf_counter() - first) / 10
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]
print(json.dumps([loaded - start, first - loaded, warm, int(peak) * 1024]))
"""


def main() -> None:
    """Measure, print the tables, write JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recognizer", type=Path)
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--rounds", type=int, default=7, help="runs of each (default: 7)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers here")
    options = parser.parse_args()
    photos = list(find_photos(options.photos))[:50]
    recognizer = Recognizer.load(options.recognizer).stored_as("int8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recognizer.save(folder / "int8.onnx")
        result = {
            "lambda": measure_lambda(recognizer, folder, photos, options.rounds),
            "app": measure_app(recognizer, folder, options.rounds),
            "settings": measure_settings(options.recognizer, folder, options.rounds),
        }
    print_tables(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def measure_lambda(
    recognizer: Recognizer, folder: Path, photos: list[Path], rounds: int
) -> dict[str, Any]:
    """Return cold starts in seconds, warm milliseconds of both, and memory."""
    made = deploy_lambda(
        recognizer, folder / "function", handle="us", python=this_python(), arch=this_arch()
    )
    task = folder / "task"
    with zipfile.ZipFile(folder / "function" / ZIP) as archive:
        archive.extractall(task)
    first = photos[0].read_bytes()
    cold, library = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        with running(task) as function:
            ask(function, first)
            cold.append(time.perf_counter() - start)
        command = [sys.executable, "-c", _LIBRARY, folder / "int8.onnx", photos[0]]
        library.append(seconds(lambda command=command: subprocess.run(command, check=True)))
    with running(task) as function:
        ask(function, first)
        ours, theirs = [], []
        for data in (path.read_bytes() for path in photos):
            ours.append(seconds(lambda data=data: ask(function, data)))
            theirs.append(seconds(lambda data=data: identify(recognizer, data)))
        peak = function.peak_memory()
    return {
        "cold_seconds": cold,
        "library_cold_seconds": library,
        "warm_ms": 1e3 * float(np.median(ours)),
        "library_warm_ms": 1e3 * float(np.median(theirs)),
        "warm_over_library": float(np.median(np.array(ours) / np.array(theirs))),
        "peak_bytes": peak,
        "limits": {limit.what: [limit.bytes, limit.limit] for limit in made.limits},
    }


def ask(function: Function, data: bytes) -> None:
    """Have the function identify the faces of a photo."""
    result = function.invoke(function_url_event("POST", "/v1/identify", data))
    if result["statusCode"] != 200:
        raise RuntimeError(result["body"])


def identify(recognizer: Recognizer, data: bytes) -> None:
    """Have the library identify the faces of a photo."""
    recognizer.identify(decode_photo(data, name="photo", long_side=recognizer.max_long_side))


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure_app(recognizer: Recognizer, folder: Path, rounds: int) -> dict[str, Any]:
    """Return the seconds from starting the app to its first answer."""
    out = folder / "app"
    deploy_app(recognizer, out, handle="us", python=this_python())
    settings = settings_of(out)
    boots = []
    for _ in range(rounds):
        start = time.perf_counter()
        with running_app(out, settings):
            boots.append(time.perf_counter() - start)
    return {"boot_seconds": boots}


def measure_settings(path: Path, folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Return the times of loading, first run and warm run under several session settings."""
    ahead = folder / "ahead.onnx"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(ahead)
    # At a higher level, onnxruntime 1.32 gives fused nodes in two branches the same names and
    # then refuses to load the graph that it saved.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    usual = {"threads": 0, "arena": True, "level": "ORT_ENABLE_ALL"}
    cases = [
        ("float32", path, {}),
        ("float32, optimised ahead of time", ahead, {}),
        ("int8", folder / "int8.onnx", {}),
        ("int8, no arena", folder / "int8.onnx", {"arena": False}),
        ("int8, one thread", folder / "int8.onnx", {"threads": 1}),
        ("int8, basic optimisation", folder / "int8.onnx", {"level": "ORT_ENABLE_BASIC"}),
    ]
    rows = []
    for name, model, changes in cases:
        wanted = json.dumps({**usual, **changes})
        runs = [
            json.loads(
                subprocess.run(
                    [sys.executable, "-c", _SETTINGS, model, wanted],
                    capture_output=True,
                    check=True,
                    env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
                ).stdout
            )
            for _ in range(rounds)
        ]
        load, first, warm, peak = np.median(np.array(runs), axis=0).tolist()
        rows.append(
            {
                "case": name,
                "bytes": model.stat().st_size,
                "load_seconds": load,
                "first_seconds": first,
                "warm_ms": warm * 1e3,
                "peak_bytes": peak,
            }
        )
    return rows


def print_tables(result: dict[str, Any]) -> None:
    """Print the results."""
    function = result["lambda"]
    print("| | median | worst |")
    print("|---|---:|---:|")
    for title, values in (
        ("Lambda function, process start to first answer, s", function["cold_seconds"]),
        ("library, the same, s", function["library_cold_seconds"]),
        ("app, start to first answer, s", result["app"]["boot_seconds"]),
    ):
        print(f"| {title} | {np.median(values):.2f} | {max(values):.2f} |")
    warm, library = function["warm_ms"], function["library_warm_ms"]
    print(f"\nwarm: {warm:.1f} ms per photo, library {library:.1f} ms,")
    peak = function["peak_bytes"] / 1e6
    print(f"ratio {function['warm_over_library']:.2f}; peak {peak:.0f} MB\n")
    print("| session | file | load | first photo | next photos | peak memory |")
    print("|---|---:|---:|---:|---:|---:|")
    for row in result["settings"]:
        print(
            f"| {row['case']} | {row['bytes'] / 1e6:.1f} MB | {row['load_seconds']:.2f} s "
            f"| {row['first_seconds']:.3f} s | {row['warm_ms']:.1f} ms "
            f"| {row['peak_bytes'] / 1e6:.0f} MB |"
        )


if __name__ == "__main__":
    main()
