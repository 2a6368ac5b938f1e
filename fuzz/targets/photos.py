"""Photo reading: the bytes of an image file, whole and reduced."""

from __future__ import annotations

import sys
from contextlib import suppress

from fuzz.targets import Target

INSTRUMENTED = ("mien.photo", "mien.types")

_JPEG = b"\xff\xd8\xff"

_MOST_PIXELS = 2_000_000
"""Lower here than the limit of the program: large pictures take seconds, and their memory has tests
of its own. Every check runs all the same."""


def target() -> Target:
    """Return the target."""
    from mien.errors import PhotoError
    from mien.photo import decode_photo

    for name, module in list(sys.modules.items()):
        if name.startswith("mien.") and hasattr(module, "MAX_PIXELS"):
            module.MAX_PIXELS = _MOST_PIXELS

    def run(data: bytes) -> None:
        if data[:3] == _JPEG:
            with suppress(PhotoError):
                decode_photo(data, name="photo", long_side=32)
        decode_photo(data, name="photo")

    return Target(run, INSTRUMENTED, _TOKENS, longest=2048)


_TOKENS = (
    b"\xff\xd8\xff", b"JFIF\0", b"Exif\0\0", b"\xff\xc0", b"\xff\xc2", b"\xff\xda", b"\xff\xd9",
    b"\x89PNG\r\n\x1a\n", b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"acTL", b"fcTL",
    b"IEND", b"RIFF", b"WEBP", b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP",
    b"GIF87a", b"GIF89a", b"!\xf9\x04", b"!\xff\x0bNETSCAPE2.0", b"II*\0", b"MM\0*", b"II+\0",
    b"BM", b"ftypheic", b"ftypavif", b"ftypmif1", b"meta", b"iloc", b"iinf", b"infe",
    b"iprp", b"ipco",
    b"ipma", b"iref", b"ispe", b"pitm", b"hvcC", b"av1C", b"grid", b"iovl", b"mdat", b"colr",
    b"\x12\x01", b"\x00\x01\x00\x00", b"\x42\x01", b"\x44\x01",
)  # fmt: skip
