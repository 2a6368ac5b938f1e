"""Atomic replacement of a folder: readers see the old one or the new one, never a mixture."""

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
def replacing(folder: Path, marker: str) -> Iterator[Path]:
    """Yield an empty folder to fill; it replaces `folder` when the block ends.

    Args:
        folder: the target; absent, empty, or an earlier one that contains the file `marker`.
        marker: name of a file that every such folder has.

    Raises:
        NotADeployment: the target is something else; it is not changed.
        OutputError: the folder cannot be written.
    """
    folder = folder.absolute()
    if (folder.is_dir() and any(folder.iterdir()) and not (folder / marker).is_file()) or (
        folder.exists() and not folder.is_dir()
    ):
        raise NotADeployment(
            f"{folder} exists and is not a deployment made by Mien",
            hint="Choose another folder.",
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _clean_up(folder)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
        try:
            new.chmod(0o755)
            yield new
            _replace(new, folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"cannot write {folder}: {error.strerror or error}",
            hint="Choose a folder with write permission, on a disk with free space.",
        ) from error


def _clean_up(folder: Path) -> None:
    """Restore or delete what a killed process left behind."""
    old = folder.with_name(f".{folder.name}.old")
    if old.exists() and not folder.exists():
        old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    for part in folder.parent.glob(f".{glob.escape(folder.name)}.*.part"):
        if time.time() - part.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(part, ignore_errors=True)


def _replace(new: Path, folder: Path) -> None:
    for path in sorted(new.rglob("*")):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
    if not folder.exists():
        new.rename(folder)
        return
    if _exchanged(new, folder):
        return
    # This system cannot swap folders. If the process is killed between the two renames, the next
    # call of `_clean_up` restores the old folder.
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
