"""Value types: the faces extracted from a photo, and where a photo occurs."""

from __future__ import annotations

from dataclasses import dataclass
from operator import index

import numpy as np
from numpy.typing import NDArray

from mien.quality import Quality

THUMB_SIDE = 32
"""Side in pixels of the grey copies of photos and crops by which near-duplicates are found."""


@dataclass(frozen=True, slots=True)
class MarginCrop:
    """Unaligned crops as in the original course: the box and a margin, resized to a square.

    Attributes:
        margin: pixels of the full photo added to the box's width and height, half on each side;
            0 to 10000.
        size: side of the crop in pixels; 16 to 2048.

    Raises:
        ValueError: a value is out of range.
    """

    margin: int
    size: int

    def __post_init__(self) -> None:
        if not (0 <= self.margin <= 10_000 and 16 <= self.size <= 2048):
            raise ValueError("the margin is 0 to 10000 pixels and the size 16 to 2048")
        # Stored as JSON, which has no NumPy numbers.
        object.__setattr__(self, "margin", index(self.margin))
        object.__setattr__(self, "size", index(self.size))

    @property
    def name(self) -> str:
        """Name of these crops' folder."""
        return f"crops-margin{self.margin}-{self.size}"


@dataclass(frozen=True, slots=True, eq=False)
class FaceRecord:
    """One face of a photo; coordinates in pixels of the full upright photo.

    Attributes:
        box: xyxy.
        points: five (x, y).
        score: detection score in [0, 1].
        quality: size, blur and yaw.
        embedding: (D,) float32, unit length.
        mirrored: (D,) float32, unit length, of the mirrored crop.
        crop: the aligned crop as JPEG; empty in records read from the ledger.
        thumb: (32, 32) uint8, small grey copy of the crop.
        margin_crop: the crop with a margin as JPEG; empty where none was requested.
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
    """The faces of one photo.

    Attributes:
        sha256: hex digest of the photo's bytes.
        width: of the full upright photo in pixels.
        height: of the full upright photo in pixels.
        thumb: (32, 32) uint8, small grey copy of the whole photo, resized to a square.
        faces: highest score first.
    """

    sha256: str
    width: int
    height: int
    thumb: NDArray[np.uint8]
    faces: tuple[FaceRecord, ...]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A photo at one path in one source.

    Attributes:
        source: label of the source.
        person: name, with the spelling that all sources share.
        photo: path in the source.
        sha256: hex digest of its bytes; empty where they could not be read.
        error: why it could not be used; empty where it could.
    """

    source: str
    person: str
    photo: str
    sha256: str
    error: str
