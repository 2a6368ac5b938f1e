"""Photos, the faces found in them, and their embeddings."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.types.arrays import read_only

ALIGNMENT = "arcface-112-lsq-s2"
"""Version of the alignment, part of the contract id: it changes when crops change."""

PORTRAIT_SIDE = 600
"""Default side of a portrait in pixels."""

CROP_SIDE = 112
"""Side of an aligned crop in pixels, the size that ArcFace-aligned embedders take."""

POINT_NAMES = ("right eye", "left eye", "nose tip", "right mouth corner", "left mouth corner")
"""The five points in their order; right and left are the pictured person's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """An upright photo.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, EXIF orientation applied.
        sha256: hex digest of the file's bytes; of `pixels` where there was no file.
        name: path, or member of an archive, for messages.
        scale: side of `pixels` over the side of the full photo; below 1 where a large JPEG
            was decoded at reduced size. Divide by it to get coordinates of the full photo.
    """

    pixels: NDArray[np.uint8]
    sha256: str
    name: str
    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", read_only(self.pixels, np.uint8, (None, None, 3)))
        if not self.pixels.size:
            raise ValueError("a photo has at least one pixel")
        if not 0 < self.scale <= 1:
            raise ValueError(f"scale must be in (0, 1], got {self.scale}")

    @property
    def height(self) -> int:
        """Height of `pixels`."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Width of `pixels`."""
        return int(self.pixels.shape[1])

    def __repr__(self) -> str:
        reduced = "" if self.scale == 1 else f", scale {self.scale:g}"
        return f"<Photo {self.name!r} {self.width} x {self.height}{reduced}>"

    def _repr_html_(self) -> str:
        """Return the photo as HTML for a notebook."""
        return image_html(self.pixels, self.name)


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The faces found in a photo, best score first. F = 0 where none is found.

    Attributes:
        boxes: (F, 4) float32 xyxy in pixels of `Photo.pixels`; may reach over its edges.
        points: (F, 5, 2) float32 x, y in the order of `POINT_NAMES`.
        scores: (F,) float32 in [0, 1].
    """

    boxes: NDArray[np.float32]
    points: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        count = len(self.scores)
        object.__setattr__(self, "boxes", read_only(self.boxes, np.float32, (count, 4)))
        object.__setattr__(self, "points", read_only(self.points, np.float32, (count, 5, 2)))
        object.__setattr__(self, "scores", read_only(self.scores, np.float32, (count,)))

    def __len__(self) -> int:
        return len(self.scores)

    def largest(self) -> int:
        """Return the index of the face with the largest box; raises ValueError when F = 0."""
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        return int(np.argmax(sides[:, 0] * sides[:, 1]))

    def take(self, rows: slice) -> Detections:
        """Return some of the faces."""
        return Detections(self.boxes[rows], self.points[rows], self.scores[rows])

    def __repr__(self) -> str:
        scores = ", ".join(f"{score:.2f}" for score in self.scores[:3])
        more = ", ..." if len(self) > 3 else ""
        return f"<Detections {_faces(len(self))}{': ' if scores else ''}{scores}{more}>"


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Feature vectors of faces: unit rows.

    Attributes:
        vectors: (F, D) float32, rows of length 1.
        contract: hash of weights, preprocessing and dimension. Embeddings of different contracts
            must not be compared.
    """

    vectors: NDArray[np.float32]
    contract: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", read_only(self.vectors, np.float32, (None, None)))
        lengths = np.linalg.norm(self.vectors, axis=1)
        if not np.allclose(lengths, 1, atol=1e-3):
            raise ValueError("embeddings must be unit rows")

    def __len__(self) -> int:
        return len(self.vectors)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return iter(self.vectors)

    def __repr__(self) -> str:
        count, dimension = self.vectors.shape
        return f"<Embeddings {count} x {dimension}, contract {self.contract}>"


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedPhoto:
    """A photo with its F faces, before they are compared with people.

    Attributes:
        photo: the photo.
        detections: its faces, in pixels of `photo.pixels`.
        crops: (F, 112, 112, 3) uint8 RGB, aligned.
        embeddings: of the crops, F rows.
    """

    photo: Photo
    detections: Detections
    crops: NDArray[np.uint8]
    embeddings: Embeddings

    def __repr__(self) -> str:
        faces = _faces(len(self.detections))
        return f"<EmbeddedPhoto {self.photo.name!r} {faces}, contract {self.embeddings.contract}>"


_SHOWN_SIDE = 800
"""Largest side in pixels of a picture in a notebook."""


def image_html(pixels: NDArray[np.uint8], description: str) -> str:
    """Return an HTML `img` element with (H, W, 3) uint8 RGB pixels in it, reduced to fit a page.

    Args:
        pixels: of the picture.
        description: for readers who cannot see it.
    """
    # Needed in notebooks only.
    from PIL import Image  # noqa: PLC0415

    picture = Image.fromarray(pixels)
    picture.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    code = base64.b64encode(buffer.getvalue()).decode()
    return f'<img src="data:image/jpeg;base64,{code}" alt="{html.escape(description)}">'


def _faces(count: int) -> str:
    return f"{count} face" if count == 1 else f"{count} faces"
