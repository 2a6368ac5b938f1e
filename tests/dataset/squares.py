"""Photos of coloured squares, and an engine that detects each square as a face.

For tests without weights. The high four bits of a colour are the person, the low four bits the
picture of that person. A black square is not a face.
"""

from __future__ import annotations

import io
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from mien.graph.detect import DetectionSettings
from mien.models.cards import DEFAULT_DETECTOR, DEFAULT_EMBEDDER, card
from mien.types import Detections, Embeddings

SIDE = 64
_POINTS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)


def person(number: int, shot: int = 0) -> tuple[int, int, int]:
    """Return the colour of a person's picture."""
    return (number % 15 + 1) * 16 + shot % 16, (number // 15 + 1) * 16 + shot // 16, 128


def photo_bytes(*colours: tuple[int, int, int]) -> bytes:
    row = np.repeat(np.array([colours or [(0, 0, 0)]], np.uint8), SIDE, axis=1)
    buffer = io.BytesIO()
    Image.fromarray(np.repeat(row, SIDE, axis=0)).save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, *colours: tuple[int, int, int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(photo_bytes(*colours))
    return path


def people_folder(root: Path, people: int = 3, photos: int = 4) -> Path:
    for i in range(people):
        for j in range(photos):
            write(root / f"Person_{i:02}" / f"{j:02}.png", person(i, j))
    return root


class SquareEngine:
    """A test engine in place of `mien.engine.Engine`; counts the photos it detects faces in."""

    def __init__(self, *, contract: str = "squares", seconds: float = 0.0) -> None:
        self.contract = contract
        self.settings = DetectionSettings()
        self.max_long_side = 1280
        self.detector_card = card(DEFAULT_DETECTOR)
        # It separates people as well as SFace, so its card has SFace's statistics.
        self.embedder_card = replace(card(DEFAULT_EMBEDDER), contracts=(contract,))
        self.photos_read = 0
        self._seconds = seconds

    def detect(self, photo):
        self.photos_read += 1
        time.sleep(self._seconds)
        found = [
            x for x in range(0, photo.width, SIDE) if photo.pixels[SIDE // 2, x + SIDE // 2].any()
        ]
        boxes = np.array([[x, 0, x + SIDE, SIDE] for x in found], np.float32).reshape(-1, 4)
        points = np.array([_POINTS * SIDE + [x, 0] for x in found], np.float32).reshape(-1, 5, 2)
        return Detections(boxes, points, np.full(len(found), 0.9, np.float32))

    def align(self, photo, detections):
        crops = []
        for left, *_ in detections.boxes.astype(int):
            colour = photo.pixels[SIDE // 2, left + SIDE // 2]
            noise = np.random.default_rng(colour.astype(int)).integers(0, 256, (112, 112, 3))
            crop = noise.astype(np.uint8)
            crop[0, 0] = crop[0, -1] = colour
            crops.append(crop)
        return np.array(crops, np.uint8).reshape(-1, 112, 112, 3)

    def embed(self, crops):
        vectors = []
        for crop in crops:
            who, shot = crop[0, 0].astype(int) // 16, crop[0, 0].astype(int)
            vector = np.random.default_rng(who).normal(size=128)
            vector = vector + 0.35 * np.random.default_rng(shot).normal(size=128)
            vectors.append(vector / np.linalg.norm(vector))
        return Embeddings(np.array(vectors, np.float32).reshape(-1, 128), self.contract)
