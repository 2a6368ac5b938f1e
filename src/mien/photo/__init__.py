"""Read photos: from untrusted bytes to upright RGB pixels, or an error with a hint."""

from mien.photo.decoding import decode_photo, read_photo
from mien.photo.encoding import data_url, encode_jpeg, encode_png
from mien.photo.formats import SUFFIXES
from mien.photo.inputs import PhotoSource, open_photo
from mien.photo.memory import LARGE_PHOTO
from mien.photo.moderate_size import at_moderate_size
from mien.photo.refusals import MAX_BYTES, MAX_PIXELS

__all__ = [
    "LARGE_PHOTO",
    "MAX_BYTES",
    "MAX_PIXELS",
    "SUFFIXES",
    "PhotoSource",
    "at_moderate_size",
    "data_url",
    "decode_photo",
    "encode_jpeg",
    "encode_png",
    "open_photo",
    "read_photo",
]
