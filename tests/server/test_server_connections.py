"""Limits on connections, over real sockets."""

from __future__ import annotations

import contextlib
import socket
import time
from urllib.parse import urlsplit

from toy_server import files, listening, picture, toy_state, with_limits

HEAD = (
    b"POST /v1/identify HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n"
)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@contextlib.contextmanager
def running(folder, *, limits=None, **connection_limits):
    """Yield the port of a server on the loopback."""
    with listening(toy_state(folder, limits=limits), **connection_limits) as base:
        yield urlsplit(base).port


@contextlib.contextmanager
def connected(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        yield sock


def answer(sock) -> bytes:
    """Return what the server sends next; empty if the connection is closed."""
    try:
        return sock.recv(1 << 16)
    except ConnectionResetError:
        return b""


def test_idle_connections_are_closed(tmp_path):
    with (
        running(tmp_path, idle=0.3) as port,
        connected(port) as idle,
        connected(port) as slow,
    ):
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHos")
        begun = time.monotonic()
        assert answer(idle) == b""
        assert answer(slow) == b""
        assert time.monotonic() - begun < 5
        with connected(port) as sock:
            sock.sendall(HEALTH)
            assert answer(sock).startswith(b"HTTP/1.1 200")


def test_slow_headers_are_rejected(tmp_path):
    with running(tmp_path, idle=0.5) as port, connected(port) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\n")
        begun = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - begun < 10:
                sock.sendall(b"X: 1\r\n")
                time.sleep(0.05)
        assert time.monotonic() - begun < 10


def test_endless_headers_are_rejected(tmp_path):
    with running(tmp_path) as port, connected(port) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 64 << 20:
                sock.sendall(b"y" * (64 << 10))
                sent += 64 << 10
        # Data buffered by the kernel does not use the server's memory.
        assert sent < 64 << 20


def test_a_slow_body_is_rejected(tmp_path):
    limits = with_limits(seconds=0.5, slowest=1 << 20)
    with running(tmp_path, limits=limits) as port, connected(port) as sock:
        sock.sendall(HEAD + b"Content-Length: 100000\r\n\r\n--x\r\n")
        begun = time.monotonic()
        sock.settimeout(0.05)
        said = b""
        while not said and time.monotonic() - begun < 5:
            sock.sendall(b"y")
            with contextlib.suppress(TimeoutError):
                said = sock.recv(1 << 16)
        assert said.startswith(b"HTTP/1.1 408")


def test_the_longest_idle_connection_is_closed_when_too_many_are_open(tmp_path):
    with running(tmp_path, total=8) as port, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connected(port)) for _ in range(40)]
        for _ in range(20):
            with connected(port) as sock:
                sock.sendall(HEALTH)
                assert answer(sock).startswith(b"HTTP/1.1 200")
        assert answer(idle[0]) == b""


def test_a_large_body_is_rejected_by_content_length(tmp_path):
    with running(tmp_path) as port, connected(port) as sock:
        sock.sendall(HEAD + f"Content-Length: {65 << 20}\r\n\r\n".encode())
        assert answer(sock).startswith(b"HTTP/1.1 413")


def test_pipelined_requests_are_answered_in_order(tmp_path):
    with running(tmp_path, pipelined=4) as port, connected(port) as sock:
        asked = [HEALTH, HEALTH.replace(b"/healthz", b"/nothing"), HEALTH, HEALTH, HEALTH]
        sock.sendall(b"".join(asked))
        said = b""
        while said.count(b"HTTP/1.1 ") < 5:
            got = answer(sock)
            assert got
            said += got
        statuses = [part[:3] for part in said.split(b"HTTP/1.1 ")[1:]]
        assert statuses == [b"200", b"404", b"200", b"200", b"200"]


def test_a_disconnecting_client_causes_no_error(tmp_path, caplog):
    with running(tmp_path) as port:
        with connected(port) as sock:
            sock.sendall(HEAD + b"Content-Length: 100000\r\n\r\n--x\r\n")
        with connected(port) as sock:
            sock.sendall(HEALTH)
            assert answer(sock).startswith(b"HTTP/1.1 200")
    assert "internal error" not in caplog.text


def test_a_photo_is_identified_over_a_limited_connection(tmp_path):
    import httpx2 as httpx

    with running(tmp_path) as port:
        done = httpx.post(
            f"http://127.0.0.1:{port}/v1/identify?handle=toy", files=files(picture(1))
        )
        assert done.json()["results"][0]["faces"][0]["name"] == "Ben"
