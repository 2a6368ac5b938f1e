"""How much a request may ask for, and how fast requests may come."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from mien.errors import TooManyRequests


@dataclass(frozen=True, slots=True)
class Limits:
    """What keeps one client from taking the whole machine.

    Attributes:
        body: bytes of a request.
        upload: bytes of a request that brings photos to train on.
        held: bytes of all requests' bodies in memory at once.
        photos: files in a request.
        uploads: files in a request that brings photos to train on.
        faces: of a photo, best first; the others are passed over.
        waiting: photos that may wait to be looked at.
        batch: photos whose faces are embedded together at most.
        window: seconds that a photo waits for others to be embedded with, where no worker is idle.
        seconds: that a photo may wait and be looked at, and that a body may take to arrive.
        slowest: bytes a second of a body: what has come buys the rest more time, so that a large
            one may take longer, and one that trickles is not waited for.
        per_second: requests of one key (without keys: of one address); 0 for any number.
        burst: requests that may come at once above that.
        jobs: trainings that may wait.
    """

    body: int = 32 << 20
    upload: int = 512 << 20
    held: int = 1 << 30
    photos: int = 32
    uploads: int = 20_000
    faces: int = 100
    waiting: int = 64
    batch: int = 4
    window: float = 0.002
    seconds: float = 30.0
    slowest: int = 16 << 10
    per_second: float = 0.0
    burst: int = 60
    jobs: int = 8


class RateLimiter:
    """A bucket of tokens for each name: `burst` at once, refilled at `per_second`.

    Args:
        per_second: tokens a second; 0 lets everything through.
        burst: what a bucket holds.
        clock: seconds, rising.
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

    def take(self, name: str) -> None:
        """Take a token of `name`.

        Raises:
            TooManyRequests: there is none; `hint` says how many seconds to wait.
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
            f"more than {self._rate:g} requests a second", hint=f"Ask again in {seconds} s."
        )

    def empty(self, name: str) -> bool:
        """Return whether `name` has no token left, without taking one."""
        with self._lock:
            return bool(self._rate) and self._left(name) < 1

    def _left(self, name: str) -> float:
        now = self._clock()
        left, then = self._buckets.get(name, (float(self._burst), now))
        return min(float(self._burst), left + (now - then) * self._rate)

    def _put(self, name: str, left: float) -> None:
        self._buckets[name] = left, self._clock()
        self._buckets.move_to_end(name)
        while len(self._buckets) > self._NAMES:
            self._buckets.popitem(last=False)
