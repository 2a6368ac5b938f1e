"""Run targets side by side, each in its own process, and collect what they found."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

MEMORY = 1536
"""MiB of resident memory that a process may take; at rest it has 70 to 200."""

LAST_INPUT, LENGTH_BYTES = "last.input", 4
"""File with the input that a process ran last, after its length; what follows is older."""

_COLUMNS = (
    "target", "inputs", "per second", "answered", "refused", "branches", "features", "slowest",
    "memory", "findings",
)  # fmt: skip

_SLACK_SECONDS = 300
_PULSE = re.compile(rb"cov: (\d+) ft: (\d+) corp: (\d+)")
_PEAK = re.compile(rb"stat::peak_rss_mb:\s+(\d+)")
_UNITS = re.compile(rb"stat::number_of_executed_units:\s+(\d+)")
_LIBRARY = re.compile(rb"ERROR: libFuzzer: ([^\n]+)|ERROR: ([^\n]+)")


@dataclass(slots=True)
class Outcome:
    """What became of one target.

    Attributes:
        executions: inputs run.
        seconds: wall time.
        ends: how many inputs ended in an answer, and in which error.
        branches: of the instrumented modules, that some input took.
        features: branches, and how often they were taken in one input, as libFuzzer counts.
        corpus: inputs kept for what they reach.
        slowest_s: processor time of the slowest input, in seconds.
        peak_mib: largest resident memory.
        restarts: processes that ended before their time.
        findings: each with what, details and input.
    """

    executions: int = 0
    seconds: float = 0.0
    ends: Counter[str] = field(default_factory=Counter)
    branches: int = 0
    features: int = 0
    corpus: int = 0
    slowest_s: float = 0.0
    peak_mib: int = 0
    restarts: int = 0
    findings: list[dict[str, str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON values."""
        return {
            "executions": self.executions,
            "seconds": round(self.seconds),
            "ends": dict(self.ends.most_common()),
            "branches": self.branches,
            "features": self.features,
            "corpus": self.corpus,
            "slowest_s": self.slowest_s,
            "peak_mib": self.peak_mib,
            "restarts": self.restarts,
            "findings": self.findings,
        }


def run(names: Sequence[str], seconds: int, folder: Path) -> dict[str, Outcome]:
    """Run targets at once and return what became of each.

    Args:
        names: of the targets.
        seconds: wall time of each.
        folder: for what they write: corpus, findings, log, counts.
    """
    outcomes = {name: Outcome() for name in names}
    threads = [
        threading.Thread(target=_run_one, args=(name, seconds, folder / name, outcome))
        for name, outcome in outcomes.items()
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return outcomes


def _run_one(name: str, seconds: int, folder: Path, outcome: Outcome) -> None:
    """Run a target until its time is over; a process that ends before that is started again."""
    (folder / "findings").mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("counts-*.json"), *folder.glob("findings/*")]:
        old.unlink()
    started = time.monotonic()
    while (left := seconds - (time.monotonic() - started)) >= 1:
        number = outcome.restarts
        log = folder / f"log-{number}.txt"
        code = _process(name, folder, int(left), log)
        _read_log(log, outcome)
        if code == 0:
            break
        outcome.restarts += 1
        outcome.findings.append(_ended(folder, log, code))
        if time.monotonic() - started < 1:
            break  # it cannot start
    outcome.seconds = time.monotonic() - started
    for counted in folder.glob("counts-*.json"):
        counts = json.loads(counted.read_text("utf-8"))
        outcome.ends.update(counts["ends"])
        outcome.slowest_s = max(outcome.slowest_s, counts["slowest_s"])
    outcome.executions = max(outcome.executions, outcome.ends.total())
    for found in sorted(folder.glob("findings/*.json")):
        outcome.findings.append(json.loads(found.read_text("utf-8")))


def _process(name: str, folder: Path, seconds: int, log: Path) -> int:
    command = [sys.executable, "-m", "fuzz.worker", name, folder, str(seconds), str(MEMORY)]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "MIEN_OFFLINE": "1"}
    memory = Path("/dev/shm")  # noqa: S108 - the folder in it has a name of its own
    place = memory if memory.is_dir() else None
    # libFuzzer ends a process without deleting its temporary files.
    with log.open("wb") as out, tempfile.TemporaryDirectory(dir=place) as temporary:
        environment["TMPDIR"] = temporary
        try:
            done = subprocess.run(
                command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, check=False,
                timeout=seconds + _SLACK_SECONDS, env=environment, cwd=folder,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return -1
    return done.returncode


def _read_log(log: Path, outcome: Outcome) -> None:
    text = log.read_bytes()
    pulses = _PULSE.findall(text)
    if pulses:
        outcome.branches, outcome.features, outcome.corpus = (
            max(getattr(outcome, name), int(value))
            for name, value in zip(("branches", "features", "corpus"), pulses[-1], strict=True)
        )
    if peak := _PEAK.search(text):
        outcome.peak_mib = max(outcome.peak_mib, int(peak[1]))
    if units := _UNITS.search(text):
        outcome.executions += int(units[1])


def _ended(folder: Path, log: Path, code: int) -> dict[str, str]:
    """Return the finding of a process that ended before its time."""
    text = log.read_bytes()
    said = _LIBRARY.search(text)
    what = (said[1] or said[2]).decode("utf-8", "replace") if said else f"exit code {code}"
    if code == -signal.SIGALRM:
        what = "it does not end"
    last = (folder / LAST_INPUT).read_bytes()
    name = f"ended-{log.stem}.input"
    size = int.from_bytes(last[:LENGTH_BYTES])
    (folder / "findings" / name).write_bytes(last[LENGTH_BYTES : LENGTH_BYTES + size])
    return {"what": what, "details": text[-2000:].decode("utf-8", "replace"), "input": name}


def table(outcomes: dict[str, Outcome]) -> str:
    """Return the outcomes as a table in Markdown."""
    rows = [
        f"| {' | '.join(_COLUMNS)} |",
        "|---" * len(_COLUMNS) + "|",
    ]
    for name, each in outcomes.items():
        answered = each.ends["answer"]
        refused = each.ends.total() - answered - each.ends["finding"]
        rate = each.executions / max(each.seconds, 1)
        rows.append(
            f"| {name} | {each.executions:,} | {rate:,.0f} | {answered:,} | {refused:,} | "
            f"{each.branches:,} | {each.features:,} | {each.slowest_s:.2f} s | "
            f"{each.peak_mib} MiB | {len(each.findings)} |"
        )
    return "\n".join(rows)
