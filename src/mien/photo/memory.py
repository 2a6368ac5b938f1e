"""How much memory a photo takes to decode; large photos are decoded one at a time."""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from math import prod
from typing import Any, Final

from PIL import Image

from mien.photo.formats import Kind
from mien.photo.refusals import MAX_DECODING

LARGE_PHOTO: Final = 5120 * 5120
"""Pixels from which a photo is large: ones with more may be read at a reduced size."""

_LARGE_DECODING = 256 << 20
"""Bytes from which on decoding waits for other such photos, and memory is given back to the
system. A photo of 24 megapixels takes less."""

_ONE_BYTE, _TWO_BYTES = frozenset({"1", "L", "P"}), frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
"""Modes of Pillow by bytes per pixel in memory; the others have four."""

_WEBP = 13
"""Bytes per pixel of libwebp: two canvases, the result, and what it decodes into."""

_AVIF = 13
"""Bytes per pixel of libavif with up to 12 bits: the planes, their RGB and the result."""

_HEIF, _HEIF_ALPHA = 9, 13
"""Bytes per pixel of libheif with 8 bits: the planes, their RGB and the result."""

_ORIENTATION = 274
_BITS, _SAMPLES, _STRIP_ROWS, _PLANES, _TILE_WIDTH, _TILE_LENGTH = 258, 277, 278, 284, 322, 323
"""Tags of a TIFF."""

_SCAN = re.compile(rb"\xff\xda\x00[\x08\x0a\x0c\x0e]([\x01-\x04])")
"""The start of a JPEG's scan, up to its number of components."""


def decoding_bytes(
    picture: Image.Image, kind: Kind, full: tuple[int, int], data: bytes, tags: Mapping[int, Any]
) -> int:
    """Return how many bytes of memory a picture takes while it is decoded.

    Args:
        picture: of which the header is read, with the size that it will have in memory.
        kind: its format.
        full: width and height in the file.
        data: the file.
        tags: of a TIFF.
    """
    width, height = picture.size
    each = 1 if picture.mode in _ONE_BYTE else 2 if picture.mode in _TWO_BYTES else 4
    own = width * height * each
    if kind == "JPEG":
        return own + _coefficients(picture, full, data)
    if kind == "WEBP":
        return own + width * height * _WEBP
    if kind == "AVIF":
        return own + width * height * _AVIF
    if kind == "TIFF":
        # Pillow turns it on loading: then there are two of it for a moment.
        return own + max(_strip(tags, full), own if tags.get(_ORIENTATION, 1) != 1 else 0)
    return own


def heif_bytes(size: tuple[int, int], bits: int, *, alpha: bool) -> int:
    """Return how many bytes of memory a HEIF takes while it is decoded.

    Args:
        size: width and height.
        bits: per channel.
        alpha: whether it has transparent pixels.
    """
    return prod(size) * (_HEIF_ALPHA if alpha else _HEIF) * (2 if bits > 8 else 1)


def _coefficients(picture: Image.Image, full: tuple[int, int], data: bytes) -> int:
    """Return the bytes of the coefficients of a JPEG; those of one with a single scan pass by."""
    parts: list[tuple[int, int, int, int]] = getattr(picture, "layer", [])
    first = _SCAN.search(data)
    if not parts or (first and first[1][0] == len(parts) and not picture.info.get("progressive")):
        return 0
    widest, highest = max(part[1] for part in parts), max(part[2] for part in parts)
    share = sum(part[1] * part[2] for part in parts) / (widest * highest)
    return int(2 * prod(full) * share)


def _strip(tags: Mapping[int, Any], full: tuple[int, int]) -> int:
    """Return the bytes of a strip or tile of a TIFF, which is decompressed as a whole."""
    width, height = full
    bits = tags.get(_BITS, (1,))
    samples = 1 if tags.get(_PLANES, 1) == 2 else tags.get(_SAMPLES, 1)
    sample = -(-max(bits if isinstance(bits, tuple) else (bits,)) // 8)
    if _TILE_WIDTH in tags:
        return int(tags[_TILE_WIDTH] * tags.get(_TILE_LENGTH, 0) * samples * sample)
    return int(width * min(height, tags.get(_STRIP_ROWS, height)) * samples * sample)


class _Large:
    """Bytes that the large photos take that are being decoded."""

    changed = threading.Condition()
    taken = 0


@contextmanager
def decoding(needed: int) -> Iterator[None]:
    """Decode a photo inside.

    Large ones take at most MAX_DECODING together: the next waits. After each, memory is given back
    to the system.

    Args:
        needed: bytes that it takes, at most MAX_DECODING.
    """
    if needed < _LARGE_DECODING:
        yield
        return
    with _Large.changed:
        _Large.changed.wait_for(lambda: _Large.taken + needed <= MAX_DECODING)
        _Large.taken += needed
    try:
        yield
    finally:
        give_back()
        with _Large.changed:
            _Large.taken -= needed
            _Large.changed.notify_all()


def give_back() -> None:
    """Give freed memory back to the system, where the C library keeps it."""
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any:
    """Return `malloc_trim` of the GNU C library; None elsewhere."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
