"""A peer's process: reads requests, a JSON object a line, and answers each with one.

    PYTHON-OF-THE-PEER worker.py ROAD [--threads N] [--core N] --weights FOLDER

It runs in the peer's own environment, so it uses the standard library and NumPy alone; the road is
a module of `roads/`. What the peer prints goes to standard error.
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

ROADS = Path(__file__).resolve().parent / "roads"


class Worker:
    """Answers requests by taking photos down one road."""

    def __init__(self, road: Any) -> None:
        self._road = road

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one request."""
        work: Callable[..., dict[str, Any]] = getattr(self, f"do_{request.pop('do')}")
        return work(**request)

    def do_hello(self) -> dict[str, Any]:
        """Say what this is."""
        return {"versions": self._road.versions(), "metric": self._road.metric}

    def do_enrol(self, people: int) -> dict[str, Any]:
        """Let the road know so many people, random ones: its speed does not depend on who."""
        vectors = np.random.default_rng(0).normal(size=(people, self._road.dimension))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        self._road.enrol(vectors.astype(np.float32))
        return {"people": people}

    def do_time(self, paths: list[str]) -> dict[str, Any]:
        """Take the photos one after the other: seconds of decoding and from there to verdicts."""
        turns = []
        for data in [Path(path).read_bytes() for path in paths]:
            start = time.perf_counter()
            image = self._road.decode(data)
            decoded = time.perf_counter()
            faces = len(self._road.verdicts(image))
            turns.append((decoded - start, time.perf_counter() - decoded, faces))
        return {"turns": turns}

    def do_bulk(self, paths: list[str], pool: int) -> dict[str, Any]:
        """Take all photos, with `pool` threads: number of faces. Who asked looks at the clock."""
        photos = [Path(path).read_bytes() for path in paths]

        def verdicts(data: bytes) -> int:
            return len(self._road.verdicts(self._road.decode(data)))

        start = time.perf_counter()
        if pool > 1:
            with ThreadPoolExecutor(pool) as executor:
                faces = sum(executor.map(verdicts, photos))
        else:
            faces = sum(map(verdicts, photos))
        return {"faces": faces, "seconds": time.perf_counter() - start}

    def do_detect(self, paths: list[str]) -> dict[str, Any]:
        """Return the boxes of each photo, xyxy in its pixels."""
        boxes = [self._road.detect(self._road.decode(Path(path).read_bytes())) for path in paths]
        return {"boxes": [[list(map(float, box)) for box in found] for found in boxes]}

    def do_embed(self, paths: list[str]) -> dict[str, Any]:
        """Return the boxes of each photo, and its vectors as float32 in base 64."""
        found = []
        for path in paths:
            boxes, vectors = self._road.faces(self._road.decode(Path(path).read_bytes()))
            code = base64.b64encode(vectors.astype("<f4").tobytes()).decode()
            found.append(([list(map(float, box)) for box in boxes], code))
        return {"faces": found, "dimension": self._road.dimension}

    def do_memory(self) -> dict[str, Any]:
        """Return the most memory that this process ever had, in bytes."""
        # Not ru_maxrss: that begins with what the process had which this one was forked from.
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        peak = next(line for line in lines if line.startswith("VmHWM"))
        return {"peak_bytes": int(peak.split()[1]) * 1024}


def main() -> None:
    """Open the road, then answer until the requests end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("road")
    parser.add_argument("--threads", type=int, default=0, help="of one photo; 0: as it comes")
    parser.add_argument("--core", type=int, help="the only core to run on")
    parser.add_argument("--weights", type=Path, required=True)
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    # Answers have the real standard output to themselves.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.path.insert(0, str(ROADS))
    road = importlib.import_module(options.road).Road(options.weights, options.threads)
    worker = Worker(road)
    for line in sys.stdin:
        answers.write(json.dumps(worker.answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
