"""Files that are there whole or not at all, and one process at a time to make them."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
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


def publish(part: Path, final: Path) -> None:
    """Give a finished file its final name; whoever looks sees the old file or the new, whole."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    final.parent.mkdir(parents=True, exist_ok=True)
    part.replace(final)
    if sys.platform != "win32":
        folder = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that no half of it is ever seen under its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        publish(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def copy_limited(
    source: IO[bytes], target: IO[bytes], limit: int, tell: Callable[[int], None]
) -> int:
    """Copy at most `limit` + 1 bytes and return how many; one too many means "more than limit"."""
    done = 0
    while done <= limit:
        block = source.read(min(_CHUNK, limit + 1 - done))
        if not block:
            break
        target.write(block)
        done += len(block)
        tell(done)
    return done


@contextmanager
def locked(path: Path, *, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock file `path`; another process that wants it waits.

    The system lets go of the lock when its holder ends in any way, SIGKILL included.

    Args:
        path: the lock file; made where absent, and left.
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


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turn the system's refusals while writing under `folder` into OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write to the model store {folder}: {error.strerror or error}",
            hint="Free some space there, or set MIEN_HOME to a folder that can be written to.",
        ) from error


if sys.platform == "win32":

    def _take(file: IO[bytes], *, wait: bool) -> bool:
        file.seek(0)
        try:
            # LK_LOCK tries for ten seconds and gives up: the caller asks again.
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
