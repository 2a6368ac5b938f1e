"""Limits on requests: size, number of files, time, and requests per second."""

from __future__ import annotations

from dataclasses import dataclass

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
        per_address: connections of one address (of IPv6: a /64 network) open at once, and its
            requests in progress, which is what counts behind a proxy; 0 for no limit.
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
    per_address: int = 320
    jobs: int = 8
    streams: int = 256
    streams_each: int = 32
