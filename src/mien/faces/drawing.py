"""Draw boxes and names on a copy of a photo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mien.photo import PhotoSource, open_photo
from mien.types import Face, Photo
from mien.types.photos import image_html

_KNOWN = (22, 163, 74)
_UNKNOWN = (107, 114, 128)
_WHITE = (255, 255, 255)


@dataclass(frozen=True, slots=True, eq=False)
class PhotoFaces:
    """A photo with its faces, which a notebook shows with a box and a name on each.

    Attributes:
        photo: the photo.
        faces: its faces, in pixels of the full photo.
    """

    photo: Photo
    faces: tuple[Face, ...]

    def pixels(self) -> NDArray[np.uint8]:
        """Return the picture that a notebook shows, (H, W, 3) uint8 RGB at the photo's size."""
        return draw_faces(self.photo, self.faces)

    def __repr__(self) -> str:
        names = ", ".join(label(face) for face in self.faces) or "no faces"
        return f"<PhotoFaces {self.photo.name!r}: {names}>"

    def _repr_html_(self) -> str:
        """Return the photo with its faces as HTML for a notebook."""
        names = ", ".join(label(face) for face in self.faces) or "no faces"
        return image_html(self.pixels(), f"{self.photo.name}: {names}")


def show_faces(photo: PhotoSource, faces: Iterable[Face]) -> PhotoFaces:
    """Return a photo with its faces, which a notebook shows as a picture.

    Example:
        >>> mien.show_faces("party.jpg", recognizer.identify("party.jpg"))

    Args:
        photo: a photo in any form that `Recognizer.identify` takes.
        faces: its faces, as `Recognizer.identify` returns them.

    Raises:
        PhotoError: the photo cannot be read.
    """
    return PhotoFaces(open_photo(photo), tuple(faces))


def draw_faces(photo: PhotoSource, faces: Sequence[Face]) -> NDArray[np.uint8]:
    """Return a copy of the photo, (H, W, 3) uint8 RGB, with a box and a name on each face.

    Known people are green, with their probability; unknown faces are grey. Lines and letters
    grow with the photo.

    Args:
        photo: a photo in any form that `Recognizer.identify` takes.
        faces: its faces, in pixels of the full photo.

    Raises:
        PhotoError: the photo cannot be read.
    """
    photo = open_photo(photo)
    picture = Image.fromarray(photo.pixels)
    canvas = ImageDraw.Draw(picture)
    unit = max(photo.height, photo.width) / 1000
    font = ImageFont.load_default(size=max(12.0, 20 * unit))
    # The most probable last, so that its label is on top where faces are close.
    for face in sorted(faces, key=lambda face: face.probability):
        _draw_face(canvas, font, face, photo.scale, max(2, round(3 * unit)))
    return np.asarray(picture)


def label(face: Face) -> str:
    """Return the text for a face: name and probability, or "unknown"."""
    return "unknown" if face.name is None else f"{face.name} {face.probability:.0%}"


def _draw_face(
    canvas: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    face: Face,
    scale: float,
    line: int,
) -> None:
    colour = _UNKNOWN if face.name is None else _KNOWN
    left, top, right, bottom = (float(side) * scale for side in face.box)
    canvas.rounded_rectangle(
        (left, top, right, bottom), radius=4 * line, outline=colour, width=line
    )
    text = label(face)
    _, _, width, height = canvas.textbbox((0, 0), text, font=font)
    width, height = width + 4 * line, height + 3 * line
    # Below the face, or above where the photo ends.
    picture_width, picture_height = canvas.im.size
    at_top = bottom + height if bottom + height <= picture_height else max(top, height)
    at_left = min(max((left + right - width) / 2, 0), max(picture_width - width, 0))
    canvas.rounded_rectangle(
        (at_left, at_top - height, at_left + width, at_top), radius=3 * line, fill=colour
    )
    canvas.text((at_left + 2 * line, at_top - height + line), text, fill=_WHITE, font=font)
