"""Limits on connections: their number, the time they may wait, pipelining and request headers.

Uvicorn waits without a limit for a request's headers, for a client to read its response, and for a
closed connection to take its last bytes. It parses every request of one read, however many are
pipelined. Here connections that wait too long for their client are closed, as are those with too
many pipelined requests. When too many are open, the one that has waited longest is closed.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from mien.request_limits import network_of

MAX_HEADER_BYTES = 512 << 10
"""Maximum size of a request's headers; generous, as one read may include the end of a body."""

_WRITE_BUFFER = 4 << 10
"""Bytes of responses beyond what the system takes; above it no further ones are written."""

_STOP_CHECK = 0.5
"""Seconds between the checks of a connection while the server stops."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits on connections; times are in seconds.

    Attributes:
        total: open connections: below the usual limit of 1,024 open files per process.
        per_address: open connections of one address (of IPv6: a /64 network); 0 for no limit.
        exempt: addresses and networks without `per_address`, such as those of proxies; `*` for all.
        idle: time without a request in progress, and for the headers of a request.
        writing: time within which a client must take `slowest * writing` bytes of what is sent.
        slowest: lowest rate at which a response is read, in bytes per second.
        stalled: time without progress after which a connection may be closed for another one, or
            because the server stops.
        stopping: time after which every connection that waits for its client is closed when the
            server stops.
        pipelined: requests that may wait for the one in progress on their connection; one, as a
            client may have all of a response before its end is noted here.
    """

    total: int = 512
    per_address: int = 320
    exempt: Collection[str] = ()
    idle: float = 30.0
    writing: float = 30.0
    slowest: int = 4 << 10
    stalled: float = 5.0
    stopping: float = 30.0
    pipelined: int = 1


