"""Convert pictures of all modes that Pillow decodes to 8-bit RGB."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_GREY_BEYOND_8_BITS = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I", "F"})

_READABLE = frozenset(
    {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"}
)

_WHITE_IS_ZERO = 262, 0
"""TIFF's tag PhotometricInterpretation, and its value for "zero is white"."""


class UnreadableColours(ValueError):
    """A picture is in a colour space that cannot be converted."""


def to_rgb(picture: Image.Image) -> NDArray[np.uint8]:
    """Return a decoded picture as (H, W, 3) uint8 RGB.

    Transparent pixels become white. Where a colour profile is embedded and fits the picture,
    colours are converted to sRGB; a broken or unsuitable profile is ignored, since faces are
    recognised without it.

    Raises:
        UnreadableColours: the picture is in a colour space such as CIELAB.
    """
    profile = picture.info.get("icc_profile")
    if picture.mode in _GREY_BEYOND_8_BITS:
        picture = _to_8_bits(picture)
    if picture.mode not in _READABLE:
        raise UnreadableColours(f"its colours are in {picture.mode}")
    if picture.has_transparency_data:
        picture = _over_white(picture)
    elif picture.mode not in {"L", "CMYK"}:
        picture = picture.convert("RGB")
    if profile:
        picture = _to_srgb(picture, profile)
    return np.ascontiguousarray(np.asarray(picture.convert("RGB"), np.uint8))


def _over_white(picture: Image.Image) -> Image.Image:
    if picture.mode == "La":
        picture = picture.convert("LA")
    above = picture.convert("RGBA")
    paper = Image.new("RGB", above.size, (255, 255, 255))
    paper.paste(above, mask=above.getchannel("A"))
    return paper


def _to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """Return an RGB, grey or CMYK picture in sRGB, or unchanged where the profile does not fit."""
    try:
        embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if picture.mode == "RGB" and "srgb" in ImageCms.getProfileDescription(embedded).lower():
            return picture
        converted = ImageCms.profileToProfile(
            picture, embedded, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, struct.error):
        return picture
    return converted or picture


def _to_8_bits(picture: Image.Image) -> Image.Image:
    """Return a grey picture of 16-bit or 32-bit integers, or of floats, with 8 bits per pixel.

    Integers are assumed to have a maximum of 65535. Floats are assumed to have a maximum of 1, 255
    or 65535: the least of these that no value exceeds. Higher values are scaled to their maximum.
    """
    values = np.nan_to_num(np.asarray(picture, np.float32), nan=0, posinf=0, neginf=0)
    ceilings = [1.0, 255.0, 65535.0] if picture.mode == "F" else [65535.0]
    highest = float(values.max(initial=0))
    ceiling = next((ceiling for ceiling in ceilings if highest <= ceiling), highest)
    grey = np.clip(np.rint(values * (255 / ceiling)), 0, 255).astype(np.uint8)
    tags: Any = getattr(picture, "tag_v2", {})
    tag, white_is_zero = _WHITE_IS_ZERO
    # Pillow inverts such pictures itself where they have at most 8 bits.
    return Image.fromarray(255 - grey if tags.get(tag) == white_is_zero else grey)
