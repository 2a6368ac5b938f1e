"""Atomic file writing, and locks between processes."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mien.errors import OutputError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """Return the hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a folder; False where it cannot be looked at.

    Before Python 3.14 `Path.is_dir` raises OSError for a name that is too long, or below a folder
    that may not be searched.
    """
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a regular file; False where it cannot be looked at."""
    return os.path.isfile(path)  # noqa: PTH113


def path_exists(path: str | os.PathLike[str]) -> bool:
    """Return whether a path exists; False where it cannot be looked at."""
    return os.path.exists(path)  # noqa: PTH110


def publish(part: Path, final: Path, *, sync: bool = True) -> None:
    """Give a finished file its final name; a reader sees the old file or the new one, whole.

    Args:
        part: the finished file.
        final: its new path.
        sync: wait until it is on the disk; False for files that can be made again.
    """
    if sync:
        with part.open("rb+") as file:
            os.fsync(file.fileno())
    final.parent.mkdir(parents=True, exist_ok=True)
    part.replace(final)
    if sync and sys.platform != "win32":
        folder = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def replace_file(path: Path, data: bytes, *, private: bool = False, sync: bool = True) -> None:
    """Write a file so that its name holds the old bytes or the new ones, never half.

    Args:
        path: the file; its folder is made where absent.
        data: all of it.
        private: only its owner may read it.
        sync: wait until it is on the disk; False for files that can be made again.

    Raises:
        OSError: it cannot be written; the old file is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}.part")
    mode = 0o600 if private else 0o666  # less the user's umask
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(part, flags, mode), "wb") as file:
            file.write(data)
        publish(part, path, sync=sync)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write an output file atomically.

    Args:
        path: the file; its folder must exist.
        data: content of the file.
        private: whether only the owner may read it.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        if not path.name:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        replace_file(path, data, private=private)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise OutputError(
            f"cannot write {path}: {getattr(error, 'strerror', None) or error}",
            hint="Choose a place in a folder that exists and that you may write to.",
        ) from error


def copy_limited(
    source: IO[bytes], target: IO[bytes], limit: int, report: Callable[[int], None]
) -> int:
    """Copy at most `limit` + 1 bytes and return their number; `limit` + 1 means "too many"."""
    done = 0
    while done <= limit:
        block = source.read(min(_CHUNK, limit + 1 - done))
        if not block:
            break
        target.write(block)
        done += len(block)
        report(done)
    return done


@contextmanager
def locked(path: Path, *, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock file `path`; other processes wait for it.

    The system releases the lock when its holder ends in any way, including SIGKILL.

    Args:
        path: the lock file; created where missing, and not removed.
        on_wait: called once if another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        if not _take(file, wait=False):
            on_wait()
            while not _take(file, wait=True):
                pass
        try:
            yield
        finally:
            _release(file)


if sys.platform == "win32":

    def _take(file: IO[bytes], *, wait: bool) -> bool:
        file.seek(0)
        try:
            # LK_LOCK gives up after ten seconds: the caller tries again.
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _release(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:

    def _take(file: IO[bytes], *, wait: bool) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def _release(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
