"""Connections over a real socket: who does not ask is closed, who trickles is not waited for."""

from __future__ import annotations

import contextlib
import socket
import time
from urllib.parse import urlsplit

from toy_server import a_service, files, listening, picture, with_limits

HEAD = (
    b"POST /v1/identify HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n"
)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@contextlib.contextmanager
def running(folder, *, limits=None, **guards):
    """Yield the port of a server on the loopback."""
    with listening(a_service(folder, limits=limits), **guards) as base:
        yield urlsplit(base).port


@contextlib.contextmanager
def connected(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        yield sock


def answer(sock) -> bytes:
    """Return what comes until the connection is closed or whole answers have come."""
    try:
        return sock.recv(1 << 16)
    except ConnectionResetError:
        return b""


def test_who_does_not_ask_is_closed(tmp_path):
    with running(tmp_path, seconds=0.3) as port, connected(port) as idle, connected(port) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHos")
        begun = time.monotonic()
        assert answer(idle) == b""
        assert answer(slow) == b""
        assert time.monotonic() - begun < 5
        with connected(port) as sock:
            sock.sendall(HEALTH)
            assert answer(sock).startswith(b"HTTP/1.1 200")


def test_a_head_that_trickles_is_not_waited_for(tmp_path):
    with running(tmp_path, seconds=0.5) as port, connected(port) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\n")
        begun = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - begun < 10:
                sock.sendall(b"X: 1\r\n")
                time.sleep(0.05)
        assert time.monotonic() - begun < 10


def test_a_head_without_end_is_not_taken_in(tmp_path):
    with running(tmp_path) as port, connected(port) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 64 << 20:
                sock.sendall(b"y" * (64 << 10))
                sent += 64 << 10
        # What the kernel holds on the way is not the server's memory.
        assert sent < 64 << 20


def test_a_body_that_trickles_is_not_waited_for(tmp_path):
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


def test_who_waits_longest_makes_room(tmp_path):
    with running(tmp_path, most=8) as port, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connected(port)) for _ in range(40)]
        for _ in range(20):
            with connected(port) as sock:
                sock.sendall(HEALTH)
                assert answer(sock).startswith(b"HTTP/1.1 200")
        assert answer(idle[0]) == b""


def test_too_large_is_said_before_it_comes(tmp_path):
    with running(tmp_path) as port, connected(port) as sock:
        sock.sendall(HEAD + f"Content-Length: {65 << 20}\r\n\r\n".encode())
        assert answer(sock).startswith(b"HTTP/1.1 413")


def test_requests_that_come_at_once_are_answered_in_turn(tmp_path):
    with running(tmp_path) as port, connected(port) as sock:
        sock.sendall(HEALTH * 50)
        said = b""
        while said.count(b"HTTP/1.1 200") < 50:
            got = answer(sock)
            assert got
            said += got
        assert said.count(b"HTTP/1.1 ") == 50


def test_a_client_that_leaves_is_no_failure(tmp_path, caplog):
    with running(tmp_path) as port:
        with connected(port) as sock:
            sock.sendall(HEAD + b"Content-Length: 100000\r\n\r\n--x\r\n")
        with connected(port) as sock:
            sock.sendall(HEALTH)
            assert answer(sock).startswith(b"HTTP/1.1 200")
    assert "unforeseen" not in caplog.text


def test_files_are_taken_as_before(tmp_path):
    import httpx2 as httpx

    with running(tmp_path) as port:
        done = httpx.post(
            f"http://127.0.0.1:{port}/v1/identify?handle=toy", files=files(picture(1))
        )
        assert done.json()["results"][0]["faces"][0]["name"] == "Ben"
