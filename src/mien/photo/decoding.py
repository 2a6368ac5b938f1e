"""Decode photos: from untrusted bytes to upright RGB pixels, or an error with a hint.

Pillow decodes most formats, and pi-heif, which has no encoder, HEIC. Limits on bytes and pixels are
checked before decoding. Only formats that cameras, phones and the web use reach a decoder. A
truncated photo is an error: no photo is read in part.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import stat
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pi_heif
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    features,
)

from mien.errors import BrokenPhoto, PhotoError, PhotoNotFound, PhotoTooLarge, UnsupportedPhoto
from mien.photo.boxes import check_items
from mien.photo.colours import UnreadableColours, to_rgb
from mien.photo.formats import Kind, kind_of, likeness
from mien.types import Photo

MAX_BYTES: Final = 64 << 20
"""Largest file in bytes: 64 MiB."""

MAX_PIXELS: Final = 100_000_000
"""Largest picture in pixels: 100 megapixels."""

_MAX_SCANS = 100
"""Largest number of scans in a JPEG; ten are usual, and thousands take hours to decode."""

# The whole header of a scan: its marker alone also occurs in the video after a phone's photo.
_SCAN = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")

# The plugin classes instead of Image.open, which warns of large pictures through state that all
# threads share, before the limit here is checked. A JPEG with several pictures (MPO) begins with
# the one to read, so it is opened as a JPEG.
_OPENERS: dict[Kind, Callable[..., ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
}

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

_ORIENTATION = 0x0112
_DNG_VERSION = 50706
_TILE_WIDTH, _TILE_LENGTH = 322, 323

_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    struct.error,
    TypeError,
    AttributeError,
    AssertionError,
    RuntimeError,
    ArithmeticError,
)
"""Errors that the decoders of Pillow and libheif raise for invalid bytes."""

_quiet = threading.Lock()
"""catch_warnings affects all threads, so one thread at a time may use it."""


def read_photo(path: str | os.PathLike[str], *, long_side: int | None = None) -> Photo:
    """Read a photo from a file.

    Args:
        path: of the file.
        long_side: as for `decode_photo`.

    Raises:
        PhotoNotFound: the file is missing, a folder, or not readable.
        UnsupportedPhoto: not a path.
        PhotoError: as `decode_photo` raises.
    """
    if not isinstance(path, str | os.PathLike):
        raise UnsupportedPhoto(
            f"photo: {type(path).__name__} is not a path",
            hint="`open_photo` also takes bytes, NumPy arrays and PIL images.",
        )
    name = str(path)
    try:
        status = Path(path).stat()
        if stat.S_ISDIR(status.st_mode):
            raise PhotoNotFound(f"{_shown(name)} is a folder", hint="Give a photo in it.")
        if not stat.S_ISREG(status.st_mode):
            raise PhotoNotFound(f"{_shown(name)} is not a file", hint="Give a photo's file.")
        if status.st_size > MAX_BYTES:
            raise _too_many_bytes(name)
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PhotoNotFound(f"{_shown(name)}: no such file", hint="Check the path.") from error
    except PermissionError as error:
        raise PhotoNotFound(
            f"{_shown(name)} may not be read", hint="Check its permissions."
        ) from error
    except (OSError, ValueError) as error:
        raise PhotoNotFound(
            f"{_shown(name)} cannot be read: {_reason(error)}", hint="Check the path and the disk."
        ) from error
    return decode_photo(data, name=name, long_side=long_side)


def decode_photo(data: bytes, *, name: str, long_side: int | None = None) -> Photo:
    """Return the photo in `data`, upright.

    The first picture of an animation or of several pages is read; transparent pixels become white;
    colours are converted to sRGB where a profile is embedded.

    Args:
        data: bytes of a JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF or BMP.
        name: of the photo, for messages.
        long_side: number of pixels that are needed on the long side. A larger JPEG may be decoded
            at 1/2, 1/4 or 1/8 of its size where that is enough.

    Raises:
        PhotoTooLarge: more than MAX_BYTES or MAX_PIXELS.
        UnsupportedPhoto: not one of these formats.
        BrokenPhoto: empty, truncated or damaged.
    """
    if not data:
        raise BrokenPhoto(f"{_shown(name)} is empty", hint="Copy the photo again from its source.")
    if len(data) > MAX_BYTES:
        raise _too_many_bytes(name)
    kind = kind_of(data)
    if kind is None:
        raise _unsupported(name, likeness(data))
    with _translated(name, f"a damaged {kind} file"):
        pixels, scale = _decode_despite_warnings(data, kind, name, long_side)
    return Photo(pixels, hashlib.sha256(data).hexdigest(), name, scale)


def pixels_of(picture: Image.Image, name: str) -> NDArray[np.uint8]:
    """Return a PIL image as (H, W, 3) uint8 RGB, upright.

    Raises:
        PhotoError: it has too many pixels, unsupported colours, or a damaged file.
    """
    check_size(picture.size, name)
    with _translated(name, "a damaged picture"):
        picture.load()
        return to_rgb(upright(picture))


@contextmanager
def _translated(name: str, damaged: str) -> Iterator[None]:
    """Translate errors of decoders into errors of Mien."""
    try:
        yield
    except PhotoError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(name, "more pixels than it may have") from error
    except MemoryError as error:
        raise PhotoTooLarge(
            f"{_shown(name)} needs more memory than there is",
            hint="Export it as a smaller JPEG.",
        ) from error
    except UnreadableColours as error:
        raise UnsupportedPhoto(
            f"{_shown(name)} cannot be read: {error}", hint="Export it as a JPEG."
        ) from error
    except _BROKEN as error:
        raise BrokenPhoto(
            f"{_shown(name)} is {damaged}: {_reason(error)}",
            hint="Open it in a photo viewer: if it shows, export it as a JPEG; else copy it again.",
        ) from error


def encode_jpeg(pixels: NDArray[np.uint8], *, quality: int = 95) -> bytes:
    """Return (H, W, 3) uint8 RGB pixels as a JPEG without colour subsampling."""
    return _encode(pixels, "JPEG", quality=quality, subsampling=0)


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return (H, W, 3) uint8 RGB pixels as a PNG."""
    return _encode(pixels, "PNG")


