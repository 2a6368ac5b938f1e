"""WebSessions of the page: a cookie in place of a key, and a token against forged requests."""

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
"""Seconds."""

_MOST = 1000


@dataclass(frozen=True, slots=True)
class WebSession:
    """Somebody signed in.

    Attributes:
        key: id of the key that was given.
        csrf: what requests that change something must carry in a header.
        ends: by the clock.
    """

    key: str
    csrf: str
    ends: float


class WebSessions:
    """Those signed in, in memory only: after a restart everybody signs in again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: OrderedDict[str, WebSession] = OrderedDict()

    def start(self, key: str) -> tuple[str, WebSession]:
        """Return a new cookie for a key and its session."""
        cookie = secrets.token_urlsafe(32)
        made = WebSession(key, secrets.token_urlsafe(32), self._clock() + LIFETIME)
        with self._lock:
            self._open[cookie] = made
            while len(self._open) > _MOST:
                self._open.popitem(last=False)
        return cookie, made

    def find(self, cookie: str) -> WebSession | None:
        """Return the session of a cookie, None where it has ended."""
        with self._lock:
            found = self._open.get(cookie)
            if found and found.ends < self._clock():
                del self._open[cookie]
                return None
            return found

    def end(self, cookie: str) -> None:
        """Sign out."""
        with self._lock:
            self._open.pop(cookie, None)


def carries(session: WebSession, token: str) -> bool:
    """Return whether a token is the session's, in constant time."""
    return hmac.compare_digest(session.csrf.encode(), token.encode())
