"""The process of a peer: answers requests on standard input, one JSON object per line.

    PYTHON-OF-THE-PEER worker.py PIPELINE [--threads N] [--core N] --weights FOLDER

It runs in the environment of the peer, so it uses the standard library and NumPy alone. PIPELINE is
a module in `pipelines/`. What the peer prints goes to standard error.
"""

from __future__ import annotations

import argparse
import base64
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np


class Worker:
    """Answers requests with one pipeline."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one request."""
        work: Callable[..., dict[str, Any]] = getattr(self, f"do_{request.pop('do')}")
        return work(**request)

    def do_hello(self) -> dict[str, Any]:
        """Return versions, and how embeddings are compared."""
        return {"versions": self._pipeline.versions(), "metric": self._pipeline.metric}

    def do_enrol(self, people: int) -> dict[str, Any]:
        """Enrol so many people with random embeddings; speed does not depend on who they are."""
        vectors = np.random.default_rng(0).normal(size=(people, self._pipeline.dimension))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        self._pipeline.enrol(vectors.astype(np.float32))
        return {"people": people}

    def do_time(self, paths: list[str]) -> dict[str, Any]:
        """Process the photos one by one: seconds of decoding, seconds of the rest, and faces."""
        turns = []
        for data in [Path(path).read_bytes() for path in paths]:
            start = time.perf_counter()
            image = self._pipeline.decode(data)
            decoded = time.perf_counter()
            faces = len(self._pipeline.identify(image))
            turns.append((decoded - start, time.perf_counter() - decoded, faces))
        return {"turns": turns}

    def do_bulk(self, paths: list[str], pool: int) -> dict[str, Any]:
        """Process all photos with `pool` threads: number of faces and seconds."""
        photos = [Path(path).read_bytes() for path in paths]

        def faces_in(data: bytes) -> int:
            return len(self._pipeline.identify(self._pipeline.decode(data)))

        start = time.perf_counter()
        if pool > 1:
            with ThreadPoolExecutor(pool) as executor:
                faces = sum(executor.map(faces_in, photos))
        else:
            faces = sum(map(faces_in, photos))
        return {"faces": faces, "seconds": time.perf_counter() - start}

    def do_detect(self, paths: list[str]) -> dict[str, Any]:
        """Return boxes per photo, xyxy in pixels."""
        boxes = [
            self._pipeline.detect(self._pipeline.decode(Path(path).read_bytes())) for path in paths
        ]
        return {"boxes": [[list(map(float, box)) for box in found] for found in boxes]}

    def do_embed(self, paths: list[str]) -> dict[str, Any]:
        """Return boxes and embeddings per photo, the embeddings as float32 in base 64."""
        found = []
        for path in paths:
            boxes, vectors = self._pipeline.faces(self._pipeline.decode(Path(path).read_bytes()))
            code = base64.b64encode(vectors.astype("<f4").tobytes()).decode()
            found.append(([list(map(float, box)) for box in boxes], code))
        return {"faces": found, "dimension": self._pipeline.dimension}

    def do_memory(self) -> dict[str, Any]:
        """Return the peak memory of this process in bytes."""
        # Not ru_maxrss, which a forked process inherits from its parent.
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        peak = next(line for line in lines if line.startswith("VmHWM"))
        return {"peak_bytes": int(peak.split()[1]) * 1024}


def main() -> None:
    """Load the pipeline, then answer until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pipeline", help="a module in pipelines/")
    parser.add_argument(
        "--threads", type=int, default=0, help="threads per photo; 0: the default of the peer"
    )
    parser.add_argument("--core", type=int, help="the only core to run on")
    parser.add_argument("--weights", type=Path, required=True)
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    # Only answers are written to the original standard output.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    module = importlib.import_module(f"pipelines.{options.pipeline}")
    worker = Worker(module.Pipeline(options.weights, options.threads))
    for line in sys.stdin:
        answers.write(json.dumps(worker.answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
