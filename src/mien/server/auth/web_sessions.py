"""Web sessions of the page: a session cookie instead of a key, and a CSRF token."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

COOKIE = "mien_session"
CSRF_HEADER = "x-csrf-token"
LIFETIME = 12 * 3600
"""Lifetime of a session in seconds."""

_MAX_SESSIONS = 1000


@dataclass(frozen=True, slots=True)
class WebSession:
    """A signed-in browser.

    Attributes:
        key: id of the key used to sign in.
        csrf: token that requests with side effects must send in a header.
        expires: monotonic time in seconds.
    """

    key: str
    csrf: str
    expires: float


class WebSessions:
    """The current sessions, in memory only: a restart ends them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, WebSession] = OrderedDict()

    def start(self, key: str) -> tuple[str, WebSession]:
        """Start a session for a key id; return its cookie and the session."""
        cookie = secrets.token_urlsafe(32)
        made = WebSession(key, secrets.token_urlsafe(32), self._clock() + LIFETIME)
        with self._lock:
            self._sessions[cookie] = made
            while len(self._sessions) > _MAX_SESSIONS:
                self._sessions.popitem(last=False)
        return cookie, made

    def find(self, cookie: str) -> WebSession | None:
        """Return the session of a cookie; None if there is none or it has expired."""
        with self._lock:
            found = self._sessions.get(cookie)
            if found and found.expires < self._clock():
                del self._sessions[cookie]
                return None
            return found

    def end(self, cookie: str) -> None:
        """End the session of a cookie."""
        with self._lock:
            self._sessions.pop(cookie, None)


def is_csrf_token(session: WebSession, token: str) -> bool:
    """Return whether a token is the session's CSRF token, in constant time."""
    return hmac.compare_digest(session.csrf.encode(), token.encode())
