"""Limits on connections: their number, their idle time and the size of request headers.

Uvicorn waits for a request's headers without a limit, and does not time out a connection whose
request was answered before its body arrived. Here such connections are closed after a while. When
too many are open, the one that is idle longest is closed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

MAX_CONNECTIONS = 512
"""Maximum number of open connections: below the usual limit of 1,024 open files per process."""

IDLE_SECONDS = 30.0
"""Maximum time without a request in progress, and for the headers of a request, in seconds."""

MAX_HEADER_BYTES = 512 << 10
"""Maximum size of a request's headers; generous, as one read may include the end of a body."""


class _LimitedConnection(asyncio.Protocol):
    """Mixin placed before uvicorn's protocol class, whose attributes it uses."""

    connections: set[Any]
    transport: Any
    cycle: Any
    max_connections = MAX_CONNECTIONS
    idle_seconds = IDLE_SECONDS
    _timer: asyncio.TimerHandle | None = None
    _in_header = False
    _header_bytes = 0
    idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept a connection; if too many are open, close an idle one or else this one."""
        loop = asyncio.get_running_loop()
        self.idle_since = loop.time()
        if len(self.connections) >= self.max_connections:
            waiting = [each for each in self.connections if each.idle]
            if waiting:
                min(waiting, key=lambda each: each.idle_since).close()
            else:
                loop.call_soon(self.close)
        super().connection_made(transport)
        self._timer = loop.call_later(self.idle_seconds, self._check_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the idle timer."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass data on; close the connection if the headers are too long."""
        super().data_received(data)
        if self._in_header:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self.close()

    def on_message_begin(self) -> None:
        """Start counting header bytes (httptools only; h11 has its own limit)."""
        self._in_header, self._header_bytes = True, 0
        super().on_message_begin()  # type: ignore[misc]

    def on_headers_complete(self) -> None:
        """Stop counting header bytes."""
        self._in_header = False
        super().on_headers_complete()  # type: ignore[misc]

    def on_response_complete(self) -> None:
        """Start the idle time."""
        self.idle_since = asyncio.get_running_loop().time()
        super().on_response_complete()  # type: ignore[misc]

    @property
    def idle(self) -> bool:
        """Whether no request is in progress."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def close(self) -> None:
        """Close the connection at once, without sending pending data."""
        self.connections.discard(self)
        self.transport.abort()

    def _check_idle(self) -> None:
        loop = asyncio.get_running_loop()
        left = self.idle_since + self.idle_seconds - loop.time() if self.idle else self.idle_seconds
        if left <= 0:
            self.close()
        else:
            self._timer = loop.call_later(left, self._check_idle)


def limited_protocol(
    *, max_connections: int = MAX_CONNECTIONS, idle_seconds: float = IDLE_SECONDS
) -> type[asyncio.Protocol]:
    """Return uvicorn's HTTP protocol class with limits on connections."""
    bases = (_LimitedConnection, AutoHTTPProtocol)
    return type(
        "LimitedProtocol", bases, {"max_connections": max_connections, "idle_seconds": idle_seconds}
    )