def data_url(jpeg: bytes) -> str:
    """Return a JPEG as a data URL."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _encode(pixels: NDArray[np.uint8], kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, **options)
    return buffer.getvalue()


def _decode_despite_warnings(
    data: bytes, kind: Kind, name: str, long_side: int | None
) -> tuple[NDArray[np.uint8], float]:
    """Decode; where the process turns warnings into errors, decode again without warnings.

    Pillow warns of unusual metadata, which must not prevent reading a photo.
    """
    try:
        with _truncated_refused():
            return _decode(data, kind, name, long_side)
    except Warning:
        with _truncated_refused(), _quiet, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(data, kind, name, long_side)


class _Strictness:
    """Number of threads that decode, and the former value of Pillow's switch."""

    lock = threading.Lock()
    decoding = 0
    before = False


@contextmanager
def _truncated_refused() -> Iterator[None]:
    """Make Pillow refuse truncated pictures, even where another library has allowed them."""
    with _Strictness.lock:
        if not _Strictness.decoding:
            _Strictness.before = ImageFile.LOAD_TRUNCATED_IMAGES
            ImageFile.LOAD_TRUNCATED_IMAGES = False
        _Strictness.decoding += 1
    try:
        yield
    finally:
        with _Strictness.lock:
            _Strictness.decoding -= 1
            if not _Strictness.decoding:
                ImageFile.LOAD_TRUNCATED_IMAGES = _Strictness.before


def _decode(
    data: bytes, kind: Kind, name: str, long_side: int | None
) -> tuple[NDArray[np.uint8], float]:
    """Return upright pixels and their scale; errors of decoders are not translated."""
    if kind == "HEIF":
        check_items(data)
        heif = pi_heif.open_heif(data, convert_hdr_to_8bit=True)
        check_size(heif.size, name)
        # libheif returns the picture upright: its EXIF orientation no longer applies.
        return to_rgb(heif.to_pillow()), 1.0
    picture = _open(data, kind, name)
    check_size(picture.size, name)
    if kind == "TIFF":
        _check_tiles(_tags(picture), name)
    scale = _draft(picture, long_side) if kind == "JPEG" else 1.0
    picture.load()
    return to_rgb(upright(picture)), scale


