"""deepface with YuNet and SFace, as its README represents and compares faces."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from deepface import DeepFace
from numpy.typing import NDArray

COSINE = 1 - 0.593
"""Its own threshold for SFace."""


class Pipeline:
    """`represent` for faces and embeddings; the nearest person within its threshold is named."""

    metric = "cosine"
    dimension = 128

    def __init__(self, weights: Path, threads: int) -> None:
        del weights  # it looks for them in DEEPFACE_HOME
        if threads:
            cv2.setNumThreads(threads)
        self._enrolled = np.zeros((1, self.dimension), np.float32)

    def versions(self) -> dict[str, str]:
        """Return the versions of what is run."""
        return {"deepface": importlib.metadata.version("deepface"), "opencv": cv2.__version__}

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """Return the photo, BGR."""
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)

    def detect(self, image: NDArray[np.uint8]) -> list[tuple[int, ...]]:
        """Return boxes, xyxy."""
        found = DeepFace.extract_faces(
            image, detector_backend="yunet", enforce_detection=False, align=False
        )
        return [_box(face) for face in found if face["confidence"] > 0]

    def faces(self, image: NDArray[np.uint8]) -> tuple[list[tuple[int, ...]], NDArray[Any]]:
        """Return boxes and embeddings of length 1."""
        found = DeepFace.represent(
            image,
            model_name="SFace",
            detector_backend="yunet",
            enforce_detection=False,
            l2_normalize=True,
        )
        # Where it finds no face it returns the whole photo as one, with confidence 0.
        found = [face for face in found if face["face_confidence"] > 0]
        vectors = np.array([face["embedding"] for face in found], np.float32)
        return [_box(face) for face in found], vectors.reshape(-1, self.dimension)

    def enrol(self, vectors: NDArray[Any]) -> None:
        """Enrol these people."""
        self._enrolled = np.ascontiguousarray(vectors, np.float32)

    def identify(self, image: NDArray[np.uint8]) -> list[int | None]:
        """Return the person named for each face, or None."""
        scores = self.faces(image)[1] @ self._enrolled.T
        return [int(row.argmax()) if row.max() >= COSINE else None for row in scores]


def _box(face: dict[str, Any]) -> tuple[int, ...]:
    area = face["facial_area"]
    return area["x"], area["y"], area["x"] + area["w"], area["y"] + area["h"]
