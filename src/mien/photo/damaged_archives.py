"""What Python raises for archives that are damaged, or made to harm, in one list."""

from __future__ import annotations

import struct
import tarfile
import zipfile
import zlib
from typing import Final

try:
    from lzma import LZMAError
except ImportError:  # a Python without lzma, whose zipfile raises RuntimeError
    LZMAError = zlib.error  # type: ignore[misc, assignment]

DAMAGED_ARCHIVE: Final = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    LZMAError,
    EOFError,
    NotImplementedError,  # a compression that zipfile does not know
    RuntimeError,  # an encrypted member
    ValueError,
    OverflowError,  # a place in the file beyond what a seek takes
    struct.error,
)
"""Without OSError, which `bz2` raises: it may also mean that the disk fails."""
