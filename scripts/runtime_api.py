"""A local substitute for Lambda: a server with its runtime API, which `awslambdaric` uses.

    with running(folder) as function:
        result = function.invoke(function_url_event("GET", "/"))

Events and results have Lambda's size limits. The server listens on the loopback interface only.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

MAX_PAYLOAD = 6 << 20
_TIMEOUT_SECONDS = 60

Messages = queue.Queue[tuple[str, bytes]]


class FunctionFailed(Exception):
    """The function has ended, or reported an error instead of a result."""


@contextmanager
def running(
    folder: Path, python: str = sys.executable, environment: Mapping[str, str] | None = None
) -> Iterator[Function]:
    """Run an unpacked function, with its own libraries and no others."""
    events: Messages = queue.Queue()
    results: Messages = queue.Queue()
    server = _Server(("127.0.0.1", 0), _handler(events, results))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with TemporaryDirectory() as name:
        _link_client(Path(name))
        process = subprocess.Popen(
            # -S leaves out the libraries installed on this machine.
            [python, "-S", "-m", "awslambdaric", "handler.handle"],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{folder}{os.pathsep}{name}",
                "LAMBDA_TASK_ROOT": str(folder),
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_address[1]}",
                "AWS_LAMBDA_FUNCTION_NAME": "mien",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
                **(environment or {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Function(process, events, results)
        finally:
            process.kill()
            process.communicate()
            events.put(("", b""))  # ends the request that is still waiting
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Ignore the broken connection of a function that was killed while waiting."""


class Function:
    """A running function; see `running`."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        events: Messages,
        results: Messages,
    ) -> None:
        self._process = process
        self._events = events
        self._results = results

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the function's result for an event; status 413 over Lambda's size limit."""
        payload = json.dumps(event).encode()
        if len(payload) > MAX_PAYLOAD:
            return {"statusCode": 413, "body": "Request must be smaller than 6291456 bytes"}
        self._events.put((str(uuid.uuid4()), payload))
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            try:
                kind, body = self._results.get(timeout=0.2)
            except queue.Empty:
                if self._process.poll() is None:
                    continue
                output = self._process.stdout.read() if self._process.stdout else b""
                raise FunctionFailed(output.decode(errors="replace")) from None
            if kind != "response" or len(body) > MAX_PAYLOAD:
                raise FunctionFailed(body[:2000].decode(errors="replace"))
            result: dict[str, Any] = json.loads(body)
            return result
        raise FunctionFailed("no answer")

    def peak_memory(self) -> int:
        """Return the function's peak memory in bytes (Linux only)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024


def function_url_event(
    method: str,
    path: str,
    body: bytes = b"",
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return an event of version 2.0, as sent by Function URLs and HTTP APIs."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": dict(headers or {}),
        "requestContext": {"http": {"method": method, "path": path}, "stage": "$default"},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def rest_api_event(
    method: str,
    path: str,
    body: bytes = b"",
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return an event of version 1.0, as sent by REST APIs."""
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": dict(headers or {}),
        "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()},
        "queryStringParameters": dict(query) if query else None,
        "requestContext": {"stage": "prod", "httpMethod": method, "path": f"/prod{path}"},
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


def _link_client(folder: Path) -> None:
    """Link awslambdaric and its dependencies into a folder of their own."""
    for name in ("awslambdaric", "simplejson", "snapshot-restore-py"):
        tops = {file.parts[0] for file in metadata.files(name) or []}
        site = Path(str(metadata.distribution(name).locate_file("")))
        for top in tops - {"..", "__pycache__"}:
            (folder / top).symlink_to(site / top)


def _handler(events: Messages, results: Messages) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Send headers and body together: the client loses headers that arrive before the body.
        wbufsize = -1
        # Without this the end of an event is delayed by 40 ms until the client acknowledges.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            identity, payload = events.get()
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", identity)
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 30_000))
            self.send_header(
                "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:local:0:function:mien"
            )
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)
            self.wfile.flush()

        def do_POST(self) -> None:
            body = self._body()
            results.put((self.path.rsplit("/", 1)[-1], body))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            self.wfile.flush()

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def log_message(self, *_: object) -> None:
            """Write no log."""

    return Handler
