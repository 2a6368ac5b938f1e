"""Reduce photos that are already in memory: what enters a graph is of bounded size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.photo.bands import upright_rgb
from mien.photo.memory import LARGE_PHOTO
from mien.photo.wanted_size import WantedSize
from mien.types import Photo


def reduced(photo: Photo, wanted: WantedSize) -> Photo:
    """Return a large photo at the size that is wanted; any other unchanged."""
    factor = wanted.factor((photo.width, photo.height))
    if factor == 1:
        return photo
    pixels = reduced_pixels(photo.pixels, factor)
    return Photo(pixels, photo.sha256, photo.name, photo.scale / factor)


def reduced_pixels(pixels: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Return (H, W, 3) pixels with the sides divided by `factor`, rounded up."""

    def cut(start: int, end: int) -> Image.Image:
        return Image.fromarray(np.ascontiguousarray(pixels[start:end]))

    return upright_rgb((pixels.shape[1], pixels.shape[0]), cut, factor=factor)


def at_moderate_size(
    photo: Photo, points: NDArray[np.float32]
) -> tuple[Photo, NDArray[np.float32]]:
    """Return a photo of at most LARGE_PHOTO pixels, and positions in it.

    Args:
        photo: any photo; one with more pixels is reduced.
        points: (..., 2) float32 x, y in pixels of `photo`; positions are pixel centres.
    """
    small = reduced(photo, WantedSize(max_pixels=LARGE_PHOTO))
    if small is photo:
        return photo, points
    factor = photo.scale / small.scale
    return small, ((points + 0.5) / factor - 0.5).astype(np.float32)
