"""Stages of a training job: commands of Mien in separate processes, with progress."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mien.errors import SELDOM_FOUND
from mien.server.http.error_responses import INTERNAL_ERROR, SEE_LOG
from mien.server.training.job_photos import PHOTO_LIST

RECOGNIZER, DATASET, REPORT = "recognizer.onnx", "dataset", "report.html"

_TERMINATE_SECONDS = 10.0
_RETRY_SECONDS = 2.0
_TRIES = 300
_TRIES_IF_KILLED = 3
_NICENESS = 10
"""Niceness of the processes: identification requests have priority."""

BUSY = 14
"""Exit code of `mien dataset` if another process, left over from a crash, still builds."""

_WEIGHTS, _TRAINING = 12, 15
"""Exit codes: weights are not available; the photos are not sufficient for training."""


_log = logging.getLogger("mien.server")


@dataclass(frozen=True, slots=True)
class Stage:
    """A command of a job.

    Attributes:
        name: build, train or evaluate.
        arguments: for `python -m mien`, which runs in the job's folder.
        required: whether the job fails if this command fails.
    """

    name: str
    arguments: tuple[str, ...]
    required: bool = True


def stages(rate: float) -> tuple[Stage, ...]:
    """Return the commands of a job."""
    return (
        Stage("build", ("dataset", "build", PHOTO_LIST, "-o", DATASET, "--json")),
        Stage(
            "train",
            ("train", DATASET, "-o", RECOGNIZER, "--false-positive-rate", repr(rate), "--json"),
        ),
        Stage(
            "evaluate", ("evaluate", RECOGNIZER, DATASET, "-o", REPORT, "--json"), required=False
        ),
    )


@dataclass(frozen=True, slots=True)
class StageResult:
    """Result of a command.

    Attributes:
        code: exit code; negative if the process was killed.
        error: last lines of standard error, without progress.
        output: standard output.
    """

    code: int
    error: str
    output: str

    @property
    def killed(self) -> bool:
        """Whether the process was killed, as by the system when memory is short."""
        return self.code < 0


def failure_reason(result: StageResult) -> tuple[str, str]:
    """Return detail and hint for the client, without command names and paths."""
    if result.code in {BUSY, _TRAINING}:
        return last_error(result), f"Send clear photos, several of each person. {SELDOM_FOUND}"
    return "the models are not available" if result.code == _WEIGHTS else INTERNAL_ERROR, SEE_LOG


def last_error(result: StageResult) -> str:
    """Return the error message of a command, without its hint."""
    lines = result.error.splitlines() or ["the command was killed"]
    errors = [line for line in lines if line.startswith("error: ")]
    return errors[0].removeprefix("error: ") if errors else lines[-1]


def run_again(
    stage: Stage,
    folder: Path,
    on_progress: Callable[[int, int | None, str], None],
    stop: threading.Event,
) -> StageResult:
    """Run a command as `run` does; again, a few times, if its process is killed.

    Waits while a process that is left over from a killed server still builds.
    """
    kills = 0
    for _ in range(_TRIES):
        result = run(stage, folder, on_progress, stop)
        busy = result.code == BUSY and "another process" in result.error
        kills += result.killed
        if result.killed and not stop.is_set():
            _log.warning("job %s: %s was killed, try %d", folder.name, stage.name, kills)
        again = busy or (result.killed and kills < _TRIES_IF_KILLED)
        if not again or stop.wait(_RETRY_SECONDS):
            break
    return result


def run(
    stage: Stage,
    folder: Path,
    on_progress: Callable[[int, int | None, str], None],
    stop: threading.Event,
) -> StageResult:
    """Run a command in a job's folder; terminate it when `stop` is set."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, arguments made above
        [sys.executable, "-m", "mien", *stage.arguments],
        cwd=folder,
        env={**os.environ, "MIEN_PROGRESS": "json"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        umask=0o077,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
    output: list[str] = []
    messages: list[str] = []
    readers = [
        threading.Thread(target=_read_output, args=(process, output)),
        threading.Thread(target=_read_progress, args=(process, messages, on_progress)),
    ]
    for reader in readers:
        reader.start()
    _wait(process, stop)
    for reader in readers:
        reader.join()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()
    return StageResult(process.returncode, "\n".join(messages[-20:]), "".join(output))


def _wait(process: subprocess.Popen[str], stop: threading.Event) -> None:
    while True:
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            if not stop.is_set():
                continue
            _signal(process, signal.SIGTERM)
            try:
                process.wait(_TERMINATE_SECONDS)
            except subprocess.TimeoutExpired:
                _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
                process.wait()
        return


def _signal(process: subprocess.Popen[str], signal_number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal_number)
        else:
            process.terminate()


def _read_output(process: subprocess.Popen[str], output: list[str]) -> None:
    with contextlib.suppress(ValueError):
        if process.stdout:
            output.append(process.stdout.read())


def _read_progress(
    process: subprocess.Popen[str],
    messages: list[str],
    on_progress: Callable[[int, int | None, str], None],
) -> None:
    for line in process.stderr or ():
        try:
            row = json.loads(line)
            done, total, what = int(row["done"]), row["total"], str(row["what"])
        except (ValueError, TypeError, KeyError):
            messages.append(line.rstrip())
            continue
        on_progress(done, total if isinstance(total, int) else None, what)
