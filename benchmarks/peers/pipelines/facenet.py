"""facenet-pytorch: MTCNN with its weights, InceptionResnetV1 with random ones."""

from __future__ import annotations

import importlib.metadata
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from facenet_pytorch import MTCNN, InceptionResnetV1
from numpy.typing import NDArray
from PIL import Image


class Pipeline:
    """As in its README: one MTCNN that keeps all faces, crops of 160 pixels, 512 dimensions."""

    metric = "cosine"
    dimension = 512

    def __init__(self, weights: Path, threads: int) -> None:
        del weights  # the wheel has MTCNN's; InceptionResnetV1's were not available
        if threads:
            torch.set_num_threads(threads)
        torch.manual_seed(0)
        self._mtcnn = MTCNN(image_size=160, margin=0, keep_all=True, device="cpu")
        self._network = InceptionResnetV1(pretrained=None).eval()
        self._enrolled = np.zeros((1, self.dimension), np.float32)

    def versions(self) -> dict[str, str]:
        """Return the versions of what is run."""
        names = ("facenet-pytorch", "torch", "torchvision")
        return {name: importlib.metadata.version(name) for name in names}

    def decode(self, data: bytes) -> Image.Image:
        """Return the photo."""
        return Image.open(io.BytesIO(data)).convert("RGB")

    def detect(self, image: Image.Image) -> NDArray[Any]:
        """Return boxes (F, 4), xyxy."""
        with torch.inference_mode():
            boxes, _ = self._mtcnn.detect(image)
        return np.zeros((0, 4)) if boxes is None else boxes

    def faces(self, image: Image.Image) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return boxes and embeddings."""
        boxes = self.detect(image)
        if not len(boxes):
            return boxes, np.zeros((0, self.dimension), np.float32)
        with torch.inference_mode():
            crops = self._mtcnn.extract(image, boxes, None)
            return boxes, self._network(crops).numpy()

    def enrol(self, vectors: NDArray[Any]) -> None:
        """Enrol these people."""
        self._enrolled = vectors.astype(np.float32)

    def identify(self, image: Image.Image) -> list[int]:
        """Return the most similar person for each face."""
        return [int(row.argmax()) for row in self.faces(image)[1] @ self._enrolled.T]
