"""Bulk identification as by `mien identify`, in its own process with one thread per core.

    python -m serving.bulk RECOGNIZER FOLDER

Each line on standard input is a number of seconds. For that time it identifies the photos of the
folder over and over, then writes a line of JSON: photos, faces, seconds and CPU seconds.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mien.photo import read_photo
from mien.recognizer import Recognizer
from peers.machine import cores


class Bulk:
    """The process, used from another one inside a `with` statement."""

    def __init__(self, recognizer: Path, photos: Path) -> None:
        self._command = [sys.executable, "-m", "serving.bulk", str(recognizer), str(photos)]

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(
            self._command,
            cwd=Path(__file__).resolve().parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.communicate()

    def run(self, seconds: float) -> dict[str, Any]:
        """Return the photos and faces that it processed in some seconds."""
        assert self._child.stdin  # noqa: S101 - stdin is a pipe
        assert self._child.stdout  # noqa: S101
        self._child.stdin.write(f"{seconds}\n")
        self._child.stdin.flush()
        result: dict[str, Any] = json.loads(self._child.stdout.readline())
        return result


def main() -> None:
    """Answer each line of standard input."""
    recognizer, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    model = Recognizer.load(recognizer, threads=1)
    endless = itertools.cycle(sorted(folder.iterdir()))

    def faces(path: Path) -> int:
        return len(model.identify(read_photo(path, long_side=model.max_long_side)))

    with ThreadPoolExecutor(cores()) as pool:
        for line in sys.stdin:
            begun, cpu, photos, found = time.perf_counter(), time.process_time(), 0, 0
            while time.perf_counter() - begun < float(line):
                # Batches, as the command does.
                batch = list(itertools.islice(endless, 32))
                found += sum(pool.map(faces, batch))
                photos += len(batch)
            seconds = time.perf_counter() - begun
            cpu = time.process_time() - cpu
            result = {"photos": photos, "faces": found, "seconds": seconds, "cpu": cpu}
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
