"""Small pictures of each format, with the parts that readers look at."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

_HEIC = Path(__file__).resolve().parents[2] / "tests" / "photo" / "golden" / "turned.heic"
"""Made by a script of the tests; no library here writes this format."""

_ORIENTATION = 0x0112


def seeds() -> Mapping[str, bytes]:
    """Return the inputs by file name."""
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    colour = Image.fromarray(np.stack([grey, grey.T, 255 - grey], axis=-1))
    other = colour.rotate(90)
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 40, zip=True)
    alpha = colour.convert("RGBA")
    alpha.putalpha(Image.fromarray(grey))
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    return {
        "small.jpg": _saved(colour, "JPEG", quality=60),
        "turned.jpg": _saved(colour, "JPEG", quality=60, exif=exif),
        "scans.jpg": _saved(colour, "JPEG", quality=60, progressive=True),
        "grey.jpg": _saved(colour.convert("L"), "JPEG", quality=60, restart_marker_blocks=1),
        "cmyk.jpg": _saved(colour.convert("CMYK"), "JPEG", quality=60),
        "several.jpg": _saved(colour, "MPO", save_all=True, append_images=[other]),
        "small.png": _saved(colour, "PNG"),
        "alpha.png": _saved(alpha, "PNG", exif=exif),
        "deep.png": _saved(deep, "PNG"),
        "palette.png": _saved(colour.quantize(8), "PNG", transparency=3, pnginfo=text),
        "moving.png": _saved(colour, "PNG", save_all=True, append_images=[other]),
        "bit.png": _saved(colour.convert("1"), "PNG"),
        "small.webp": _saved(colour, "WEBP"),
        "exact.webp": _saved(alpha, "WEBP", lossless=True, exif=exif),
        "moving.webp": _saved(colour, "WEBP", save_all=True, append_images=[other]),
        "small.avif": _saved(colour, "AVIF"),
        "turned.avif": _saved(alpha, "AVIF", exif=exif),
        "small.gif": _saved(colour.quantize(8), "GIF"),
        "moving.gif": _saved(colour.quantize(8), "GIF", save_all=True, append_images=[other]),
        "small.tif": _saved(colour, "TIFF"),
        "deflate.tif": _saved(colour, "TIFF", compression="tiff_adobe_deflate"),
        "lzw.tif": _saved(alpha, "TIFF", compression="tiff_lzw"),
        "jpeg.tif": _saved(colour, "TIFF", compression="jpeg"),
        "fax.tif": _saved(colour.convert("1"), "TIFF", compression="group4"),
        "real.tif": _saved(Image.fromarray(grey.astype(np.float32)), "TIFF"),
        "large-offsets.tif": _saved(colour, "TIFF", big_tiff=True),
        "tiles.tif": _tiled(grey),
        "small.bmp": _saved(colour, "BMP"),
        "palette.bmp": _saved(colour.quantize(8), "BMP"),
        "turned.heic": _HEIC.read_bytes(),
        "raw.dng": b"II*\0" + bytes(4) + b"CR\2\0",
        "drawing.svg": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
    }


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _tiled(grey: np.ndarray) -> bytes:
    """Return a TIFF of one tile of 16 x 16 pixels, which Pillow does not write."""
    tile = np.zeros((16, 16), np.uint8)
    tile[:8, :8] = grey
    tags = [
        (256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (277, 3, 1, 1), (322, 3, 1, 16), (323, 3, 1, 16), (324, 4, 1, 8), (325, 4, 1, 256),
    ]  # fmt: skip
    listed = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    start = struct.pack("<2sHI", b"II", 42, 8 + tile.size)
    return start + tile.tobytes() + struct.pack("<H", len(tags)) + listed + bytes(4)
