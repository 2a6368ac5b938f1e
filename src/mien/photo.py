"""Photos: bytes from strangers to upright RGB pixels, or an error that says what to do.

Pillow decodes; HEIC goes through pi-heif, which carries a decoder only. Limits on bytes and
pixels are checked before anything is decoded, and only formats that cameras, phones and the web
use are let through to a decoder.
"""

from __future__ import annotations

import hashlib
import io
import struct
import threading
import warnings
from pathlib import Path
from typing import Final

import numpy as np
import pi_heif
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from mien.errors import BrokenPhoto, PhotoError, PhotoNotFound, PhotoTooLarge, UnsupportedPhoto
from mien.types import Photo

MAX_BYTES: Final = 64 << 20
"""Largest file that is read: 64 MiB."""

MAX_PIXELS: Final = 100_000_000
"""Largest picture that is decoded: 100 megapixels."""

SUFFIXES: Final = frozenset(
    f".{ending}"
    for kinds in ("jpg jpeg jpe jfif mpo", "png webp avif gif tif tiff bmp", "heic heif hif")
    for ending in kinds.split()
)
"""Endings of the files that are taken for photos in a folder, in lower case."""

_PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP")

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})

_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    struct.error,
    TypeError,
    Warning,
    RuntimeError,
    OverflowError,
    ZeroDivisionError,
)
"""What Pillow's and libheif's decoders raise on bytes that are not what they promise."""

_warnings_lock = threading.Lock()
"""catch_warnings changes what all threads see: one at a time may do so."""

_LIKENESS = (
    (b"%PDF", "a PDF document"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML document"),
    (b"<!DOC", "a web page"),
    (b"<html", "a web page"),
    (b"PK\x03\x04", "a zip archive"),
    (b"8BPS", "a Photoshop document"),
    (b"\x1aE\xdf\xa3", "a video"),
)


def read_photo(path: Path | str, *, long_side: int | None = None) -> Photo:
    """Read a photo from a file.

    Args:
        path: of the file.
        long_side: as for `decode_photo`.

    Raises:
        PhotoNotFound: there is no such file, it is a folder, or it may not be read.
        PhotoError: as `decode_photo` raises.
    """
    name = str(path)
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except IsADirectoryError as error:
        raise PhotoNotFound(f"{name} is a folder", hint="Give a photo in it.") from error
    except FileNotFoundError as error:
        raise PhotoNotFound(f"{name}: no such file", hint="Check the path.") from error
    except PermissionError as error:
        raise PhotoNotFound(f"{name} may not be read", hint="Check its permissions.") from error
    except (OSError, ValueError) as error:
        raise PhotoNotFound(f"{name} cannot be read: {error}", hint="Check the path.") from error
    return decode_photo(data, name=name, long_side=long_side)


def decode_photo(data: bytes, *, name: str, long_side: int | None = None) -> Photo:
    """Return the upright photo that `data` holds.

    Of an animation or a document of several pages the first picture is taken; what is
    transparent becomes white; colours are turned to sRGB where a profile is embedded.

    Args:
        data: bytes of a JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF or BMP.
        name: what to call it in messages.
        long_side: no stage needs more pixels than this on the long side. A larger JPEG may be
            decoded at a half, a quarter or an eighth as long as that much is left.

    Raises:
        PhotoTooLarge: more than MAX_BYTES or MAX_PIXELS.
        UnsupportedPhoto: not one of these formats.
        BrokenPhoto: empty, truncated or damaged.
    """
    if not data:
        raise BrokenPhoto(f"{name} is empty", hint="Copy the photo again from where it came.")
    if len(data) > MAX_BYTES:
        raise PhotoTooLarge(
            f"{name} is larger than {MAX_BYTES >> 20} MiB", hint="Export it as a smaller JPEG."
        )
    digest = hashlib.sha256(data).hexdigest()
    try:
        pixels, scale = _decode(data, name, long_side)
    except PhotoError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(name, "more pixels than it may") from error
    except UnidentifiedImageError as error:
        raise _unsupported(data, name) from error
    except MemoryError as error:
        raise PhotoTooLarge(
            f"{name} needs more memory than there is", hint="Export it as a smaller JPEG."
        ) from error
    except _BROKEN as error:
        raise BrokenPhoto(
            f"{name} is damaged: {_reason(error)}",
            hint="Open it in a photo viewer: if it shows, export it as a JPEG; else copy it again.",
        ) from error
    return Photo(pixels, digest, name, scale)


def encode_jpeg(pixels: NDArray[np.uint8], *, quality: int = 95) -> bytes:
    """Return (H, W, 3) uint8 RGB pixels as a JPEG without colour subsampling."""
    return _encode(pixels, "JPEG", quality=quality, subsampling=0)


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return (H, W, 3) uint8 RGB pixels as a PNG."""
    return _encode(pixels, "PNG")


def _encode(pixels: NDArray[np.uint8], kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, **options)
    return buffer.getvalue()


def _decode(data: bytes, name: str, long_side: int | None) -> tuple[NDArray[np.uint8], float]:
    """Return upright pixels and their scale; foreign errors pass through."""
    if data[4:8] == b"ftyp" and _is_heif(data):
        return _rgb(_open_heif(data, name)), 1.0
    picture = _open(data)
    _check_pixels(picture.size, name)
    full = max(picture.size)
    if long_side is not None and picture.format in {"JPEG", "MPO"}:
        # Draft takes the smallest of 1/1, 1/2, 1/4 and 1/8 that still covers this size.
        least = [-(-side * min(long_side, full) // full) for side in picture.size]
        picture.draft(None, (least[0], least[1]))
    picture.load()
    scale = max(picture.size) / full
    return _rgb(ImageOps.exif_transpose(picture)), min(scale, 1.0)


def _open(data: bytes) -> Image.Image:
    """Read a picture's header, silently: Pillow warns of sizes that Mien's own limit refuses."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS)


def _is_heif(data: bytes) -> bool:
    """Say whether a file of boxes is HEIF; AVIF, which may call itself mif1 too, is not."""
    length = min(int.from_bytes(data[:4], "big"), 256, len(data))
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, length - 3, 4))}
    return bool(brands & _HEIF_BRANDS) and not brands & {b"avif", b"avis"}


