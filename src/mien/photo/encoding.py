"""Encode pixels as JPEG and PNG."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


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
