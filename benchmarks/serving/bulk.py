"""The bulk road of `mien identify` in a process of its own: files to names, a thread a core.

    python -m serving.bulk RECOGNIZER FOLDER

For each line on standard input, a number of seconds, it recognises the folder's photos again and
again for so long and writes a line of JSON: photos, faces, seconds,
and seconds of a core.
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
    """The process, asked from another one while the context lasts."""

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
        """Return what it did in so many seconds."""
        assert self._child.stdin  # noqa: S101 - as it was started
        assert self._child.stdout  # noqa: S101
        self._child.stdin.write(f"{seconds}\n")
        self._child.stdin.flush()
        told: dict[str, Any] = json.loads(self._child.stdout.readline())
        return told


def main() -> None:
    """Work whenever told to."""
    recognizer, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    model = Recognizer.load(recognizer, threads=1)
    endless = itertools.cycle(sorted(folder.iterdir()))

    def faces(path: Path) -> int:
        return len(model.identify(read_photo(path, long_side=model.max_long_side)))

    with ThreadPoolExecutor(cores()) as pool:
        for line in sys.stdin:
            begun, cpu, photos, found = time.perf_counter(), time.process_time(), 0, 0
            while time.perf_counter() - begun < float(line):
                # The command works in batches too.
                batch = list(itertools.islice(endless, 32))
                found += sum(pool.map(faces, batch))
                photos += len(batch)
            seconds = time.perf_counter() - begun
            cpu = time.process_time() - cpu
            told = {"photos": photos, "faces": found, "seconds": seconds, "cpu": cpu}
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
