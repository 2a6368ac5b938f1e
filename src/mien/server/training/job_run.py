"""The stages of a job: commands of Mien, each a process of its own, watched line by line."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mien.errors import SELDOM_FOUND
from mien.server.http.error_responses import IN_THE_LOG, UNFORESEEN
from mien.server.training.job_photos import LIST

RECOGNIZER, DATASET, REPORT = "recognizer.onnx", "dataset", "report.html"

_PATIENCE = 10.0
_KINDER = 10
"""Niceness of the processes: whoever waits for a photo comes first."""

BUSY = 14
"""Exit code of `mien dataset` where another process still builds; that one was left by a crash."""

_WEIGHTS, _TRAINING = 12, 15
"""Those of weights that cannot be had, and of photos that nothing can be trained on."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One command.

    Attributes:
        name: build, train or evaluate.
        arguments: of `python -m mien`, run in the job's folder.
        needed: whether the job fails where it fails.
    """

    name: str
    arguments: tuple[str, ...]
    needed: bool = True


def stages(rate: float) -> tuple[Stage, ...]:
    """Return the commands of a job."""
    return (
        Stage("build", ("dataset", "build", LIST, "-o", DATASET, "--json")),
        Stage(
            "train",
            ("train", DATASET, "-o", RECOGNIZER, "--false-positive-rate", repr(rate), "--json"),
        ),
        Stage("evaluate", ("evaluate", RECOGNIZER, DATASET, "-o", REPORT, "--json"), needed=False),
    )


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    Attributes:
        code: its exit code; below 0 where it was killed.
        error: what it said last on standard error, without progress.
        output: what it printed.
    """

    code: int
    error: str
    output: str


def why(ended: Ended) -> tuple[str, str]:
    """Return what went wrong and what to do about it, for a client: no command and no path."""
    if ended.code in {BUSY, _TRAINING}:
        return said(ended), f"Send clear photos, several of each person. {SELDOM_FOUND}"
    return "the models cannot be had" if ended.code == _WEIGHTS else UNFORESEEN, IN_THE_LOG


def said(ended: Ended) -> str:
    """Return the error that a command ended with, without its hint."""
    lines = ended.error.splitlines() or ["the command was killed"]
    errors = [line for line in lines if line.startswith("error: ")]
    return errors[0].removeprefix("error: ") if errors else lines[-1]


def run(
    stage: Stage,
    folder: Path,
    on_progress: Callable[[int, int | None, str], None],
    stop: threading.Event,
) -> Ended:
    """Run a command in a job's folder; when `stop` is set it is ended."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, arguments made above
        [sys.executable, "-m", "mien", *stage.arguments],
        cwd=folder,
        env={**os.environ, "MIEN_PROGRESS": "json"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, process.pid, _KINDER)
    output: list[str] = []
    told: list[str] = []
    readers = [
        threading.Thread(target=_read_output, args=(process, output)),
        threading.Thread(target=_read_progress, args=(process, told, on_progress)),
    ]
    for reader in readers:
        reader.start()
    _wait(process, stop)
    for reader in readers:
        reader.join()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()
    return Ended(process.returncode, "\n".join(told[-20:]), "".join(output))


def _wait(process: subprocess.Popen[str], stop: threading.Event) -> None:
    while True:
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            if not stop.is_set():
                continue
            _end(process, signal.SIGTERM)
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                _end(process, getattr(signal, "SIGKILL", signal.SIGTERM))
                process.wait()
        return


def _end(process: subprocess.Popen[str], how: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, how)
        else:
            process.terminate()


def _read_output(process: subprocess.Popen[str], output: list[str]) -> None:
    with contextlib.suppress(ValueError):
        if process.stdout:
            output.append(process.stdout.read())


def _read_progress(
    process: subprocess.Popen[str],
    told: list[str],
    on_progress: Callable[[int, int | None, str], None],
) -> None:
    for line in process.stderr or ():
        try:
            row = json.loads(line)
            done, total, what = int(row["done"]), row["total"], str(row["what"])
        except (ValueError, TypeError, KeyError):
            told.append(line.rstrip())
            continue
        on_progress(done, total if isinstance(total, int) else None, what)
