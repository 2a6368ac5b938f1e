"""Copies of a crop: what happens to photos on their way through the web and through phones."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from mien.types import CROP_SIDE

Edit = Callable[[Image.Image, np.random.Generator], Image.Image]

_QUALITY = 75


def edited_copies(
    crop: NDArray[np.uint8], generator: np.random.Generator
) -> list[NDArray[np.uint8]]:
    """Return one copy of an aligned crop per kind in `EDITS`.

    Args:
        crop: (112, 112, 3) uint8 RGB.
        generator: of how strong each edit is.
    """
    picture = Image.fromarray(crop)
    return [np.asarray(edit(picture, generator)) for edit in EDITS.values()]


def _saved(picture: Image.Image, quality: int = _QUALITY) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def _resized(picture: Image.Image, share: float) -> Image.Image:
    side = round(CROP_SIDE * share)
    small = picture.resize((side, side), Image.Resampling.BOX)
    return _saved(small.resize(picture.size, Image.Resampling.BICUBIC))


def _cropped_differently(picture: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Shift, scale and turn the crop, as after detection on a photo that was cropped or turned."""
    scale, turn = generator.uniform(0.88, 1.12), np.radians(generator.uniform(-4, 4))
    right, down = generator.uniform(-4, 4, 2)
    cosine, sine = np.cos(turn) / scale, np.sin(turn) / scale
    middle = (CROP_SIDE - 1) / 2
    across = middle - middle * cosine + middle * sine + right
    along = middle - middle * sine - middle * cosine + down
    places = (cosine, -sine, across, sine, cosine, along)
    moved = picture.transform(
        picture.size, Image.Transform.AFFINE, places, Image.Resampling.BILINEAR
    )
    return _saved(moved)


EDITS: dict[str, Edit] = {
    "saved at JPEG quality 75": lambda picture, _: _saved(picture),
    "saved at JPEG quality 40": lambda picture, _: _saved(picture, 40),
    "at half the size": lambda picture, _: _resized(picture, 1 / 2),
    "at a third of the size": lambda picture, _: _resized(picture, 1 / 3),
    "at a quarter of the size": lambda picture, _: _resized(picture, 1 / 4),
    "in grey": lambda picture, _: picture.convert("L").convert("RGB"),
    "darker or brighter": lambda picture, generator: ImageEnhance.Brightness(picture).enhance(
        float(generator.uniform(0.6, 1.5))
    ),
    "mirrored": lambda picture, _: _saved(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    "cut in another way": _cropped_differently,
}
"""Kinds of copies, and the function that makes one of a crop."""
