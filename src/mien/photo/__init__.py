"""Read photos: from untrusted bytes to upright RGB pixels, or an error with a hint."""

from mien.photo.decoding import (
    MAX_BYTES,
    MAX_PIXELS,
    data_url,
    decode_photo,
    encode_jpeg,
    encode_png,
    read_photo,
)
from mien.photo.formats import SUFFIXES
from mien.photo.inputs import PhotoSource, open_photo

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "SUFFIXES",
    "PhotoSource",
    "data_url",
    "decode_photo",
    "encode_jpeg",
    "encode_png",
    "open_photo",
    "read_photo",
]
