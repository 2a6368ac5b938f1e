"""Real servers for the page's tests: `mien serve` in separate processes on the loopback."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

MIEN = (sys.executable, "-m", "mien")


class Serving:
    """Starts `mien serve` on the loopback; each call starts a new server.

    Attributes:
        keys: the created keys, by role.
        data: the data folder of the server that was started last.
        address: its address.
    """

    def __init__(self, folder: Path, seeded: Path) -> None:
        self.keys: dict[str, str] = {}
        self.data = folder
        self.address = ""
        self._folder = folder
        self._seeded = seeded
        self._running: list[subprocess.Popen[bytes]] = []

    def __call__(
        self,
        *,
        keys: Sequence[str] = (),
        knowing: bool = False,
        files: Sequence[str] = (),
        trained: Sequence[tuple[str, str, Path]] = (),
    ) -> str:
        """Start a server and return its address.

        Args:
            keys: roles to create keys for; with any the server requires one.
            knowing: whether its gallery has Barack Obama and Joe Biden, or is empty.
            files: recognizer files with names, to be served instead of a gallery.
            trained: handle, version and file of recognizers that it has trained before.
        """
        folder = self._folder / str(len(self._running))
        folder.mkdir()
        self.data, options = folder / "data", []
        data = self.data
        if knowing:
            options = ["--gallery", shutil.copytree(self._seeded, folder / "gallery")]
        for handle, version, file in trained:
            (data / "recognizers" / handle).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, data / "recognizers" / handle / f"{version}.onnx")
        for role in keys:
            self.keys[role] = mien("keys", "create", "--role", role, "--data", data).strip()
        port = free_port()
        command = [*MIEN, "serve", *files, *options, "--data", data, "--port", str(port)]
        with (folder / "serve.log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log)
        self._running.append(server)
        wait_for(port, server, folder / "serve.log")
        self.address = f"http://127.0.0.1:{port}/"
        return self.address

    def stop(self) -> None:
        """Stop all servers."""
        for server in self._running:
            server.terminate()
        for server in self._running:
            server.wait(timeout=20)


def mien(*arguments: object) -> str:
    """Run a command of mien and return what it printed."""
    command = [*MIEN, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def free_port() -> int:
    """Return a free port on the loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server on the loopback is ready."""
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    pytest.fail(f"the server does not answer: {log.read_text()}")
