"""Atomic replacement of a folder: readers see the old one or the new one, never a mixture."""

from __future__ import annotations

import ctypes
import glob
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mien.deploy.packaging.digests import DIGESTS, digests_text
from mien.errors import NotADeployment, OutputError
from mien.files import make_folder, part_path, real_path, short_name, sync_file, sync_folder

_EXCHANGE = 2
_HERE = -100
_STALE_SECONDS = 24 * 3600


def write_deployment(folder: Path, files: Mapping[str, bytes], marker: str) -> dict[str, bytes]:
    """Write a deployment's files and their digests; they replace `folder` as a whole.

    Args:
        folder: the target, as in `replacing`.
        files: bytes by path.
        marker: name of a file that every deployment has.

    Returns:
        The files that were written, by path.

    Raises:
        NotADeployment: the target is something else; it is not changed.
        OutputError: the folder cannot be written.
    """
    written = {**files, DIGESTS: digests_text(files)}
    with replacing(folder, marker) as new:
        for path, data in written.items():
            (new / path).parent.mkdir(parents=True, exist_ok=True)
            (new / path).write_bytes(data)
    return written


@contextmanager
def replacing(folder: Path, marker: str) -> Iterator[Path]:
    """Yield an empty folder to fill; it replaces `folder` when the block ends.

    Args:
        folder: the target; absent, empty, or an earlier one that contains the file `marker`.
            Where it is a symlink, the folder that it leads to is replaced.
        marker: name of a file that every such folder has.

    Raises:
        NotADeployment: the target is something else; it is not changed.
        OutputError: the folder cannot be written.
    """
    folder = real_path(folder)
    if (folder.is_dir() and any(folder.iterdir()) and not (folder / marker).is_file()) or (
        os.path.lexists(folder) and not folder.is_dir()  # a file, a device, symlinks in a loop
    ):
        raise NotADeployment(
            f"{folder} exists and is not a deployment made by Mien",
            hint="Choose another folder.",
        )
    try:
        make_folder(folder.parent)
        _clean_up(folder)
        new = part_path(folder)
        new.mkdir(mode=0o700)  # fails where there is one
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
    old = _old(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)
        sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)
    for part in folder.parent.glob(f".{glob.escape(short_name(folder.name))}.*.part"):
        if time.time() - part.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(part, ignore_errors=True)


def _replace(new: Path, folder: Path) -> None:
    for path in (*sorted(new.rglob("*")), new):
        if path.is_dir():
            sync_folder(path)
        elif path.is_file():
            sync_file(path)
    if not folder.exists():
        new.rename(folder)
    elif not _exchanged(new, folder):
        # This system cannot swap folders. If the process is killed between the two renames, the
        # next call of `_clean_up` restores the old folder; so does a second rename that fails.
        old = _old(folder)
        folder.rename(old)
        try:
            new.rename(folder)
        except BaseException:
            old.rename(folder)
            raise
        sync_folder(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
        return
    sync_folder(folder.parent)


def _old(folder: Path) -> Path:
    """Return the name that an old folder has between the two renames."""
    return folder.with_name(f".{short_name(folder.name)}.old")


def _exchanged(a: Path, b: Path) -> bool:
    """Swap two folders in one step where the system can (Linux's renameat2)."""
    if sys.platform != "linux":
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    return bool(rename(_HERE, os.fsencode(a), _HERE, os.fsencode(b), _EXCHANGE) == 0)
