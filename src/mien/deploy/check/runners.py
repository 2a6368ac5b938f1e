"""Lambda and app deployments, run on this machine for a check."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from mien.deploy.app_folder import SERVER
from mien.deploy.packaging.bytecode import interpreter_of
from mien.deploy.packaging.libraries import this_arch
from mien.errors import CheckImpossible, NotADeployment

Ask = Callable[[bytes], dict[str, Any]]
"""Sends a photo's bytes to `/v1/identify`; returns the photo's result: `faces` and `error`."""

_PATH = "/v1/identify?top=10"
_SECONDS = 60

# Reads one event per line and writes one result per line, in place of Lambda's runtime client.
_DRIVER = """
import json, sys
out, sys.stdout = sys.stdout, sys.stderr
from handler import handle
for line in sys.stdin:
    print(json.dumps(handle(json.loads(line), None)), file=out, flush=True)
"""


@contextmanager
def running_lambda(out: Path, settings: Mapping[str, Any]) -> Iterator[Ask]:
    """Run the function of a folder, with its own libraries and no others.

    Raises:
        CheckImpossible: it is for another kind of machine, or its Python is not installed.
        NotADeployment: it does not start.
    """
    interpreter = interpreter_of(str(settings["python"]))
    if sys.platform != "linux" or settings["arch"] != this_arch() or interpreter is None:
        raise CheckImpossible(
            f"the function is for Python {settings['python']} on Linux, {settings['arch']}",
            hint="Check it on such a machine, or make one for this machine and check that: the "
            "rest is the same.",
            code="function-for-another-machine",
        )
    with tempfile.TemporaryDirectory(prefix="mien-check-") as name:
        folder = out / "image"
        if not settings["image"]:
            folder = Path(name)
            with zipfile.ZipFile(out / "function.zip") as archive:
                archive.extractall(folder)
        # -S leaves out the libraries installed on this machine.
        command = [interpreter, "-S", "-c", _DRIVER]
        with _started(command, folder, {"PATH": os.environ.get("PATH", "")}) as running:
            yield lambda data: _ask_function(running, data)


def _ask_function(running: _Running, data: bytes) -> dict[str, Any]:
    path, _, query = _PATH.partition("?")
    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"content-type": "application/octet-stream"},
        "requestContext": {"http": {"method": "POST", "path": path}, "stage": "$default"},
        "body": base64.b64encode(data).decode(),
        "isBase64Encoded": True,
    }
    line = running.exchange(json.dumps(event))
    result = json.loads(line)
    return _row(result["statusCode"], result["body"])


@contextmanager
def running_app(out: Path, settings: Mapping[str, Any]) -> Iterator[Ask]:
    """Run the app of a folder under gunicorn, as its host does.

    Raises:
        CheckImpossible: the libraries that it requires are not installed.
        NotADeployment: it does not start.
    """
    _check_libraries(settings["libraries"], out)
    port = _free_port()
    command = [sys.executable, "-m", SERVER, f"--bind=127.0.0.1:{port}", "wsgi:application"]
    # Without the key, which the photos of the check are not sent with.
    own = {name: value for name, value in os.environ.items() if name != "MIEN_API_KEY"}
    with _started(command, out, {**own, "PORT": str(port)}) as running:
        _wait_until_up(running, port)
        yield lambda data: _ask_server(port, data)


def _check_libraries(libraries: Mapping[str, str], out: Path) -> None:
    if not _is_installed(SERVER, ""):
        raise CheckImpossible(
            f"an app is served by {SERVER}, which is not installed",
            hint=f"Install it: pip install {SERVER}",
        )
    differing = [name + pin for name, pin in libraries.items() if not _is_installed(name, pin)]
    if differing:
        raise CheckImpossible(
            f"the app requires {', '.join(differing)}, which this Python does not have",
            hint=f"`pip install -r {out / 'requirements.txt'}` installs them.",
        )


def _is_installed(name: str, pin: str) -> bool:
    try:
        installed = metadata.version(name)
        return not pin.startswith("==") or installed == pin.removeprefix("==")
    except metadata.PackageNotFoundError:
        return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_until_up(running: _Running, port: int) -> None:
    deadline = time.monotonic() + _SECONDS
    while running.process.poll() is None and time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise running.start_error()


def _ask_server(port: int, data: bytes) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("POST", _PATH, data, {"Content-Type": "application/octet-stream"})
        answer = connection.getresponse()
        return _row(answer.status, answer.read().decode())
    except (OSError, http.client.HTTPException) as error:
        raise NotADeployment(f"the app does not answer: {error}") from error
    finally:
        connection.close()


def _row(status: int, body: str) -> dict[str, Any]:
    if status != http.HTTPStatus.OK:
        return {"faces": None, "error": body[:200]}
    (row,) = json.loads(body)["results"]
    return dict(row) if not row["error"] else {"faces": None, "error": row["error"]["detail"]}


@dataclass(frozen=True, slots=True)
class _Running:
    """A process, and the file with its standard error."""

    process: subprocess.Popen[str]
    log: IO[str]

    def exchange(self, line: str) -> str:
        """Send a line to the process and return the line that it answers.

        Raises:
            NotADeployment: the process has ended.
        """
        answer = ""
        with suppress(BrokenPipeError):
            if self.process.stdin and self.process.stdout:
                self.process.stdin.write(line + "\n")
                self.process.stdin.flush()
                answer = self.process.stdout.readline()
        if not answer:
            raise self.start_error()
        return answer

    def start_error(self) -> NotADeployment:
        """Stop the process; return the error with the reason, taken from its last messages."""
        self.process.kill()
        self.process.wait()
        self.log.seek(0)
        lines = [line.strip() for line in self.log if line.strip()]
        errors = [line for line in lines if re.match(r"[\w.]+(?:Error|Exception|Found)\b", line)]
        why = (errors or lines or ["it ended"])[-1]
        return NotADeployment(
            f"the deployment does not start: {why}",
            hint="Make it again.",
            code="deployment-does-not-start",
        )


@contextmanager
def _started(
    command: list[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[_Running]:
    """Run a process in a deployment's folder; its modules come before installed ones."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(  # noqa: S603 — a Python interpreter with a fixed command
            command,
            cwd=folder,
            env={**environment, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield _Running(process, log)
        finally:
            process.terminate()
            process.communicate()