def _open_heif(data: bytes, name: str) -> Image.Image:
    # libheif applies the rotation itself, and Pillow's orientation tag must not do so again.
    heif = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
    _check_pixels(heif.size, name)
    picture: Image.Image = heif.to_pillow()
    picture.getexif().pop(0x0112, None)
    return picture


def _check_pixels(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise _too_many_pixels(name, f"{width} x {height} pixels")
    if width < 1 or height < 1:
        raise BrokenPhoto(f"{name} has no pixels", hint="Copy the photo again.")


def _rgb(picture: Image.Image) -> NDArray[np.uint8]:
    """Return a decoded picture of any mode as (H, W, 3) uint8 RGB."""
    if picture.mode in {"I;16", "I;16B", "I;16L", "I", "F"}:
        picture = _eight_bits(picture)
    if picture.has_transparency_data:
        over = picture.convert("RGBA")
        white = Image.new("RGBA", over.size, (255, 255, 255, 255))
        picture = _to_srgb(Image.alpha_composite(white, over).convert("RGB"), picture)
    else:
        picture = _to_srgb(picture, picture)
    return np.ascontiguousarray(np.asarray(picture.convert("RGB"), np.uint8))


def _to_srgb(picture: Image.Image, source: Image.Image) -> Image.Image:
    """Return `picture` in sRGB if `source` carries a colour profile that fits, else as it is."""
    profile = source.info.get("icc_profile")
    if not profile or picture.mode not in {"RGB", "CMYK", "L"}:
        return picture
    try:
        embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        turned = ImageCms.profileToProfile(
            picture, embedded, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, *_BROKEN):
        return picture
    return turned or picture


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Return a grey picture of 16 or 32 bits, or of floats, in eight bits.

    Integers are taken to fill 16 bits; floats to run from 0 to 1, or to 255 where they exceed 1.
    """
    values = np.asarray(picture)
    if picture.mode == "F":
        values = np.nan_to_num(values)
        values = values * 255 if values.max(initial=0) <= 1 else values
    else:
        values = np.clip(values.astype(np.int64), 0, 65535) / 257
    return Image.fromarray(np.clip(np.round(values), 0, 255).astype(np.uint8))


def _too_many_pixels(name: str, what: str) -> PhotoTooLarge:
    return PhotoTooLarge(
        f"{name} has {what}; the limit is {MAX_PIXELS // 1_000_000} megapixels",
        hint="Export it at a smaller size.",
    )


def _unsupported(data: bytes, name: str) -> UnsupportedPhoto:
    start = data[:512].lstrip()
    known = [
        what for mark, what in _LIKENESS if start.startswith(mark) or mark == data[: len(mark)]
    ]
    if data[4:8] == b"ftyp":
        known.append("a video")
    seems = f": it seems to be {known[0]}" if known else ""
    return UnsupportedPhoto(
        f"{name} is no photo that Mien can read{seems}",
        hint="Mien reads JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF and BMP: export it as one of them.",
    )


def _reason(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:120] if text else type(error).__name__
