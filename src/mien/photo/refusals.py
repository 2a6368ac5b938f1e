"""The limits of photos, and the errors for photos beyond them."""

from __future__ import annotations

from typing import Final

from mien.errors import BrokenPhoto, PhotoTooLarge, UnsupportedPhoto
from mien.text import printable

MAX_BYTES: Final = 64 << 20
"""Largest file in bytes: 64 MiB."""

MAX_PIXELS: Final = 100_000_000
"""Largest picture in pixels: 100 megapixels."""

MAX_SIDE: Final = 100_000
"""Largest side of a picture in pixels; panoramas are shorter."""

MAX_DECODING: Final = 900 << 20
"""Largest memory in bytes that decoding one photo may take."""


def check_size(size: tuple[int, int], name: str) -> None:
    """Raise BrokenPhoto or PhotoTooLarge for a (width, height) outside the limits."""
    width, height = size
    if width < 1 or height < 1:
        raise BrokenPhoto(
            f"{printable(name)} has no pixels", hint="Copy the photo again from its source."
        )
    if width * height > MAX_PIXELS:
        raise too_many_pixels(name, f"{width} x {height} pixels")
    if max(size) > MAX_SIDE:
        raise BrokenPhoto(
            f"{printable(name)} has {width} x {height} pixels; no photo has a side of more than "
            f"{MAX_SIDE}",
            hint="Cut it into shorter pictures.",
        )


def check_memory(size: tuple[int, int], needed: int, name: str) -> None:
    """Raise PhotoTooLarge where decoding a picture needs too much memory.

    Args:
        size: width and height of the picture.
        needed: bytes.
        name: of the photo.
    """
    if needed > MAX_DECODING:
        width, height = size
        raise PhotoTooLarge(
            f"{printable(name)} has {width} x {height} pixels, stored in a way that takes "
            f"{needed >> 20} MiB to decode; the limit is {MAX_DECODING >> 20} MiB",
            hint="Export it as a plain JPEG, or at a smaller size.",
        )


def too_many_bytes(name: str) -> PhotoTooLarge:
    """Return the error for a file of more than MAX_BYTES."""
    return PhotoTooLarge(
        f"{printable(name)} is larger than {MAX_BYTES >> 20} MiB",
        hint="Export it as a smaller JPEG.",
    )


def too_many_pixels(name: str, what: str) -> PhotoTooLarge:
    """Return the error for a picture that has `what`, more than MAX_PIXELS."""
    return PhotoTooLarge(
        f"{printable(name)} has {what}; the limit is {MAX_PIXELS // 1_000_000} megapixels",
        hint="Export it at a smaller size.",
    )


def unsupported(name: str, what: str) -> UnsupportedPhoto:
    """Return the error for a file that is no photo but, perhaps, `what`."""
    seems = f": it seems to be {what}" if what else ""
    return UnsupportedPhoto(
        f"{printable(name)} is not a photo that Mien can read{seems}",
        hint="Mien reads JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF and BMP: export it as one of them.",
    )


def reason(error: Exception) -> str:
    """Return the first line of another library's error, printable."""
    text = str(error).strip()
    return printable(text.splitlines()[0][:120]) if text else type(error).__name__
