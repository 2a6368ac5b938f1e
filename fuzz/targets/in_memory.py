"""What the targets of archives and exports need: a folder in memory, zips without checksums."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path


def folder_in_memory() -> tempfile.TemporaryDirectory[str]:
    """Return a folder, in memory where the system has such."""
    memory = Path("/dev/shm")  # noqa: S108 - the folder in it has a name of its own
    return tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)


def ignore_checksums() -> None:
    """Read damaged members of zip archives: most changed inputs would end at their checksum."""
    zipfile.ZipExtFile._update_crc = lambda *_: None  # type: ignore[attr-defined]  # noqa: SLF001