class _LimitedConnection(asyncio.Protocol):
    """Mixin placed before uvicorn's protocol class, whose attributes it uses."""

    limits: ConnectionLimits
    open_per_address: Counter[str]

    connections: set[Any]
    transport: Any
    cycle: Any
    client: tuple[str, int] | None
    flow: Any
    loop: asyncio.AbstractEventLoop
    _timer: asyncio.TimerHandle | None = None
    network = ""
    _counted = False
    _in_header = False
    _header_bytes = 0
    _refusing = False
    _stop_at: float | None = None
    _moved = 0.0
    _unsent = 0
    _window = (0.0, 0)
    _cycles: Sequence[Any] = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept a connection; if too many are open, close another one or else this one."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(_WRITE_BUFFER, 0)
        self._moved = self.loop.time()
        address = self.client[0] if self.client else "-"
        self.network = network_of(address)
        others = [each for each in self.connections if each is not self]
        if not self._admitted(address, others):
            self.loop.call_soon(self.close)
        self._counted = True
        self.open_per_address[self.network] += 1
        self._timer = self.loop.call_later(self.limits.idle, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timer and end the requests in progress."""
        if self._timer is not None:
            self._timer.cancel()
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass data on; close the connection if the headers are too long."""
        if self._refusing:
            return
        super().data_received(data)
        if not self.idle and not self.flow.write_paused:
            self._moved = self.loop.time()
        if self._in_header:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self.close()

    def pause_writing(self) -> None:
        """Start the time in which the client must read."""
        super().pause_writing()
        self._moved = self.loop.time()
        self._unsent = self.transport.get_write_buffer_size()
        self._window = (self._moved, self._unsent)
        self._check_in(self.limits.writing)

    def resume_writing(self) -> None:
        """Note that the client has read everything."""
        super().resume_writing()
        self._moved = self.loop.time()

    def on_response_complete(self) -> None:
        """Start the idle time."""
        self._moved = self.loop.time()
        self._cycles = [each for each in self._cycles if not each.response_complete]
        super().on_response_complete()  # type: ignore[misc]

    def shutdown(self) -> None:
        """Close the connection if it is idle, else once its requests are answered."""
        self._stop_at = self.loop.time() + self.limits.stopping
        super().shutdown()  # type: ignore[misc]
        self._check_in(_STOP_CHECK)

    # Requests as httptools finds them, several in one read. h11 stops at each.

    def on_message_begin(self) -> None:
        """Start counting header bytes; refuse the request if too many wait."""
        self._in_header, self._header_bytes = True, 0
        if not self.idle and self.pipelined >= self.limits.pipelined:
            self._refusing = True
            self.cycle.keep_alive = False  # the last one that is answered
        super().on_message_begin()  # type: ignore[misc]

    def on_headers_complete(self) -> None:
        """Stop counting header bytes."""
        self._in_header = False
        if not self._refusing:
            super().on_headers_complete()  # type: ignore[misc]
            self._cycles = [*self._cycles, self.cycle]

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of the body."""
        if not self._refusing:
            super().on_body(body)  # type: ignore[misc]

    def on_message_complete(self) -> None:
        """Pass on the end of a request."""
        if not self._refusing:
            super().on_message_complete()  # type: ignore[misc]

    # Which connection is closed

    @property
    def idle(self) -> bool:
        """Whether no request is in progress."""
        return self.cycle is None or bool(self.cycle.response_complete)

    @property
    def pipelined(self) -> int:
        """Number of requests that wait for the one in progress."""
        return len(getattr(self, "pipeline", ()))

    def waited(self) -> float:
        """Return for how many seconds the server has waited for the client; 0 if it does not."""
        unread = self.flow.write_paused
        if unread:
            unsent = self.transport.get_write_buffer_size()
            if unsent < self._unsent:
                self._unsent, self._moved = unsent, self.loop.time()
        unsent_body = not self.idle and self.cycle.more_body and not self.flow.read_paused
        return self.loop.time() - self._moved if unread or unsent_body or self.idle else 0.0

    def rank(self) -> tuple[int, float]:
        """Return how well this connection can be closed for another one; (0, …) if it cannot."""
        waited = self.waited()
        if self.idle and not self.flow.write_paused:
            return 3, waited
        if waited >= self.limits.stalled:
            return 2, waited
        return int(self.pipelined > 0), self.pipelined

    def close(self) -> None:
        """Close the connection at once, without sending pending data."""
        self.connections.discard(self)
        self._leave()
        self.transport.abort()

    def _admitted(self, address: str, others: Collection[Any]) -> bool:
        """Return whether a further connection may be open, if need be after closing another one."""
        limits = self.limits
        full = limits.per_address and self.open_per_address[self.network] >= limits.per_address
        if full and not _is_in(address, limits.exempt):
            return _close_one([each for each in others if each.network == self.network])
        return len(others) < limits.total or _close_one(others)

    def _leave(self) -> None:
        """Tell the requests in progress that their client has gone.

        Uvicorn tells only the last one, and the others would write to a closed connection.
        """
        for cycle in (*self._cycles, self.cycle):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        if self._counted:
            self._counted = False
            self.open_per_address[self.network] -= 1
            if not self.open_per_address[self.network]:
                del self.open_per_address[self.network]

    def _check_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._stop_at is not None:
            seconds = min(seconds, _STOP_CHECK)
        self._timer = self.loop.call_later(seconds, self._check)

    def _check(self) -> None:
        """Close the connection if it has waited too long; else look again later."""
        left = self._left()
        if self._stop_at is not None:
            waited = self.waited()
            if waited >= self.limits.stalled or (waited and self.loop.time() >= self._stop_at):
                left = 0
        if left > 0:
            self._check_in(left)
        else:
            self.close()

    def _left(self) -> float:
        """Return the seconds until the next check; 0 or less if the time is up."""
        now, limits = self.loop.time(), self.limits
        if self.flow.write_paused:
            start, unsent = self._window
            if now < start + limits.writing:
                return start + limits.writing - now
            self._window = (now, self.transport.get_write_buffer_size())
            read = unsent - self._window[1]
            return limits.writing if read >= limits.slowest * limits.writing else 0
        return self._moved + limits.idle - now if self.idle else limits.idle


def _close_one(connections: Iterable[Any]) -> bool:
    """Close the connection that is missed least; return whether there was one."""
    ranked = [(each.rank(), each) for each in connections]
    (kind, _), chosen = max(ranked, key=lambda pair: pair[0], default=((0, 0.0), None))
    if kind and chosen is not None:
        chosen.close()
    return bool(kind)


def _is_in(address: str, networks: Collection[str]) -> bool:
    """Return whether an address is one of the given ones or in one of the given networks."""
    if "*" in networks or address in networks:
        return True
    try:
        found = ipaddress.ip_address(address)
        return any(found in ipaddress.ip_network(each, strict=False) for each in networks)
    except ValueError:
        return False


def limited_protocol(
    limits: ConnectionLimits | None = None, base: type[asyncio.Protocol] = AutoHTTPProtocol
) -> type[asyncio.Protocol]:
    """Return uvicorn's HTTP protocol class with limits on connections, of one server.

    Args:
        limits: the limits.
        base: uvicorn's class: with httptools where that is installed, else with h11.
    """
    bases = (_LimitedConnection, base)
    more = {"limits": limits or ConnectionLimits(), "open_per_address": Counter()}
    return type("LimitedProtocol", bases, more)
