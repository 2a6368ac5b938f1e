"""Convert a decoded picture to upright RGB band by band: no second copy of it is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.photo.colours import Colours

_BAND = 2 << 20
"""Pixels of a band. A picture with fewer is converted whole."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation: operation that makes the picture upright."""

_SIDEWAYS = frozenset({5, 6, 7, 8})
"""Orientations that make columns of rows."""

_FROM_THE_END = frozenset({3, 4, 6, 7})
"""Orientations in which the first row of the file is the last row or column of the photo."""

Cut = Callable[[int, int], Image.Image]
"""Returns the rows of a picture from one to before another."""


def rows_of(picture: Image.Image) -> Cut:
    """Return what cuts bands out of a loaded picture."""

    def cut(start: int, end: int) -> Image.Image:
        if (start, end) == (0, picture.height):
            return picture
        return picture.crop((0, start, picture.width, end))

    return cut


def upright_rgb(
    size: tuple[int, int],
    cut: Cut,
    *,
    orientation: int = 1,
    factor: int = 1,
    inverted: bool = False,
) -> NDArray[np.uint8]:
    """Return a picture as (H, W, 3) uint8 RGB, upright.

    Args:
        size: width and height as stored.
        cut: returns bands of it.
        orientation: of EXIF; a value that is none of 2 to 8 means upright.
        factor: each pixel of the result is the mean of this many by this many; at the right and
            lower edge of fewer.
        inverted: white is zero, where it has more than 8 bits.

    Raises:
        UnreadableColours: its colours cannot be converted.
    """
    width, height = size
    step = max(1, _BAND // width // factor) * factor
    starts = range(0, height, step)

    def bands() -> Iterator[Image.Image]:
        return (cut(start, min(start + step, height)) for start in starts)

    colours = Colours(cut(0, min(step, height)), bands, inverted=inverted)
    turn = _TURNS.get(orientation)

    def converted(band: Image.Image) -> NDArray[np.uint8]:
        rgb = colours.rgb(band)
        if factor > 1:
            rgb = rgb.reduce(factor)
        return np.asarray(rgb if turn is None else rgb.transpose(turn), np.uint8)

    if len(starts) == 1:
        return np.ascontiguousarray(converted(cut(0, height)))
    small = -(-height // factor), -(-width // factor)
    pixels = np.empty((*(small[::-1] if orientation in _SIDEWAYS else small), 3), np.uint8)
    for number, band in enumerate(bands()):
        part = converted(band)
        _place(pixels, part, number * (step // factor), orientation)
    return pixels


def _place(
    pixels: NDArray[np.uint8], part: NDArray[np.uint8], start: int, orientation: int
) -> None:
    """Write a turned band to where its first row, `start` in the file's order, belongs."""
    axis = int(orientation in _SIDEWAYS)
    length = part.shape[axis]
    if orientation in _FROM_THE_END:
        start = pixels.shape[axis] - start - length
    where = slice(start, start + length)
    if axis:
        pixels[:, where] = part
    else:
        pixels[where] = part
