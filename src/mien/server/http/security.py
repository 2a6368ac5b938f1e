"""Security middleware: hosts, origins, body sizes, security headers, request log and metrics."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
    TooManyRequests,
)
from mien.request_limits import network_of
from mien.server.auth.access import SAFE_METHODS
from mien.server.http.error_responses import error_response
from mien.server.http.limits import Limits
from mien.server.http.prometheus import Metrics

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
"""Added to every response that does not set them itself."""

_MAX_DIGITS = 18
"""Digits of a Content-Length."""

_log = logging.getLogger("mien.server.requests")


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Which requests are accepted.

    Attributes:
        hosts: accepted values of `Host`; empty for any. On the loopback this prevents DNS
            rebinding: a site whose name resolves to it cannot read responses.
        origins: other origins whose pages may send requests.
        limits: on body sizes and times.
        uploads: paths that accept bodies of `limits.upload` bytes.
    """

    hosts: frozenset[str]
    origins: frozenset[str]
    limits: Limits
    uploads: frozenset[str] = frozenset({"/v1/jobs"})


class SecurityMiddleware:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, rules: AccessRules, metrics: Metrics) -> None:
        self._app = app
        self._rules = rules
        self._metrics = metrics
        self._reserved = 0
        self._in_progress: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_log = _RequestLog(scope, self._metrics)
        body = scope["mien.body"] = _LimitedBody(self, scope, receive)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                request_log.start(message)
            await send(message)

        try:
            with self._counted(scope):
                check(scope, self._rules)
                body.check_length()
                await self._app(scope, body, sending)
        except MienError as error:
            if request_log.status:
                raise
            await error_response(error)(scope, receive, sending)
        finally:
            self._reserved -= body.received
            request_log.finish()

    @contextmanager
    def _counted(self, scope: Scope) -> Iterator[None]:
        """Count a request in progress of its client's address.

        Raises:
            TooManyRequests: too many of that address are in progress.
        """
        limit = self._rules.limits.per_address
        client = network_of(scope["client"][0]) if scope.get("client") else "-"
        if limit and self._in_progress[client] >= limit:
            raise TooManyRequests(
                f"more than {limit} requests at once from one address", hint="Ask again in 1 s."
            )
        self._in_progress[client] += 1
        try:
            yield
        finally:
            self._in_progress[client] -= 1
            if not self._in_progress[client]:
                del self._in_progress[client]

    def reserve(self, size: int) -> None:
        """Reserve memory for bytes of a request's body.

        Raises:
            ServerBusy: all requests together would exceed the limit.
        """
        if self._reserved + size > self._rules.limits.held:
            raise ServerBusy(
                "the current requests use all memory reserved for uploads",
                hint="Ask again in 1 s.",
            )
        self._reserved += size

    @property
    def max_json(self) -> int:
        """Maximum size of a JSON body in bytes."""
        return min(self._rules.limits.json, self._rules.limits.body)

    def max_body(self, path: str) -> int:
        """Return the maximum body size of a path in bytes."""
        limits = self._rules.limits
        return limits.upload if path in self._rules.uploads else limits.body

    def body_timeout(self, size: int) -> float:
        """Return the time limit in seconds of a body of which `size` bytes have arrived."""
        limits = self._rules.limits
        return limits.seconds + size / limits.slowest


