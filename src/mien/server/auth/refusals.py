"""Refused keys and roles for the audit trail, counted per address and minute.

The first refusal of a kind is recorded at once, the others of that minute as one number. A flood of
wrong keys adds few lines, from however many addresses it comes.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from mien.errors import TooManyRequests
from mien.request_limits import RateLimiter

_SECONDS = 60.0
_MAX_KINDS = 32
"""Refusals that are counted separately within a minute; further ones are counted together."""

_LINES_PER_DAY = 5000
"""Beyond this many lines per day on average, refusals are counted together."""

OTHER_ADDRESSES = "other addresses"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why requests were refused.

    Attributes:
        action: `key refused`, `role refused` or `token refused`.
        key: id of the key, if it is known.
        address: of the client; of IPv6 the /64 network.
        detail: method and route.
    """

    action: str
    key: str
    address: str
    detail: str = ""


class Refusals:
    """Counts refusals; thread-safe.

    Args:
        clock: monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lines = RateLimiter(_LINES_PER_DAY / 86_400, _LINES_PER_DAY, clock)
        self._since = clock()
        self._more: Counter[Refusal] = Counter()
        self._named: set[Refusal] = set()

    def add(self, refusal: Refusal) -> bool:
        """Count a refusal; return whether it is the first of its kind, to be recorded at once."""
        with self._lock:
            if not self._named and not self._more:
                self._since = self._clock()
            if refusal in self._named:
                self._more[refusal] += 1
                return False
            if len(self._named) < _MAX_KINDS and self._has_line():
                self._named.add(refusal)
                return True
            self._more[Refusal(refusal.action, "", OTHER_ADDRESSES)] += 1
            return False

    def due(self, *, now: bool = False) -> list[tuple[Refusal, int]]:
        """Return the further refusals of the last minute and their numbers, once it has ended.

        Args:
            now: return them before it has ended.
        """
        with self._lock:
            if not now and self._clock() - self._since < _SECONDS:
                return []
            found = list(self._more.items())
            self._since = self._clock()
            self._more.clear()
            self._named.clear()
            return found

    def _has_line(self) -> bool:
        try:
            self._lines.take("")
        except TooManyRequests:
            return False
        return True
