"""One target in one process: `python -m fuzz.worker TARGET FOLDER SECONDS MEMORY`."""

from __future__ import annotations

import hashlib
import json
import mmap
import random
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import atheris

from fuzz import targets
from fuzz.runner import LAST_INPUT, LENGTH_BYTES

CORPUS = Path(__file__).resolve().parent / "corpus"

_REPORT_SECONDS = 1.0
_BYTES_SHARE = 0.7
"""Of changes that are made to bytes, where a target can change an input in its own form too."""

_STUCK_SECONDS = 120
"""By the clock, for all that the processor's time does not see; the machine may be busy."""


class Watch:
    """Runs a target, counts how its inputs end, and keeps the inputs that break its contract.

    Args:
        target: to run.
        folder: for findings and counts.
    """

    def __init__(self, target: targets.Target, folder: Path) -> None:
        self._target = target
        self._findings = folder / "findings"
        self._findings.mkdir(parents=True, exist_ok=True)
        self._counts = folder / f"counts-{time.time_ns()}.json"
        # A process that dies inside a library leaves its last input here.
        size = target.longest + LENGTH_BYTES
        with (folder / LAST_INPUT).open("w+b") as file:
            file.truncate(size)
            self._last = mmap.mmap(file.fileno(), size)
        self._ends: Counter[str] = Counter()
        self._seen: set[str] = set()
        self._slowest = 0.0
        self._reported = 0.0
        from mien.errors import MienError

        self._expected = MienError

    def __call__(self, data: bytes) -> None:
        """Run the target on one input."""
        self._last[: len(data) + LENGTH_BYTES] = len(data).to_bytes(LENGTH_BYTES) + data
        started = time.process_time()
        try:
            self._target.run(data)
        except self._expected as error:
            end = type(error).__name__
        except Exception as error:
            end = "finding"
            self._keep(data, _place(error), "".join(traceback.format_exception(error)))
        else:
            end = "answer"
        self._ends[end] += 1
        seconds = time.process_time() - started
        if seconds > self._slowest:
            self._slowest = seconds
            if seconds > self._target.seconds:
                self._keep(data, f"{end} after seconds", f"{seconds:.1f} s of processor time")
        if (now := time.monotonic()) > self._reported + _REPORT_SECONDS:
            self._reported = now
            self._report()

    def _keep(self, data: bytes, what: str, details: str) -> None:
        """Keep the first input of each kind of finding."""
        if what in self._seen:
            return
        self._seen.add(what)
        name = hashlib.sha256(data).hexdigest()[:16]
        (self._findings / f"{name}.input").write_bytes(data)
        found = {"what": what, "details": details, "input": f"{name}.input"}
        (self._findings / f"{name}.json").write_text(json.dumps(found, indent=2), "utf-8")

    def _report(self) -> None:
        counts = {
            "executions": self._ends.total(),
            "ends": dict(self._ends),
            "slowest_s": round(self._slowest, 3),
        }
        part = self._counts.with_suffix(".part")
        part.write_text(json.dumps(counts), "utf-8")
        part.replace(self._counts)


def _place(error: Exception) -> str:
    """Return the kind of an error and the last line of the program that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/mien/" in frame.filename] or list(frames)
    last = own[-1]
    return f"{type(error).__name__} at {last.filename.rpartition('/mien/')[2]}:{last.lineno}"


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token)


def main(name: str, folder: Path, seconds: int, memory: int) -> None:
    """Fuzz a target; never returns.

    Args:
        name: of the target.
        folder: for the corpus, findings and counts.
        seconds: how long.
        memory: limit of resident memory in MiB.
    """
    with atheris.instrument_imports(include=list(targets.instrumented(name))):
        target = targets.load(name)
    kept = folder / "corpus"
    kept.mkdir(parents=True, exist_ok=True)
    words = folder / "tokens.txt"
    words.write_text("".join(f'"{_escaped(token)}"\n' for token in target.tokens), "ascii")
    arguments = [
        "fuzz", str(kept), str(CORPUS / name), f"-max_total_time={seconds}",
        f"-max_len={target.longest}", f"-rss_limit_mb={memory}", f"-timeout={_STUCK_SECONDS}",
        f"-dict={words}", f"-artifact_prefix={folder / 'findings'}/", "-print_final_stats=1",
        "-close_fd_mask=3",
    ]  # fmt: skip
    mutate = targets.mutation(name)

    def mutated(data: bytes, longest: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < _BYTES_SHARE:
            at_random: bytes = atheris.Mutate(data, longest)
            return at_random
        assert mutate is not None
        try:
            changed = mutate(data, rng)
        except Exception:  # a text of it is none; raised from here, it would end the process
            return data
        return changed if len(changed) <= longest else data

    more: dict[str, Any] = {"custom_mutator": mutated} if mutate else {}
    atheris.Setup(arguments, Watch(target, folder), **more)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
