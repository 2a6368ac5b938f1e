"""Synthetic pictures, and checks that a format preserved them."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

GOLDEN = Path(__file__).parent / "golden"
QUARTERS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], np.uint8)

LIE_DOWN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""EXIF orientation: how a camera held that way stores the upright picture."""


def four_quarters(width=96, height=64):
    """Return a picture of red, green / blue, white quarters."""
    picture = Image.new("RGB", (width, height))
    for number, colour in enumerate(QUARTERS):
        corner = (number % 2 * width // 2, number // 2 * height // 2)
        box = (*corner, corner[0] + width // 2, corner[1] + height // 2)
        picture.paste(tuple(int(c) for c in colour), box)
    return picture


def noise(side=64, seed=0):
    """Return a picture that cannot be compressed much."""
    values = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    return Image.fromarray(values)


def encode(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def lying(picture, orientation):
    """Return the picture as stored with an EXIF orientation, and that EXIF."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    turn = LIE_DOWN.get(orientation)
    return (picture if turn is None else picture.transpose(turn)), exif


def quarters_of(pixels):
    """Return the (4, 3) colours in the middles of the four quarters."""
    height, width = pixels.shape[:2]
    rows, columns = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    return np.array([pixels[y, x] for y in rows for x in columns])


def is_four_quarters(pixels, tolerance=12):
    gap = np.abs(quarters_of(pixels).astype(int) - QUARTERS).max()
    return bool(gap <= tolerance)


ANIMATION = {"save_all": True, "append_images": [Image.new("RGB", (96, 64))], "duration": 100}

FILES = {
    "jpeg": encode(four_quarters(), "JPEG", quality=95, subsampling=0),
    "progressive": encode(four_quarters(), "JPEG", quality=95, progressive=True),
    "mpo": encode(four_quarters(), "MPO", save_all=True, append_images=[four_quarters()]),
    "png": encode(four_quarters(), "PNG"),
    "apng": encode(four_quarters(), "PNG", **ANIMATION),
    "webp": encode(four_quarters(), "WEBP", quality=95),
    "webp-lossless": encode(four_quarters(), "WEBP", lossless=True),
    "webp-animation": encode(four_quarters(), "WEBP", lossless=True, **ANIMATION),
    "avif": encode(four_quarters(), "AVIF", quality=95),
    "gif": encode(four_quarters(), "GIF"),
    "gif-animation": encode(four_quarters(), "GIF", **ANIMATION),
    "tiff": encode(four_quarters(), "TIFF"),
    "tiff-lzw": encode(four_quarters(), "TIFF", compression="tiff_lzw"),
    "tiff-pages": encode(four_quarters(), "TIFF", compression="tiff_deflate", **ANIMATION),
    "bmp": encode(four_quarters(), "BMP"),
    "heic": (GOLDEN / "upright.heic").read_bytes(),
    "heic-turned": (GOLDEN / "turned.heic").read_bytes(),
}
"""One file per format, all of the same picture."""
