"""Token buckets: so many requests per second of one name."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from mien.errors import TooManyRequests

WRONG_PER_SECOND, WRONG_BURST = 0.2, 10
"""Wrong keys per address; further ones are refused with status 429."""


class RateLimiter:
    """A token bucket per name: `burst` tokens, refilled at `per_second`.

    Args:
        per_second: tokens per second; 0 for no limit.
        burst: capacity of a bucket in tokens.
        clock: monotonic time in seconds.
    """

    _NAMES = 10_000

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = per_second
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, why: str = "") -> None:
        """Take a token of `name`.

        Args:
            name: a key's id or an address.
            why: says in the error what there is too much of; the rate if empty.

        Raises:
            TooManyRequests: no token is left; `hint` says how many seconds to wait.
        """
        if not self._rate:
            return
        with self._lock:
            left = self._left(name)
            if left >= 1:
                self._put(name, left - 1)
                return
        seconds = ceil((1 - left) / self._rate)
        raise TooManyRequests(
            why or f"more than {self._rate:g} requests a second", hint=f"Ask again in {seconds} s."
        )

    def _left(self, name: str) -> float:
        now = self._clock()
        left, then = self._buckets.get(name, (float(self._burst), now))
        return min(float(self._burst), left + (now - then) * self._rate)

    def _put(self, name: str, left: float) -> None:
        self._buckets[name] = left, self._clock()
        self._buckets.move_to_end(name)
        while len(self._buckets) > self._NAMES:
            self._buckets.popitem(last=False)
