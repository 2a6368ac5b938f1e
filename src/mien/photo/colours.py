"""Convert pictures of all modes that Pillow decodes to 8-bit RGB."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_GREY_BEYOND_8_BITS = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I", "F"})

_READABLE = frozenset(
    {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"}
)


class UnreadableColours(ValueError):
    """A picture is in a colour space that cannot be converted."""


class Colours:
    """How the colours of one picture become 8-bit RGB; each of its bands is converted alone.

    Transparent pixels become white. Where a colour profile is embedded and fits the picture,
    colours are converted to sRGB; a broken or unsuitable profile is ignored, since faces are
    recognised without it.

    Args:
        picture: a loaded picture, or a band of it with the same mode and `info`.
        bands: yields the whole picture in bands, for the highest value of one with more than 8
            bits; called only where it is needed.
        inverted: white is zero, where it has more than 8 bits; with fewer, Pillow inverts it.

    Raises:
        UnreadableColours: the picture is in a colour space such as CIELAB.
    """

    def __init__(
        self,
        picture: Image.Image,
        bands: Callable[[], Iterable[Image.Image]],
        *,
        inverted: bool = False,
    ) -> None:
        self._profile: bytes | None = picture.info.get("icc_profile")
        self._transforms: dict[str, ImageCms.ImageCmsTransform | None] = {}
        self._grey = picture.mode in _GREY_BEYOND_8_BITS
        if not self._grey and picture.mode not in _READABLE:
            raise UnreadableColours(f"its colours are in {picture.mode}")
        self._inverted = inverted
        self._ceiling = _ceiling(picture.mode, bands) if self._grey else 0.0

    def rgb(self, band: Image.Image) -> Image.Image:
        """Return a band of the picture as RGB."""
        if self._grey:
            band = self._to_8_bits(band)
        if band.has_transparency_data:
            band = _over_white(band)
        elif band.mode not in {"L", "CMYK"}:
            band = band.convert("RGB")
        if self._profile:
            band = self._to_srgb(band, self._profile)
        return band.convert("RGB")

    def _to_8_bits(self, band: Image.Image) -> Image.Image:
        values = _values(band)
        grey = np.clip(np.rint(values * (255 / self._ceiling)), 0, 255).astype(np.uint8)
        return Image.fromarray(255 - grey if self._inverted else grey)

    def _to_srgb(self, band: Image.Image, profile: bytes) -> Image.Image:
        """Return an RGB, grey or CMYK band in sRGB, or unchanged where the profile does not fit."""
        if band.mode not in self._transforms:
            self._transforms[band.mode] = _to_srgb_from(band.mode, profile)
        transform = self._transforms[band.mode]
        if transform is None:
            return band
        try:
            return transform.apply(band)
        except (OSError, ValueError, TypeError):
            return band


def _over_white(picture: Image.Image) -> Image.Image:
    if picture.mode == "La":
        picture = picture.convert("LA")
    above = picture.convert("RGBA")
    paper = Image.new("RGB", above.size, (255, 255, 255))
    paper.paste(above, mask=above.getchannel("A"))
    return paper


def _to_srgb_from(mode: str, profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """Return the transform to sRGB; None where the profile is sRGB or does not fit the mode."""
    try:
        embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if mode == "RGB" and "srgb" in ImageCms.getProfileDescription(embedded).lower():
            return None
        return ImageCms.buildTransform(embedded, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, struct.error):
        return None


def _values(band: Image.Image) -> NDArray[np.float32]:
    """Return the values of a grey band of more than 8 bits; 0 for what is no finite number."""
    return np.nan_to_num(np.asarray(band, np.float32), nan=0, posinf=0, neginf=0)


def _ceiling(mode: str, bands: Callable[[], Iterable[Image.Image]]) -> float:
    """Return the value that becomes white.

    Integers are assumed to have a maximum of 65535. Floats are assumed to have a maximum of 1, 255
    or 65535: the least of these that no value exceeds. Higher values are scaled to their maximum.
    """
    if mode not in {"I", "F"}:
        return 65535.0
    highest = max(float(_values(band).max(initial=0)) for band in bands())
    ceilings = [1.0, 255.0, 65535.0] if mode == "F" else [65535.0]
    return next((ceiling for ceiling in ceilings if highest <= ceiling), highest)