class _LimitedBody:
    """A request's body, rejected if it gets too large or arrives too slowly."""

    def __init__(self, middleware: SecurityMiddleware, scope: Scope, receive: Receive) -> None:
        self._middleware = middleware
        self._receive = receive
        self._max_size = middleware.max_body(scope["path"])
        self._length = header(scope, b"content-length")
        self._complete = False
        self._waited = 0.0
        self.received = 0

    def check_length(self) -> None:
        """Reject by Content-Length, before the body is read."""
        if not self._length:
            return
        if not self._length.isdecimal():
            raise BadRequest("Content-Length is not a number", hint="Send it as digits.")
        # Python converts no more than some thousand digits.
        if len(self._length) > _MAX_DIGITS or int(self._length) > self._max_size:
            raise self._too_large()

    def limit_to_json(self) -> None:
        """Reject from now on what is too large for JSON.

        Raises:
            RequestTooLarge: Content-Length says that it is.
        """
        self._max_size = min(self._max_size, self._middleware.max_json)
        self.check_length()

    async def __call__(self) -> Message:
        if self._complete:
            return await self._receive()
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(self._middleware.body_timeout(self.received) - self._waited):
                message = await self._receive()
        except TimeoutError as error:
            raise RequestTooSlow(
                "the request's body did not arrive in time",
                hint="Send it again, or fewer photos at once.",
            ) from error
        self._waited += loop.time() - started
        if message["type"] == "http.request":
            self._complete = not message.get("more_body", False)
            size = len(message.get("body", b""))
            if self.received + size > self._max_size:
                raise self._too_large()
            self._middleware.reserve(size)
            self.received += size
        return message

    def _too_large(self) -> RequestTooLarge:
        if self._max_size < 1 << 20:
            return RequestTooLarge(
                f"this request may have at most {self._max_size >> 10} KiB", hint="Send less."
            )
        return RequestTooLarge(
            f"a request may have at most {self._max_size >> 20} MiB",
            hint="Send fewer photos at once.",
        )


def check(scope: Scope, rules: AccessRules) -> None:
    """Reject requests for another host name and from pages of other sites.

    Raises:
        NotAllowed: the hint names the option that allows it.
    """
    host = header(scope, b"host")
    name = _host_name(host)
    if rules.hosts and name not in rules.hosts:
        raise NotAllowed(
            "this host name is not allowed",
            hint="The operator of the server can allow the name.",
        )
    if scope["method"] in SAFE_METHODS:
        return
    origin = header(scope, b"origin")
    own = {f"http://{host}", f"https://{host}"}
    if origin and origin not in own | rules.origins:
        raise NotAllowed(
            "pages of other sites may not send this request",
            hint="The operator of the server can allow the site.",
        )
    if not origin and header(scope, b"sec-fetch-site") == "cross-site":
        raise NotAllowed(
            "pages of other sites may not send this request",
            hint="Ask from this server's own page.",
        )


def header(scope: Scope, name: bytes) -> str:
    """Return a header of a request; empty if it is missing."""
    found = next((value for key, value in scope["headers"] if key == name), b"")
    return str(found.decode("latin-1"))


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


class _RequestLog:
    """Log line and metrics of one request; without photo, name or query."""

    def __init__(self, scope: Scope, metrics: Metrics) -> None:
        self.id = secrets.token_hex(8)
        self.status = 0
        self._scope = scope
        self._metrics = metrics
        self._started = time.perf_counter()
        scope["mien.request"] = self.id

    def start(self, message: Message) -> None:
        """Record the status and add the security headers."""
        self.status = message["status"]
        there = {name.lower() for name, _ in message["headers"]}
        more = {**_HEADERS, "x-request-id": self.id}
        if "mien.recorded" in self._scope:
            more["x-audit-recorded"] = str(self._scope["mien.recorded"]).lower()
        message["headers"] = [
            *message["headers"],
            *((k.encode(), v.encode()) for k, v in more.items() if k.encode() not in there),
        ]

    def finish(self) -> None:
        """Write the log line and update the metrics."""
        seconds = time.perf_counter() - self._started
        route = getattr(self._scope.get("route"), "path", "other")
        self._metrics.count_request(self._scope["method"], route, self.status, seconds)
        line = {
            "request": self.id,
            "method": self._scope["method"],
            "route": route,
            "status": self.status,
            "ms": round(seconds * 1000, 1),
            "key": self._scope.get("mien.key", ""),
        }
        _log.info(json.dumps(line))
