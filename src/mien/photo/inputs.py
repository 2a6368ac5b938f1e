"""Photos in the forms that callers have: path, bytes, array, PIL image."""

from __future__ import annotations

import hashlib
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.errors import UnsupportedPhoto
from mien.photo.decoding import decode_photo, pixels_of, read_photo
from mien.photo.moderate_size import reduced, reduced_pixels
from mien.photo.photo_limits import check_size
from mien.photo.wanted_size import WantedSize
from mien.types import Photo

PhotoSource = str | PathLike[str] | bytes | NDArray[Any] | Image.Image | Photo
"""The forms of a photo that public calls take."""


def open_photo(source: PhotoSource, *, name: str = "photo", long_side: int | None = None) -> Photo:
    """Return a photo that is given in any of the usual forms.

    Args:
        source: a path; the bytes of an image file; a (H, W, 3) uint8 RGB array, which is copied;
            a PIL image of any mode but CIELAB and HSV, at its current frame; or a `Photo`, which
            is returned unchanged unless it is large. EXIF orientation is applied to all but arrays,
            which have none.
        name: name for messages, where there is no path.
        long_side: as for `decode_photo`; also arrays, PIL images and photos of more than 26
            megapixels are reduced to 1/2, 1/4 or 1/8 where that is enough.

    Raises:
        PhotoError: it cannot be read, or is an array of another shape or dtype.
    """
    if isinstance(source, Photo):
        return reduced(source, WantedSize(long_side))
    if isinstance(source, bytes | bytearray | memoryview):
        return decode_photo(bytes(source), name=name, long_side=long_side)
    if isinstance(source, np.ndarray):
        return _photo_of_array(source, name, WantedSize(long_side))
    if isinstance(source, Image.Image):
        pixels, scale = pixels_of(source, name, long_side)
        return Photo(pixels, _digest(pixels), name, scale)
    if isinstance(source, str | PathLike):
        return read_photo(source, long_side=long_side)
    raise UnsupportedPhoto(
        f"{name}: a photo cannot be made of {type(source).__name__}",
        hint="Give a path, the bytes of an image file, a NumPy array or a PIL image.",
    )


def _photo_of_array(array: NDArray[Any], name: str, wanted: WantedSize) -> Photo:
    """Return an array as a photo.

    Its pixels are a contiguous copy, so that later changes of the array do not change the photo.
    """
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise UnsupportedPhoto(
            f"{name}: an array of shape {array.shape} and dtype {array.dtype} is not a photo",
            hint=_conversion(array),
        )
    size = array.shape[1], array.shape[0]
    check_size(size, name)
    factor = wanted.factor(size)
    if factor > 1:
        return Photo(reduced_pixels(array, factor), _digest(array), name, 1 / factor)
    pixels = np.array(array, np.uint8, order="C", copy=True, subok=False)
    return Photo(pixels, _digest(pixels), name)


def _digest(pixels: NDArray[np.uint8]) -> str:
    """Return the sha256 of pixels, without a copy of them all."""
    digest = hashlib.sha256()
    step = max(1, (1 << 20) // pixels[0].size)
    for start in range(0, len(pixels), step):
        digest.update(pixels[start : start + step].tobytes())
    return digest.hexdigest()


def _conversion(array: NDArray[Any]) -> str:
    """Return what is wanted, and how to get there from an array of another shape or dtype."""
    wanted = "Give an array of shape (height, width, 3), dtype uint8, in the order red, green, blue"
    if np.issubdtype(array.dtype, np.floating):
        advice = " Of values from 0 to 1: (255 * a).round().astype('uint8')."
    elif array.dtype != np.uint8:
        advice = " Of 16-bit values: (a // 257).astype('uint8')."
    elif array.ndim == 2:
        advice = " Of a grey picture: numpy.stack([a, a, a], axis=-1)."
    elif array.ndim == 3 and array.shape[2] == 4:
        advice = " Of RGBA: a[:, :, :3]; of OpenCV's BGRA: a[:, :, 2::-1]."
    elif array.ndim == 3 and array.shape[0] == 3:
        advice = " Of (3, height, width): a.transpose(1, 2, 0)."
    elif array.ndim == 4:
        advice = " Of a batch: one photo at a time."
    else:
        advice = ""
    return f"{wanted}.{advice}"
