"""What stands before every request: hosts, origins, sizes, headers, the log and the numbers."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.errors import (
    BadRequest,
    MienError,
    NotAllowed,
    RequestTooLarge,
    RequestTooSlow,
    ServerBusy,
)
from mien.server.auth.access import SAFE_METHODS
from mien.server.http.error_responses import answer_to
from mien.server.http.limits import Limits
from mien.server.http.metrics import Metrics

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; frame-src 'self'; "
    "worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

_HEADERS: Mapping[str, str] = {
    "content-security-policy": PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
"""Of every answer that does not set them itself."""

_log = logging.getLogger("mien.server.requests")


@dataclass(frozen=True, slots=True)
class Borders:
    """Whom the server answers.

    Attributes:
        hosts: names that `Host` may have; empty for any. On the loopback it is what keeps a
            site whose name was made to point there from reading the answers.
        origins: other origins whose pages may ask.
        limits: on sizes and times.
        uploads: paths that take bodies of `limits.upload`.
    """

    hosts: frozenset[str]
    origins: frozenset[str]
    limits: Limits
    uploads: frozenset[str] = frozenset({"/v1/jobs"})


class Shield:
    """The outermost layer of the app (ASGI)."""

    def __init__(self, app: ASGIApp, borders: Borders, metrics: Metrics) -> None:
        self._app = app
        self._borders = borders
        self._metrics = metrics
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, self._metrics)
        body = _Body(self, scope, receive)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.begin(message)
            await send(message)

        try:
            check(scope, self._borders)
            body.check_length()
            await self._app(scope, body, sending)
        except MienError as error:
            if exchange.status:
                raise
            await answer_to(error)(scope, receive, sending)
        finally:
            self._held -= body.taken
            exchange.end()

    def hold(self, size: int) -> None:
        """Count bytes that a request keeps in memory.

        Raises:
            ServerBusy: all requests together would keep too many.
        """
        if self._held + size > self._borders.limits.held:
            raise ServerBusy(
                "the requests under way fill the memory set aside for them",
                hint="Ask again in 1 s.",
            )
        self._held += size

    def most(self, path: str) -> int:
        """Return how many bytes a request to a path may have."""
        limits = self._borders.limits
        return limits.upload if path in self._borders.uploads else limits.body

    def patience(self, size: int) -> float:
        """Return for how many seconds a body is waited for of which so much has come."""
        limits = self._borders.limits
        return limits.seconds + size / limits.slowest


class _Body:
    """A request's body as it arrives: counted, and refused where it is too much or too slow."""

    def __init__(self, shield: Shield, scope: Scope, receive: Receive) -> None:
        self._shield = shield
        self._receive = receive
        self._most = shield.most(scope["path"])
        self._length = header(scope, b"content-length")
        self._whole = False
        self._waited = 0.0
        self.taken = 0

    def check_length(self) -> None:
        """Refuse what says of itself that it is too large, before a byte of it is read."""
        if not self._length:
            return
        if not self._length.isdecimal():
            raise BadRequest("Content-Length is not a number", hint="Send it as digits.")
        if int(self._length) > self._most:
            raise self._too_large()

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._shield.patience(self.taken) - self._waited):
                message = await self._receive()
        except TimeoutError as error:
            raise RequestTooSlow(
                "the rest of the request did not arrive",
                hint="Send it again, or fewer photos at once.",
            ) from error
        self._waited += time.monotonic() - begun
        if message["type"] == "http.request":
            self._whole = not message.get("more_body", False)
            size = len(message.get("body", b""))
            if self.taken + size > self._most:
                raise self._too_large()
            self._shield.hold(size)
            self.taken += size
        return message

    def _too_large(self) -> RequestTooLarge:
        return RequestTooLarge(
            f"a request here has at most {self._most >> 20} MiB", hint="Send fewer photos at once."
        )


def check(scope: Scope, borders: Borders) -> None:
    """Refuse what comes by another name, or from another site's page.

    Raises:
        NotAllowed: with what to allow.
    """
    host = header(scope, b"host")
    name = _host_name(host)
    if borders.hosts and name not in borders.hosts:
        raise NotAllowed(
            "this server is not known by that name",
            hint="Start it with --allow-host NAME where it is meant to be.",
        )
    if scope["method"] in SAFE_METHODS:
        return
    origin = header(scope, b"origin")
    own = {f"http://{host}", f"https://{host}"}
    if origin and origin not in own | borders.origins:
        raise NotAllowed(
            "a page of another site may not ask for this",
            hint="Start the server with --cors-origin ORIGIN where it may.",
        )
    if not origin and header(scope, b"sec-fetch-site") == "cross-site":
        raise NotAllowed(
            "a page of another site may not ask for this", hint="Ask from this server's own page."
        )


def header(scope: Scope, name: bytes) -> str:
    """Return a header of a request; empty where it is not there."""
    found = next((value for key, value in scope["headers"] if key == name), b"")
    return str(found.decode("latin-1"))


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


class _Exchange:
    """One request and its answer, for the log and the numbers: no photo, no name, no query."""

    def __init__(self, scope: Scope, metrics: Metrics) -> None:
        self.id = secrets.token_hex(8)
        self.status = 0
        self._scope = scope
        self._metrics = metrics
        self._start = time.perf_counter()
        scope["mien.request"] = self.id

    def begin(self, message: Message) -> None:
        """Take note of the status, and complete the headers."""
        self.status = message["status"]
        there = {name.lower() for name, _ in message["headers"]}
        more = {**_HEADERS, "x-request-id": self.id}
        message["headers"] = [
            *message["headers"],
            *((k.encode(), v.encode()) for k, v in more.items() if k.encode() not in there),
        ]

    def end(self) -> None:
        """Write the line."""
        seconds = time.perf_counter() - self._start
        route = getattr(self._scope.get("route"), "path", "other")
        self._metrics.answered(self._scope["method"], route, self.status, seconds)
        line = {
            "request": self.id,
            "method": self._scope["method"],
            "route": route,
            "status": self.status,
            "ms": round(seconds * 1000, 1),
            "key": self._scope.get("mien.key", ""),
        }
        _log.info(json.dumps(line))
