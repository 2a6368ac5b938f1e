"""What the targets of archives and exports need: a folder in memory, zips without checksums."""

from __future__ import annotations

import tempfile
import zipfile


def folder_in_memory() -> tempfile.TemporaryDirectory[str]:
    """Return a temporary folder; the runner has them in memory where the system has such."""
    return tempfile.TemporaryDirectory()


def ignore_checksums() -> None:
    """Read damaged members of zip archives: most changed inputs would end at their checksum."""
    zipfile.ZipExtFile._update_crc = lambda *_: None  # type: ignore[attr-defined]  # noqa: SLF001
