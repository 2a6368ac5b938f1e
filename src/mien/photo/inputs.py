"""Photos in whatever form a caller has them: path, bytes, array, PIL image."""

from __future__ import annotations

import hashlib
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.errors import UnsupportedPhoto
from mien.photo.decoding import check_size, decode_photo, pixels_of, read_photo
from mien.types import Photo

PhotoSource = str | PathLike[str] | bytes | NDArray[Any] | Image.Image | Photo
"""What a call that wants a photo takes."""


def open_photo(source: PhotoSource, *, name: str = "photo", long_side: int | None = None) -> Photo:
    """Return the photo that a caller gives in any of the usual forms.

    Args:
        source: a path, the bytes of an image file, a (H, W, 3) uint8 RGB array, a PIL image, or
            a `Photo`, which is returned as it is. EXIF orientation is applied to all but arrays,
            which have none, and other modes of a PIL image are turned to RGB.
        name: what to call it in messages, where it has no path.
        long_side: as for `decode_photo`; has no effect on arrays and PIL images.

    Raises:
        PhotoError: it cannot be read, or is an array of another shape or type.
    """
    if isinstance(source, Photo):
        return source
    if isinstance(source, bytes | bytearray | memoryview):
        return decode_photo(bytes(source), name=name, long_side=long_side)
    if isinstance(source, np.ndarray):
        return _of_array(source, name)
    if isinstance(source, Image.Image):
        pixels = pixels_of(source, name)
        return Photo(pixels, hashlib.sha256(pixels.tobytes()).hexdigest(), name)
    if isinstance(source, str | PathLike):
        return read_photo(source, long_side=long_side)
    raise UnsupportedPhoto(
        f"{name}: {type(source).__name__} is no photo",
        hint="Give a path, the bytes of an image file, a NumPy array or a PIL image.",
    )


def _of_array(array: NDArray[Any], name: str) -> Photo:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise UnsupportedPhoto(
            f"{name}: an array of shape {array.shape} and type {array.dtype} is no photo",
            hint=_wanted(array),
        )
    check_size((array.shape[1], array.shape[0]), name)
    pixels = np.ascontiguousarray(array).copy()
    return Photo(pixels, hashlib.sha256(pixels.tobytes()).hexdigest(), name)


def _wanted(array: NDArray[Any]) -> str:
    """Return how to turn an array into what is wanted: (H, W, 3) uint8 in the order RGB."""
    wanted = "Give an array of shape (height, width, 3), type uint8, in the order red, green, blue"
    if array.dtype != np.uint8:
        return f"{wanted}; scale values in [0, 1] by 255 and convert: (255 * a).astype('uint8')."
    if array.ndim == 2:
        return f"{wanted}; of a grey picture: numpy.stack([a] * 3, axis=-1)."
    if array.ndim == 3 and array.shape[2] == 4:
        return f"{wanted}; of RGBA: a[:, :, :3], of OpenCV's BGRA: a[:, :, 2::-1]."
    return f"{wanted}."
