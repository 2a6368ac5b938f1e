"""A worker process of a peer, as the benchmark uses it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from peers.catalogue import Peer
from peers.venvs import python_of
from peers.weights import shared_weights

_WORKER = Path(__file__).with_name("worker.py")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "MIEN_HOME", "MIEN_MODELS", "MIEN_OFFLINE")


class PeerProcess:
    """One worker process; close it, or use it in a `with` statement.

    Args:
        peer: the library.
        work: folder of environments and weights.
        threads: threads per photo; 0 for the default of the peer.
        core: the only core that it may use.
        environment: further environment variables.
    """

    def __init__(
        self,
        peer: Peer,
        work: Path,
        *,
        threads: int = 0,
        core: int | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.peer = peer
        weights = shared_weights(work)
        arguments = [peer.pipeline, "--threads", str(threads), "--weights", str(weights)]
        if core is not None:
            arguments += ["--core", str(core)]
        # The same variables for all peers, and none that tunes one of them.
        variables = {name: os.environ[name] for name in _KEPT if name in os.environ}
        variables["DEEPFACE_HOME"] = str(weights)
        variables["ORT_DISABLE_TELEMETRY"] = "1"
        if threads:
            variables |= dict.fromkeys(_THREADS, str(threads))
        self._log = (work / f"{peer.name}.log").open("ab")
        self._process = subprocess.Popen(
            [str(python_of(peer, work)), str(_WORKER), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=variables | (environment or {}),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, do: str, **request: Any) -> None:
        """Send a request without waiting for its answer."""
        assert self._process.stdin  # noqa: S101
        self._process.stdin.write(json.dumps({"do": do, **request}) + "\n")
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """Wait for the answer to a request.

        Raises:
            RuntimeError: the process has ended.
        """
        assert self._process.stdout  # noqa: S101
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.peer.name} ended; see {self._log.name}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        self.send(do, **request)
        return self.receive()

    def embed(self, paths: list[str]) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Return boxes (F, 4) and embeddings (F, D) per photo."""
        answer = self.ask("embed", paths=paths)
        return [
            (
                np.array(boxes, np.float32).reshape(-1, 4),
                np.frombuffer(base64.b64decode(code), "<f4").reshape(-1, answer["dimension"]),
            )
            for boxes, code in answer["faces"]
        ]

    def close(self) -> None:
        """End the process and wait for it."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._log.close()


def first_answer(peer: Peer, work: Path, photo: Path, home: Path) -> float:
    """Return the seconds from starting Python to the first answer for a photo.

    Args:
        peer: the library.
        work: folder of environments and weights.
        photo: path of the photo.
        home: an empty folder for what the peer fetches or makes at first use.
    """
    python_of(peer, work)
    shared_weights(work)
    variables = {"HOME": str(home)}
    if "MIEN_HOME" in os.environ:
        variables["MIEN_HOME"] = str(home / "mien")
    start = time.perf_counter()
    with PeerProcess(peer, work, environment=variables) as process:
        process.ask("enrol", people=1)
        process.ask("time", paths=[str(photo)])
        return time.perf_counter() - start