def upright(picture: Image.Image) -> Image.Image:
    """Return a loaded picture with its EXIF orientation applied."""
    turn = _TURNS.get(_orientation(picture))
    return picture if turn is None else picture.transpose(turn)


def _open(data: bytes, kind: Kind, name: str) -> ImageFile.ImageFile:
    """Read a picture's header."""
    if kind in {"WEBP", "AVIF"} and not features.check(kind.lower()):
        raise UnsupportedPhoto(
            f"{_shown(name)} is a {kind} file, which the Pillow installed here cannot read",
            hint="Install Pillow's own wheel, or export the photo as a JPEG.",
        )
    if kind == "JPEG" and len(_SCAN.findall(data)) > _MAX_SCANS:
        raise BrokenPhoto(
            f"{_shown(name)} is a JPEG with more than {_MAX_SCANS} scans",
            hint="No camera writes such a file: export it again.",
        )
    picture = _OPENERS[kind](io.BytesIO(data), "")
    # A camera's raw file is also a TIFF; its first picture is a thumbnail.
    if kind == "TIFF" and (data[8:10] == b"CR" or _DNG_VERSION in _tags(picture)):
        raise _unsupported(name, "a camera's raw file")
    return picture


def _tags(picture: Image.Image) -> Any:
    """Return the tags of a TIFF, which Pillow's type annotations lack."""
    return getattr(picture, "tag_v2", {})


def _draft(picture: Image.Image, long_side: int | None) -> float:
    """Set a reduced decoding size of a JPEG that still has `long_side`; return the scale."""
    full = max(picture.size)
    if long_side is None:
        return 1.0
    # Draft chooses the smallest of 1/1, 1/2, 1/4 and 1/8 that covers this size.
    least = [max(1, side * min(max(1, long_side), full) // full) for side in picture.size]
    picture.draft(None, (least[0], least[1]))
    # Sides are rounded up to whole pixels; this scale is exact.
    return 1 / round(full / max(picture.size))


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation of a loaded picture; 1 where it has no valid one.

    Pillow applies the orientation of a TIFF on loading and removes the tag.
    """
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except (*_BROKEN, Warning):
        return 1


def check_size(size: tuple[int, int], name: str) -> None:
    """Raise BrokenPhoto or PhotoTooLarge for a (width, height) outside the limits."""
    width, height = size
    if width < 1 or height < 1:
        raise BrokenPhoto(
            f"{_shown(name)} has no pixels", hint="Copy the photo again from its source."
        )
    if width * height > MAX_PIXELS:
        raise _too_many_pixels(name, f"{width} x {height} pixels")


def _check_tiles(tags: Any, name: str) -> None:
    """Raise PhotoTooLarge for a TIFF with huge tiles: memory is allocated for a whole tile."""
    width, length = tags.get(_TILE_WIDTH, 0), tags.get(_TILE_LENGTH, 0)
    if width * length > MAX_PIXELS:
        raise _too_many_pixels(name, f"tiles of {width} x {length} pixels")


def _too_many_bytes(name: str) -> PhotoTooLarge:
    return PhotoTooLarge(
        f"{_shown(name)} is larger than {MAX_BYTES >> 20} MiB", hint="Export it as a smaller JPEG."
    )


def _too_many_pixels(name: str, what: str) -> PhotoTooLarge:
    return PhotoTooLarge(
        f"{_shown(name)} has {what}; the limit is {MAX_PIXELS // 1_000_000} megapixels",
        hint="Export it at a smaller size.",
    )


def _unsupported(name: str, what: str) -> UnsupportedPhoto:
    seems = f": it seems to be {what}" if what else ""
    return UnsupportedPhoto(
        f"{_shown(name)} is not a photo that Mien can read{seems}",
        hint="Mien reads JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF and BMP: export it as one of them.",
    )


def _shown(name: str) -> str:
    """Return a name that is safe in terminals and logs: valid text without control characters."""
    text = name.encode("utf-8", "replace").decode()
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _reason(error: Exception) -> str:
    text = str(error).strip()
    return _shown(text.splitlines()[0][:120]) if text else type(error).__name__
