"""Connections: how many are kept, how long one may stay without asking, how long a head may be.

uvicorn waits for a request's head for as long as it takes, and forgets a connection that was
answered before its body had come. Here such a connection is closed after a while, and where too
many are open the one that has waited longest makes room.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

MOST = 512
"""Connections that are kept: below the 1,024 files that a process may usually have open."""

SECONDS = 30.0
"""That a connection may be open without a request under way, and that a head may take."""

HEAD_BYTES = 512 << 10
"""Of a request's head. What is read at once may hold the end of a body too: so it is generous."""


class _Guarded(asyncio.Protocol):
    """Goes before uvicorn's protocol, whose attributes these are."""

    connections: set[Any]
    transport: Any
    cycle: Any
    most = MOST
    seconds = SECONDS
    _timer: asyncio.TimerHandle | None = None
    _in_head = False
    _head = 0
    since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, or close it at once where all others are being answered."""
        loop = asyncio.get_running_loop()
        self.since = loop.time()
        if len(self.connections) >= self.most:
            waiting = [each for each in self.connections if each.waits]
            if waiting:
                min(waiting, key=lambda each: each.since).drop()
            else:
                loop.call_soon(self.drop)
        super().connection_made(transport)
        self._timer = loop.call_later(self.seconds, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of it."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head without end is not waited for."""
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self.drop()

    def on_message_begin(self) -> None:
        """Note that a head begins (httptools; h11 has a limit of its own)."""
        self._in_head, self._head = True, 0
        super().on_message_begin()  # type: ignore[misc]

    def on_headers_complete(self) -> None:
        """Note that a head is whole."""
        self._in_head = False
        super().on_headers_complete()  # type: ignore[misc]

    def on_response_complete(self) -> None:
        """Note when the last answer was given."""
        self.since = asyncio.get_running_loop().time()
        super().on_response_complete()  # type: ignore[misc]

    @property
    def waits(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def drop(self) -> None:
        """Close it, whatever is still to be sent."""
        self.connections.discard(self)
        self.transport.abort()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        left = self.since + self.seconds - loop.time() if self.waits else self.seconds
        if left <= 0:
            self.drop()
        else:
            self._timer = loop.call_later(left, self._look)


def guarded(*, most: int = MOST, seconds: float = SECONDS) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with these limits."""
    bases = (_Guarded, AutoHTTPProtocol)
    return type("Guarded", bases, {"most": most, "seconds": seconds})
