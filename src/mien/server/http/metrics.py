"""Numbers for Prometheus: what was asked, how long it took, what waits. No names, no photos."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The numbers of one app."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._seconds = Histogram(
            "mien_request_seconds", "Time to answer.", ("route",), buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self._answers = Counter(
            "mien_answers", "Requests answered.", ("method", "route", "status"),
            registry=self._registry,
        )  # fmt: skip
        self._photos = Counter("mien_photos", "Photos looked at.", registry=self._registry)
        self._faces = Counter("mien_faces", "Faces embedded.", registry=self._registry)
        self._batch = Histogram(
            "mien_batch_photos", "Photos whose faces were embedded together.",
            buckets=(1, 2, 3, 4, 6, 8, 16), registry=self._registry,
        )  # fmt: skip

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        known = method if method in _METHODS else "other"
        self._seconds.labels(route).observe(seconds)
        self._answers.labels(known, route, str(status)).inc()

    def looked(self, photos: int, faces: int) -> None:
        """Count a batch."""
        self._photos.inc(photos)
        self._faces.inc(faces)
        self._batch.observe(photos)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Have a number read whenever somebody asks."""
        Gauge(name, text, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """Return them in Prometheus' text format."""
        return generate_latest(self._registry)
