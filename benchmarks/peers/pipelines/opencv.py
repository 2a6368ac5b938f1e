"""OpenCV's FaceDetectorYN and FaceRecognizerSF, as its tutorial uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

COSINE = 0.363
"""The threshold of the tutorial."""


class Pipeline:
    """A loop: detect at the photo's own size, align, embed, compare."""

    metric = "cosine"
    dimension = 128

    def __init__(self, weights: Path, threads: int) -> None:
        if threads:
            cv2.setNumThreads(threads)
        yunet = weights / "face_detection_yunet_2023mar.onnx"
        sface = weights / "face_recognition_sface_2021dec.onnx"
        # Score threshold and NMS threshold of the tutorial.
        self._detector = cv2.FaceDetectorYN.create(str(yunet), "", (320, 320), 0.9, 0.3, 5000)
        self._recognizer = cv2.FaceRecognizerSF.create(str(sface), "")
        self._enrolled = np.zeros((1, self.dimension), np.float32)

    def versions(self) -> dict[str, str]:
        """Return the versions of what is run."""
        return {"opencv": cv2.__version__}

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """Return the photo, BGR."""
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)

    def found(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the detector's output, one row per face."""
        self._detector.setInputSize((image.shape[1], image.shape[0]))
        rows = self._detector.detect(image)[1]
        return np.zeros((0, 15), np.float32) if rows is None else rows

    def detect(self, image: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """Return boxes, xyxy."""
        return [_box(row) for row in self.found(image)]

    def faces(self, image: NDArray[np.uint8]) -> tuple[list[NDArray[Any]], NDArray[Any]]:
        """Return boxes and embeddings of length 1."""
        rows = self.found(image)
        vectors = np.zeros((len(rows), self.dimension), np.float32)
        for vector, row in zip(vectors, rows, strict=True):
            feature = self._recognizer.feature(self._recognizer.alignCrop(image, row))[0]
            vector[:] = feature / np.linalg.norm(feature)
        return [_box(row) for row in rows], vectors

    def enrol(self, vectors: NDArray[Any]) -> None:
        """Enrol these people."""
        self._enrolled = np.ascontiguousarray(vectors, np.float32)

    def identify(self, image: NDArray[np.uint8]) -> list[int | None]:
        """Return the person named for each face, or None."""
        scores = self.faces(image)[1] @ self._enrolled.T
        return [int(row.argmax()) if row.max() >= COSINE else None for row in scores]


def _box(row: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([row[:2], row[:2] + row[2:4]])
