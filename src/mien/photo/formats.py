"""Detect the format of a picture by its first bytes; file suffixes may be wrong."""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "TIFF", "BMP"]

SUFFIXES: Final = frozenset(
    f".{ending}"
    for kinds in ("jpg jpeg jpe jfif mpo", "png webp avif gif tif tiff bmp", "heic heif hif")
    for ending in kinds.split()
)
"""Suffixes of photo files in a folder, in lower case."""

_SIGNATURES: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
)

_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)

_OTHER_FORMATS = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript drawing"),
    (b"<svg", "an SVG drawing"),
    (b"<!doc", "a web page"),
    (b"<html", "a web page"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a compressed file"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\1\0", "an icon"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file"),
    (b"IIU\0", "a camera's raw file"),
    (b"IIRO", "a camera's raw file"),
    (b"\0\x05\x16\x07", "the hidden metadata file that macOS stores beside a file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"\0\0\1\xba", "a video"),
    (b"FLV\1", "a video"),
)


def kind_of(data: bytes) -> Kind | None:
    """Return the format of a picture; None if it is not one that Mien reads."""
    if data[4:8] == b"ftyp":
        return _kind_of_boxes(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for mark, kind in _SIGNATURES if data.startswith(mark)), None)


def _kind_of_boxes(data: bytes) -> Kind | None:
    """Return AVIF or HEIF by the brands that a file of boxes names; None for a video."""
    length = min(int.from_bytes(data[:4], "big"), 256, len(data))
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, length - 3, 4))}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    return "HEIF" if brands & _HEIF_BRANDS else None


def likeness(data: bytes) -> str:
    """Return a description of bytes that are not a picture; empty where they are unknown."""
    start = data[:512]
    bare = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for mark, what in _OTHER_FORMATS:
        if start.startswith(mark) or (mark.startswith(b"<") and bare.startswith(mark)):
            return what
    if bare.startswith(b"<?xml"):
        return "an SVG drawing" if b"<svg" in data[:4096] else "an XML document"
    if start[4:8] == b"ftyp":
        return "a camera's raw file" if start[8:11] == b"crx" else "a video"
    if start[:4] == b"RIFF":
        return "a video" if start[8:11] == b"AVI" else "a sound"
    return "a text" if _is_text(start) else ""


def _is_text(start: bytes) -> bool:
    # The last character may be incomplete.
    text = start.decode("utf-8", "ignore")
    return len(text.encode()) > len(start) - 4 and all(c.isprintable() or c.isspace() for c in text)
