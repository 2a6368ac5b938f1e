"""Web sessions of the page: a session cookie instead of a key, and a CSRF token."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

COOKIE = "mien_session"
SECURE_COOKIE = f"__Host-{COOKIE}"
"""Name of the cookie over TLS. Browsers accept it only with `Secure`, for the whole host and from
no other one, so that a neighbouring host cannot set it."""

CSRF_HEADER = "x-csrf-token"
LIFETIME = 12 * 3600
"""Lifetime of a session in seconds."""

IDLE = 30 * 60
"""Default number of seconds after which an unused session ends."""

_MAX_SESSIONS = 1000


@dataclass(frozen=True, slots=True)
class WebSession:
    """A signed-in browser.

    Attributes:
        id: names the session in lists; it does not sign in.
        key: id of the key used to sign in.
        csrf: token that requests with side effects must send in a header.
        expires: monotonic time in seconds.
        created: UTC time, ISO 8601.
        address: of the client that signed in.
    """

    id: str
    key: str
    csrf: str
    expires: float
    created: str = ""
    address: str = ""


class WebSessions:
    """The current sessions, in memory only: a restart ends them.

    Args:
        idle: seconds after which an unused session ends; 0 for no such limit.
        clock: monotonic time in seconds.
    """

    def __init__(self, *, idle: float = IDLE, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle = idle
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, WebSession] = OrderedDict()
        self._used: dict[str, float] = {}

    def start(self, key: str, address: str = "") -> tuple[str, WebSession]:
        """Start a session for a key id; return its cookie and the session."""
        cookie, now = secrets.token_urlsafe(32), self._clock()
        created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        csrf = secrets.token_urlsafe(32)
        made = WebSession(secrets.token_hex(8), key, csrf, now + LIFETIME, created, address)
        with self._lock:
            self._sessions[cookie] = made
            self._used[cookie] = now
            while len(self._sessions) > _MAX_SESSIONS:
                self._drop(next(iter(self._sessions)))
        return cookie, made

    def find(self, cookie: str) -> WebSession | None:
        """Return the session of a cookie, which is now used; None if there is none or it ended."""
        with self._lock:
            found = self._sessions.get(cookie)
            if found is None:
                return None
            if self._is_over(cookie, found):
                self._drop(cookie)
                return None
            self._used[cookie] = self._clock()
            return found

    def all(self) -> list[tuple[WebSession, float]]:
        """Return the current sessions, latest first, with the seconds since each was used."""
        with self._lock:
            for cookie, found in list(self._sessions.items()):
                if self._is_over(cookie, found):
                    self._drop(cookie)
            now = self._clock()
            rows = [(found, now - self._used[cookie]) for cookie, found in self._sessions.items()]
        return rows[::-1]

    def end(self, cookie: str) -> None:
        """End the session of a cookie."""
        with self._lock:
            self._drop(cookie)

    def end_by_id(self, session: str) -> None:
        """End the session with an id."""
        with self._lock:
            for cookie, found in list(self._sessions.items()):
                if found.id == session:
                    self._drop(cookie)

    def _is_over(self, cookie: str, session: WebSession) -> bool:
        now = self._clock()
        return session.expires < now or bool(self._idle and self._used[cookie] + self._idle < now)

    def _drop(self, cookie: str) -> None:
        self._sessions.pop(cookie, None)
        self._used.pop(cookie, None)


def cookie_name(scheme: str) -> str:
    """Return the name of the session cookie for requests by `http` or `https`."""
    return SECURE_COOKIE if scheme == "https" else COOKIE


def is_csrf_token(session: WebSession, token: str) -> bool:
    """Return whether a token is the session's CSRF token, in constant time."""
    return hmac.compare_digest(session.csrf.encode(), token.encode())
