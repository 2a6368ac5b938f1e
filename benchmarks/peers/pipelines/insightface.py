"""insightface's alignment and embedding code on SFace's file, behind OpenCV's FaceDetectorYN.

Its own detector and embedder are not in its wheel, and their weights were not available.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import insightface
import numpy as np
import onnxruntime
from insightface.app.common import Face
from insightface.model_zoo.arcface_onnx import ArcFaceONNX
from numpy.typing import NDArray


class Pipeline:
    """Detection by OpenCV, then `ArcFaceONNX.get` per face, as its FaceAnalysis calls it."""

    metric = "cosine"
    dimension = 128

    def __init__(self, weights: Path, threads: int) -> None:
        sface = str(weights / "face_recognition_sface_2021dec.onnx")
        yunet = str(weights / "face_detection_yunet_2023mar.onnx")
        if threads:
            cv2.setNumThreads(threads)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(sface, options, providers=["CPUExecutionProvider"])
        self._embedder = ArcFaceONNX(sface, session)
        self._detector = cv2.FaceDetectorYN.create(yunet, "", (320, 320), 0.9, 0.3, 5000)
        self._enrolled = np.zeros((1, self.dimension), np.float32)

    def versions(self) -> dict[str, str]:
        """Return the versions of what is run."""
        return {
            "insightface": insightface.__version__,
            "onnxruntime": onnxruntime.__version__,
            "opencv": cv2.__version__,
        }

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """Return the photo, BGR."""
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)

    def faces(self, image: NDArray[np.uint8]) -> tuple[list[NDArray[Any]], NDArray[Any]]:
        """Return boxes and embeddings."""
        self._detector.setInputSize((image.shape[1], image.shape[0]))
        rows = self._detector.detect(image)[1]
        boxes, vectors = [], []
        for row in [] if rows is None else rows:
            box = np.concatenate([row[:2], row[:2] + row[2:4]])
            face = Face(bbox=box, kps=row[4:14].reshape(5, 2), det_score=row[14])
            self._embedder.get(image, face)
            boxes.append(box)
            vectors.append(face.normed_embedding)
        return boxes, np.array(vectors, np.float32).reshape(-1, self.dimension)

    def enrol(self, vectors: NDArray[Any]) -> None:
        """Enrol these people."""
        self._enrolled = np.ascontiguousarray(vectors, np.float32)

    def identify(self, image: NDArray[np.uint8]) -> list[int]:
        """Return the most similar person for each face."""
        return [int(row.argmax()) for row in self.faces(image)[1] @ self._enrolled.T]
