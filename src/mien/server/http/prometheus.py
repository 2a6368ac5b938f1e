"""Prometheus metrics: requests, times, photos, batches, queue. No names and no photos."""

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
    """Metrics of one application."""

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
        self._photos = Counter("mien_photos", "Photos processed.", registry=self._registry)
        self._faces = Counter("mien_faces", "Faces embedded.", registry=self._registry)
        self._batch = Histogram(
            "mien_batch_photos", "Photos whose faces were embedded together.",
            buckets=(1, 2, 3, 4, 6, 8, 16), registry=self._registry,
        )  # fmt: skip

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        known = method if method in _METHODS else "other"
        self._seconds.labels(route).observe(seconds)
        self._answers.labels(known, route, str(status)).inc()

    def count_batch(self, photos: int, faces: int) -> None:
        """Count a batch of photos and its faces."""
        self._photos.inc(photos)
        self._faces.inc(faces)
        self._batch.observe(photos)

    def add_gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Add a gauge whose value is read on each scrape."""
        Gauge(name, text, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)
