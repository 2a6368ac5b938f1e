"""An event loop whose time passes at once, and connections without sockets."""

from __future__ import annotations

import asyncio
import selectors

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from mien.server.http.connections import ConnectionLimits, limited_protocol

PIECE = b"x" * (64 << 10)
"""What the toy application sends at once of a large response."""


class _Selector(selectors.SelectSelector):
    """Lets the time pass instead of waiting."""

    now = 1000.0

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing is left to wait for"
            self.now += max(timeout, 1e-6)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which `asyncio.sleep` takes no time."""

    def __init__(self):
        super().__init__(_Selector())

    def time(self):
        return self._selector.now


def in_virtual_time(coroutine):
    """Return the result of a coroutine in a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)


class Connection(asyncio.Transport):
    """The server's end of a connection, and what its client does.

    Args:
        server: the server.
        address: of the client.
        room: bytes that the system takes before the client reads any.
    """

    def __init__(self, server: ToyServer, address: str = "192.0.2.1", room: int = 1 << 30):
        super().__init__({"peername": (address, 50_000), "sockname": ("192.0.2.9", 80)})
        self.received = b""
        self.lost = False
        self._room, self._unsent, self._closing, self._paused = room, b"", False, False
        self._high = 64 << 10
        self.protocol = server.protocol()
        self.protocol.connection_made(self)

    # The client

    def send(self, data: bytes) -> Connection:
        if data and not self.lost:
            self.protocol.data_received(data)
        return self

    def read(self, size: int) -> None:
        """Read bytes beyond those that the system has taken."""
        self._room += size
        self._flush()

    @property
    def statuses(self) -> list[bytes]:
        return [part[:3] for part in self.received.split(b"HTTP/1.1 ")[1:]]

    # The transport

    def set_write_buffer_limits(self, high=None, low=None):
        assert low == 0
        self._high = high

    def get_write_buffer_size(self):
        return len(self._unsent)

    def write(self, data):
        if self.lost:
            raise RuntimeError("the connection is closed")  # as uvloop does
        self._unsent += bytes(data)
        self._flush()
        if len(self._unsent) > self._high and not self._paused:
            self._paused = True
            self.protocol.pause_writing()

    def _flush(self):
        self.received += self._unsent[: self._room]
        taken = min(self._room, len(self._unsent))
        self._room, self._unsent = self._room - taken, self._unsent[taken:]
        if not self._unsent:
            if self._paused:
                self._paused = False
                self.protocol.resume_writing()
            if self._closing:
                self.abort()

    def is_closing(self):
        return self._closing

    def close(self):
        self._closing = True
        self._flush()

    def abort(self):
        self._closing = True
        if not self.lost:
            self.lost = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass


class ToyServer:
    """A server over a toy application, which counts its requests.

    `/` answers at once, `/work` in 20 s, `/body` with the body's length, `/large` with 16 pieces,
    `/at-once` with the same in one message.
    """

    def __init__(self, *, base=H11Protocol, **limits):
        self.requests = []
        self.bodies = []
        config = uvicorn.Config(
            self._answer, interface="asgi3", lifespan="off", ws="none",
            log_config=None, proxy_headers=False, timeout_keep_alive=10_000,
        )  # fmt: skip
        config.load()
        self.state = ServerState()
        self.kind = limited_protocol(ConnectionLimits(**limits), base)
        self._config = config

    def protocol(self):
        loop = asyncio.get_running_loop()
        return self.kind(config=self._config, server_state=self.state, app_state={}, _loop=loop)

    def stop(self):
        for connection in list(self.state.connections):
            connection.shutdown()

    async def _answer(self, scope, receive, send):
        path = scope["path"]
        self.requests.append(path)
        if path == "/work":
            await asyncio.sleep(20)
        body = b""
        more = path == "/body"
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        pieces = [PIECE] * 16 if path in {"/large", "/at-once"} else [b"%d" % len(body)]
        if path == "/at-once":
            pieces = [b"".join(pieces)]
        size = sum(map(len, pieces))
        head = [(b"content-length", b"%d" % size)]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        for left, piece in enumerate(reversed(pieces), 1 - len(pieces)):
            more_body = left < 0
            await send({"type": "http.response.body", "body": piece, "more_body": more_body})


def get(path: str = "/", *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: a", *headers, "", ""]
    return "\r\n".join(lines).encode()


def post(path: str, body: bytes, size: int = 0) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {size or len(body)}\r\n\r\n"
    return head.encode() + body
