"""Limits on requests: size, number of files, time, and requests per second."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from mien.errors import TooManyRequests
from mien.request_limits import MAX_BODY, MAX_PHOTOS


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that keep one client from using the whole machine.

    Attributes:
        body: bytes per request.
        json: bytes of a JSON body.
        upload: bytes per request with training photos.
        held: bytes of all request bodies in memory together.
        photos: files per request.
        uploads: files per request with training photos.
        faces: faces per photo, most certain first; further ones are ignored.
        waiting: photos in the queue.
        batch: photos whose faces are embedded together.
        window: seconds that a photo waits for others to fill a batch if no worker is idle.
        seconds: time for a photo in the queue and in processing, and for a body to arrive.
        slowest: lowest rate of a body in bytes per second: received bytes extend the time limit,
            so that a large body may take longer and a trickling one is rejected.
        per_second: requests per second and key (without keys: per address); 0 for no limit.
        burst: requests allowed at once above that rate.
        jobs: training jobs in the queue.
        streams: event streams open at once.
        streams_each: event streams open at once per key (without keys: per address).
    """

    body: int = MAX_BODY
    json: int = 64 << 10
    upload: int = 512 << 20
    held: int = 1 << 30
    photos: int = MAX_PHOTOS
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
    streams: int = 256
    streams_each: int = 32


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
