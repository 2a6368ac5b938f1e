"""Server-sent events: streams that are counted, so that no client holds them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from mien.errors import ServerBusy, TooManyRequests
from mien.server.http.limits import Limits


class OpenStreams:
    """The number of open event streams, of each client and together; used on the event loop only.

    Args:
        limits: `streams` and `streams_each` are the largest numbers.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """Number of open streams."""
        return self._open.total()

    @contextmanager
    def opened(self, client: str) -> Iterator[None]:
        """Count a stream as long as the block lasts.

        Args:
            client: id of the key; the address where no key is required.

        Raises:
            TooManyRequests: the client has too many streams.
            ServerBusy: all clients together have too many.
        """
        if self._open[client] >= self._limits.streams_each:
            raise TooManyRequests(
                f"more than {self._limits.streams_each} event streams at once",
                hint="Close one of them, then ask again in 5 s.",
            )
        if self.count >= self._limits.streams:
            raise ServerBusy("too many event streams are open", hint="Ask again in 5 s.")
        self._open[client] += 1
        try:
            yield
        finally:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]


class EventStream(StreamingResponse):
    """A response of server-sent events, counted until it ends or the client goes.

    Args:
        events: the events, as text.
        streams: counts this one.
        client: see `OpenStreams.opened`.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[str], streams: OpenStreams, client: str) -> None:
        super().__init__(events)
        self._streams = streams
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events.

        Raises:
            TooManyRequests, ServerBusy: see `OpenStreams.opened`.
        """
        with self._streams.opened(self._client):
            await super().__call__(scope, receive, send)
