"""`mien serve` in its own process on the loopback interface; its memory and time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import psutil

_ADDRESS = re.compile(r"Mien is at http://([^:/]+):(\d+)/")
_START_SECONDS = 120
_STOP_SECONDS = 90


class Listening(Protocol):
    """Address of a server."""

    host: str
    port: int


class Served:
    """A server that runs inside a `with` statement.

    Args:
        arguments: of `mien serve`, without --data and --port.
        folder: for its data, temporary files and log; created where absent.

    Attributes:
        host: address that it listens on.
        port: port that it listens on.
        process: the server's process.
    """

    def __init__(self, arguments: Sequence[str], folder: Path) -> None:
        self._arguments = list(arguments)
        self._data, self._temporary = folder / "data", folder / "tmp"
        self._log = folder / "server.log"
        for each in (self._data, self._temporary):
            each.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "mien", "serve", *self._arguments]
        command += ["--data", str(self._data), "--port", "0"]
        environment = {**os.environ, "TMPDIR": str(self._temporary), "COLUMNS": "200"}
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.process = psutil.Process(self._child.pid)
        self.host, self.port = self._found()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.terminate()
        try:
            self._child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    @property
    def lives(self) -> bool:
        """Whether the process runs."""
        return self._child.poll() is None

    @property
    def log(self) -> str:
        """Everything that it has logged."""
        return self._log.read_text("utf-8", "replace")

    @property
    def rss(self) -> int:
        """Resident memory in bytes."""
        return int(self.process.memory_info().rss)

    @property
    def cpu(self) -> float:
        """CPU seconds that it has used."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    @property
    def descriptors(self) -> int:
        """Number of open files and sockets."""
        return int(self.process.num_fds())

    @property
    def files(self) -> frozenset[str]:
        """The files in its data folder and temporary folder."""
        return frozenset(
            str(path) for root in (self._data, self._temporary) for path in root.rglob("*")
        )

    def _found(self) -> tuple[str, int]:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self.lives:
            found = _ADDRESS.search(self.log)
            if found:
                return found[1], int(found[2])
            time.sleep(0.05)
        raise RuntimeError(f"the server did not start:\n{self.log}")


def mien(*arguments: str) -> None:
    """Run a command of Mien and wait for it."""
    done = subprocess.run(
        [sys.executable, "-m", "mien", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"mien {' '.join(arguments)}:\n{done.stderr}")
