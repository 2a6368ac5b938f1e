"""Mien as its README uses it: a recognizer file that identifies photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mien
from mien.engine import Engine
from mien.photo import decode_photo
from mien.recognizer import Recognizer
from mien.types import Answer, Calibration, Head, Interval, Photo, Policy


class Pipeline:
    """One recognizer file; it has one person until `enrol` is called."""

    metric = "cosine"

    def __init__(self, weights: Path, threads: int) -> None:
        del weights  # its own store has them
        self._threads = threads
        self._engine = Engine.open(threads=threads)
        self.dimension = self._engine.dimension
        self.enrol(np.eye(1, self.dimension, dtype=np.float32))

    def versions(self) -> dict[str, str]:
        """Return the versions of what is run."""
        return {"mien": mien.__version__, "embedder": self._engine.embedder_card.id}

    def decode(self, data: bytes) -> Photo:
        """Return the photo."""
        return decode_photo(data, name="photo", long_side=self._engine.max_long_side)

    def detect(self, photo: Photo) -> NDArray[Any]:
        """Return boxes (F, 4), xyxy."""
        return self._engine.detect(photo).boxes / photo.scale

    def faces(self, photo: Photo) -> tuple[list[NDArray[Any]], NDArray[Any]]:
        """Return boxes and embeddings."""
        found = self._recognizer.identify(photo)
        vectors = np.array([face.embedding for face in found], np.float32)
        return [face.box for face in found], vectors.reshape(-1, self.dimension)

    def enrol(self, vectors: NDArray[Any]) -> None:
        """Make a recognizer that knows these people."""
        policy = Policy(0.36, 0.01, Interval(0.01, 0.0, 0.02), 0, supported=False, source="fixed")
        head = Head(
            kind="prototype",
            people=tuple(f"person {number}" for number in range(len(vectors))),
            prototypes=np.ascontiguousarray(vectors, np.float32),
            photos=np.ones(len(vectors), np.int64),
            contract=self._engine.contract,
            calibration=Calibration(20.0, -6.0),
            policy=policy,
        )
        self._recognizer = Recognizer.build(head, self._engine, threads=self._threads)

    def identify(self, photo: Photo) -> list[Answer]:
        """Return the answer for each face."""
        return [face.answer for face in self._recognizer.identify(photo)]
