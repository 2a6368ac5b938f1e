"""A folder that is replaced as one: whoever looks sees the old one whole or the new one."""

from __future__ import annotations

import ctypes
import glob
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mien.errors import NotADeployment, OutputError

_EXCHANGE = 2
_HERE = -100
_STALE_SECONDS = 24 * 3600


@contextmanager
def replacing(folder: Path, mark: str) -> Iterator[Path]:
    """Yield an empty folder to fill; it takes the place of `folder` when the block is done.

    Args:
        folder: the result; absent, empty, or an earlier one that holds the file `mark`.
        mark: name of a file that every such folder has.

    Raises:
        NotADeployment: something else is there, which is left alone.
        OutputError: it cannot be written.
    """
    folder = folder.absolute()
    if (folder.is_dir() and any(folder.iterdir()) and not (folder / mark).is_file()) or (
        folder.exists() and not folder.is_dir()
    ):
        raise NotADeployment(
            f"{folder} is there and is no vessel that Mien made", hint="Choose another place."
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
        try:
            new.chmod(0o755)
            yield new
            _take_place(new, folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"cannot write {folder}: {error.strerror or error}",
            hint="Choose a place that you may write to, on a disk with room.",
        ) from error


def _sweep(folder: Path) -> None:
    """Finish or drop what a writer that was killed left behind."""
    old = folder.with_name(f".{folder.name}.old")
    if old.exists() and not folder.exists():
        old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    for part in folder.parent.glob(f".{glob.escape(folder.name)}.*.part"):
        if time.time() - part.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(part, ignore_errors=True)


def _take_place(new: Path, folder: Path) -> None:
    for path in sorted(new.rglob("*")):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
    if not folder.exists():
        new.rename(folder)
        return
    if _exchanged(new, folder):
        return
    # No exchange on this system: between two renames only the old one's other name is there,
    # and the next writer brings it back.
    old = folder.with_name(f".{folder.name}.old")
    folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _exchanged(a: Path, b: Path) -> bool:
    """Swap two folders in one step where the system can (Linux's renameat2)."""
    if sys.platform != "linux":
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    return bool(rename(_HERE, os.fsencode(a), _HERE, os.fsencode(b), _EXCHANGE) == 0)
