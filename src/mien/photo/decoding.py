"""Decode photos: from untrusted bytes to upright RGB pixels, or an error with a hint.

Pillow decodes most formats, and pi-heif, which has no encoder, HEIC. Limits on bytes and pixels are
checked before decoding. Only formats that cameras, phones and the web use reach a decoder. A
truncated photo is an error: no photo is read in part.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import struct
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
from mien.photo.bands import rows_of, upright_rgb
from mien.photo.boxes import check_items
from mien.photo.colours import UnreadableColours
from mien.photo.formats import Kind, kind_of, likeness
from mien.photo.memory import decoding, decoding_bytes, give_back, heif_bytes
from mien.photo.refusals import (
    MAX_BYTES,
    MAX_PIXELS,
    check_memory,
    check_size,
    reason,
    too_many_bytes,
    too_many_pixels,
    unsupported,
)
from mien.photo.wanted_size import WantedSize, draft
from mien.text import printable
from mien.types import Photo

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

_ORIENTATION = 0x0112
_DNG_VERSION = 50706
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
"""Tag of a TIFF that says what its values mean, and one of its values."""

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
            raise PhotoNotFound(f"{printable(name)} is a folder", hint="Give a photo in it.")
        if not stat.S_ISREG(status.st_mode):
            raise PhotoNotFound(f"{printable(name)} is not a file", hint="Give a photo's file.")
        if status.st_size > MAX_BYTES:
            raise too_many_bytes(name)
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PhotoNotFound(f"{printable(name)}: no such file", hint="Check the path.") from error
    except PermissionError as error:
        raise PhotoNotFound(
            f"{printable(name)} may not be read", hint="Check its permissions."
        ) from error
    except (OSError, ValueError) as error:
        raise PhotoNotFound(
            f"{printable(name)} cannot be read: {reason(error)}",
            hint="Check the path and the disk.",
        ) from error
    return decode_photo(data, name=name, long_side=long_side)


def decode_photo(
    data: bytes, *, name: str, long_side: int | None = None, max_pixels: int | None = None
) -> Photo:
    """Return the photo in `data`, upright.

    The first picture of an animation or of several pages is read; transparent pixels become white;
    colours are converted to sRGB where a profile is embedded.

    Args:
        data: bytes of a JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF or BMP.
        name: of the photo, for messages.
        long_side: number of pixels that are needed on the long side. A larger JPEG, and any photo
            of more than 26 megapixels, may be decoded at 1/2, 1/4 or 1/8 of its size where that is
            enough.
        max_pixels: a photo with more is decoded at 1/2, 1/4, 1/8 … of its size.

    Raises:
        PhotoTooLarge: more than MAX_BYTES or MAX_PIXELS, or decoding takes more than 900 MiB of
            memory, as for WebP and AVIF files of more than 55 megapixels.
        UnsupportedPhoto: not one of these formats.
        BrokenPhoto: empty, truncated or damaged.
    """
    if not data:
        raise BrokenPhoto(
            f"{printable(name)} is empty", hint="Copy the photo again from its source."
        )
    if len(data) > MAX_BYTES:
        raise too_many_bytes(name)
    kind = kind_of(data)
    if kind is None:
        raise unsupported(name, likeness(data))
    with _translated(name, f"a damaged {kind} file"):
        wanted = WantedSize(long_side, max_pixels)
        pixels, scale = _decode_despite_warnings(data, kind, name, wanted)
    return Photo(pixels, hashlib.sha256(data).hexdigest(), name, scale)


def pixels_of(
    picture: Image.Image, name: str, long_side: int | None = None
) -> tuple[NDArray[np.uint8], float]:
    """Return a PIL image as (H, W, 3) uint8 RGB, upright, and its scale.

    Args:
        picture: of any size within the limits.
        name: of the photo, for messages.
        long_side: as for `decode_photo`.

    Raises:
        PhotoError: it has too many pixels, unsupported colours, or a damaged file.
    """
    check_size(picture.size, name)
    with _translated(name, "a damaged picture"):
        factor = WantedSize(long_side).factor(picture.size)
        return _loaded(picture, factor), 1 / factor


@contextmanager
def _translated(name: str, damaged: str) -> Iterator[None]:
    """Translate errors of decoders into errors of Mien."""
    try:
        yield
    except PhotoError:
        raise
    except Image.DecompressionBombError as error:
        raise too_many_pixels(name, "more pixels than it may have") from error
    except MemoryError as error:
        _free(error)
        raise PhotoTooLarge(
            f"{printable(name)} needs more memory than there is",
            hint="Export it as a smaller JPEG.",
        ) from error
    except UnreadableColours as error:
        raise UnsupportedPhoto(
            f"{printable(name)} cannot be read: {error}", hint="Export it as a JPEG."
        ) from error
    except _BROKEN as error:
        _free(error)
        raise BrokenPhoto(
            f"{printable(name)} is {damaged}: {reason(error)}",
            hint="Open it in a photo viewer: if it shows, export it as a JPEG; else copy it again.",
        ) from error


def _free(error: Exception) -> None:
    """Free what was decoded before an error, whose traceback refers to it."""
    traceback.clear_frames(error.__traceback__)
    give_back()


def _decode_despite_warnings(
    data: bytes, kind: Kind, name: str, wanted: WantedSize
) -> tuple[NDArray[np.uint8], float]:
    """Decode; where the process turns warnings into errors, decode again without warnings.

    Pillow warns of unusual metadata, which must not prevent reading a photo.
    """
    try:
        with _truncated_refused():
            return _decode(data, kind, name, wanted)
    except Warning:
        with _truncated_refused(), _quiet, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(data, kind, name, wanted)


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
    data: bytes, kind: Kind, name: str, wanted: WantedSize
) -> tuple[NDArray[np.uint8], float]:
    """Return upright pixels and their scale; errors of decoders are not translated."""
    if kind == "HEIF":
        return _decode_heif(data, name, wanted)
    picture = _open(data, kind, name)
    full = picture.size
    check_size(full, name)
    if kind == "TIFF":
        _check_tiles(_tags(picture), name)
    factor = wanted.factor(full)
    scale = draft(picture, wanted) if kind == "JPEG" else 1.0
    needed = decoding_bytes(picture, kind, full, data, _tags(picture))
    check_memory(full, needed, name)
    with decoding(needed):
        further = max(1, round(factor * scale))
        try:
            pixels = _loaded(picture, further)
        finally:
            picture.close()
    return pixels, scale / further


def _loaded(picture: Image.Image, factor: int) -> NDArray[np.uint8]:
    """Load a picture and return it upright, its sides divided by `factor`."""
    white_is_zero = _tags(picture).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    picture.load()
    return upright_rgb(
        picture.size,
        rows_of(picture),
        orientation=_orientation(picture),
        factor=factor,
        inverted=white_is_zero,
    )


def _decode_heif(data: bytes, name: str, wanted: WantedSize) -> tuple[NDArray[np.uint8], float]:
    check_items(data)
    heif = pi_heif.open_heif(data, convert_hdr_to_8bit=True)
    check_size(heif.size, name)
    needed = heif_bytes(heif.size, heif.info["bit_depth"], alpha=heif.has_alpha)
    check_memory(heif.size, needed, name)
    with decoding(needed):
        found = _heif_pixels(heif, name, wanted)
        # Freed here, so that it is given back.
        del heif
    return found


def _heif_pixels(
    heif: pi_heif.HeifFile, name: str, wanted: WantedSize
) -> tuple[NDArray[np.uint8], float]:
    rows, stride, size = heif.data, heif.stride, heif.size
    check_size(size, name)
    profile = heif.info.get("icc_profile")

    def cut(start: int, end: int) -> Image.Image:
        part = rows[start * stride : end * stride]
        side = size[0], end - start
        band = Image.frombuffer(heif.mode, side, part, "raw", heif.mode, stride, 1)
        if profile:
            band.info["icc_profile"] = profile
        return band

    factor = wanted.factor(size)
    # libheif returns the picture upright: its EXIF orientation no longer applies.
    return upright_rgb(size, cut, factor=factor), 1 / factor


def _open(data: bytes, kind: Kind, name: str) -> ImageFile.ImageFile:
    """Read a picture's header."""
    if kind in {"WEBP", "AVIF"} and not features.check(kind.lower()):
        raise UnsupportedPhoto(
            f"{printable(name)} is a {kind} file, which the Pillow installed here cannot read",
            hint="Install Pillow's own wheel, or export the photo as a JPEG.",
        )
    if kind == "JPEG" and len(_SCAN.findall(data)) > _MAX_SCANS:
        raise BrokenPhoto(
            f"{printable(name)} is a JPEG with more than {_MAX_SCANS} scans",
            hint="No camera writes such a file: export it again.",
        )
    picture = _OPENERS[kind](io.BytesIO(data), "")
    # A camera's raw file is also a TIFF; its first picture is a thumbnail.
    if kind == "TIFF" and (data[8:10] == b"CR" or _DNG_VERSION in _tags(picture)):
        raise unsupported(name, "a camera's raw file")
    return picture


def _tags(picture: Image.Image) -> Any:
    """Return the tags of a TIFF, which Pillow's type annotations lack."""
    return getattr(picture, "tag_v2", {})


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation of a loaded picture; 1 where it has no valid one.

    Pillow applies the orientation of a TIFF on loading and removes the tag.
    """
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except (*_BROKEN, Warning):
        return 1


def _check_tiles(tags: Any, name: str) -> None:
    """Raise PhotoTooLarge for a TIFF with huge tiles: memory is allocated for a whole tile."""
    width, length = tags.get(_TILE_WIDTH, 0), tags.get(_TILE_LENGTH, 0)
    if width * length > MAX_PIXELS:
        raise too_many_pixels(name, f"tiles of {width} x {length} pixels")
