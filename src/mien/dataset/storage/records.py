"""What is known of a photo and of each face in it once it has been looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.quality import Quality

THUMB_SIDE = 32
"""Side of the small grey copies of photos and crops that near-duplicates are told by."""


@dataclass(frozen=True, slots=True)
class MarginCrop:
    """How the original course cut its crops: the box and a margin, squeezed to a square.

    Attributes:
        margin: pixels of the full photo added to the box's width and height, half on each side.
        size: side of the crop in pixels.
    """

    margin: int
    size: int

    def __post_init__(self) -> None:
        if not (0 <= self.margin <= 10_000 and 16 <= self.size <= 2048):
            raise ValueError("the margin is 0 to 10000 pixels and the size 16 to 2048")

    @property
    def name(self) -> str:
        """Name of the folder for these crops."""
        return f"crops-margin{self.margin}-{self.size}"


@dataclass(frozen=True, slots=True, eq=False)
class FaceRecord:
    """One face of a photo; coordinates in pixels of the full upright photo.

    Attributes:
        box: xyxy.
        points: five (x, y).
        score: of the detector.
        quality: of the face's picture.
        embedding: (D,) float32, unit length.
        mirrored: (D,) float32, unit length, of the mirrored crop.
        crop: the aligned crop as JPEG.
        thumb: (32, 32) uint8, the crop in grey and small.
        margin_crop: the crop that was asked for besides, as JPEG; empty where none was.
    """

    box: tuple[float, ...]
    points: tuple[tuple[float, float], ...]
    score: float
    quality: Quality
    embedding: NDArray[np.float32]
    mirrored: NDArray[np.float32]
    crop: bytes
    thumb: NDArray[np.uint8]
    margin_crop: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoRecord:
    """A photo that was looked at.

    Attributes:
        sha256: of its bytes.
        width: of the full upright photo.
        height: of the full upright photo.
        thumb: (32, 32) uint8, the whole photo in grey, small and squeezed to a square.
        faces: best score first.
    """

    sha256: str
    width: int
    height: int
    thumb: NDArray[np.uint8]
    faces: tuple[FaceRecord, ...]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A photo at one place in one source.

    Attributes:
        source: label.
        person: name after merging.
        photo: path in the source.
        sha256: of its bytes; empty when they could not be had.
        error: why it could not be used; empty when it could.
    """

    source: str
    person: str
    photo: str
    sha256: str
    error: str
