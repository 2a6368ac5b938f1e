"""Atomic file writing, and locks between processes."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
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
_SHORT_NAME = 120
_BINARY = getattr(os, "O_BINARY", 0)
_CANNOT_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})
"""What file systems answer that cannot sync a folder."""


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


def real_path(path: Path) -> Path:
    """Return a path without symlinks.

    Before Python 3.13 `Path.resolve` raises RuntimeError where symlinks form a loop.
    """
    return Path(os.path.realpath(path))


def output_path(path: Path) -> Path:
    """Return the file that an output with this name replaces: symlinks are written through.

    Raises:
        OSError: the name belongs to a folder, a device, a pipe or a socket; or its symlinks form a
            loop.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - so that a test can count system calls
    except FileNotFoundError:
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a device, a pipe or a socket, not a file", str(path))
    return real_path(path) if path.is_symlink() else path


def part_path(final: Path) -> Path:
    """Return a new hidden name beside a file, for its content until it is complete.

    It fits where the file's own name does: most systems allow 255 bytes.
    """
    return final.with_name(f".{short_name(final.name)}.{secrets.token_hex(8)}.part")


def short_name(name: str) -> str:
    """Return a file name of at most 120 bytes; equal for equal names, the same if short enough."""
    data = os.fsencode(name)
    if len(data) <= _SHORT_NAME:
        return name
    start = data[: _SHORT_NAME - 33].decode("utf-8", "ignore")
    return f"{start}-{hashlib.sha256(data).hexdigest()[:32]}"


def make_folder(folder: Path, *, private: bool = False, sync: bool = True) -> None:
    """Make a folder and those above it where they are missing.

    Args:
        folder: where it exists, it stays as it is. Where it is a symlink that leads to nothing, the
            folder is made there.
        private: only its owner may enter what is made.
        sync: wait until the new names are on the disk.

    Raises:
        OSError: it cannot be made.
    """
    if not folder.is_dir():
        folder = real_path(folder) if folder.is_symlink() else folder
        if folder.parent != folder:
            make_folder(folder.parent, private=private, sync=sync)
        folder.mkdir(mode=0o700 if private else 0o777, exist_ok=True)
        if sync:
            sync_folder(folder.parent)


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter; an existing one is closed to others.

    Raises:
        OSError: it cannot be made.
    """
    make_folder(folder, private=True)
    close_to_others(folder)


def close_to_others(path: Path) -> None:
    """Take all permissions on a file or folder from everyone but its owner, where we may."""
    with contextlib.suppress(OSError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            path.chmod(mode & ~0o077)


def make_private_file(path: Path) -> None:
    """Make an empty file that only its owner may read; an existing one is closed to others.

    SQLite gives its journals the permissions of the database.

    Raises:
        OSError: it cannot be made.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY
    try:
        os.close(os.open(path, flags, 0o600))
    except FileExistsError:
        close_to_others(path)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can do that.

    Raises:
        OSError: the disk reports an error.
    """
    if sys.platform == "win32":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder that may be written to and not listed
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Wait until a file's content is on the disk.

    Raises:
        OSError: the disk reports an error.
    """
    handle = os.open(path, os.O_RDWR | _BINARY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish(part: Path, final: Path, *, sync: bool = True) -> None:
    """Give a finished file its final name; a reader sees the old file or the new one, whole.

    Args:
        part: the finished file.
        final: its new path; written through where it is a symlink.
        sync: wait until it is on the disk; False for files that can be made again.

    Raises:
        OSError: it cannot be renamed; the old file or the new one is there, whole.
    """
    if sync:
        sync_file(part)
    final = output_path(final)
    make_folder(final.parent)
    part.replace(final)
    if sync:
        sync_folder(final.parent)


def replace_file(path: Path, data: bytes, *, private: bool = False, sync: bool = True) -> None:
    """Write a file so that its name holds the old bytes or the new ones, never half.

    Args:
        path: the file; its folder is made where absent, private as the file. Where it is a
            symlink, the file that it leads to is written. A file that is replaced keeps its
            permissions.
        data: all of it.
        private: only its owner may read it.
        sync: wait until it is on the disk; False for files that can be made again.

    Raises:
        OSError: it cannot be written; the old file or the new one is there, whole.
    """
    final = output_path(path)
    make_folder(final.parent, private=private, sync=sync)
    part = part_path(final)
    try:
        mode = 0o600 if private else 0o666  # less the user's umask
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode)
        try:
            if not private:
                _copy_permissions(final, handle)
            _write_all(handle, data)
            if sync:
                os.fsync(handle)
        finally:
            os.close(handle)
        part.replace(final)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    if sync:
        sync_folder(final.parent)


def create_private_file(path: Path, data: bytes) -> None:
    """Write a new file that only its owner may read, and wait until it is on the disk.

    Args:
        path: must not exist; may be a symlink to where nothing is. Its folder is made.
        data: all of it.

    Raises:
        OSError: it exists, or cannot be written; then nothing is left of it.
    """
    final = output_path(path)
    make_folder(final.parent, private=True)
    handle = os.open(final, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
    try:
        try:
            _write_all(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        sync_folder(final.parent)
    except BaseException:
        final.unlink(missing_ok=True)
        raise


def _copy_permissions(final: Path, handle: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # there is none, or a system without modes
        os.fchmod(handle, stat.S_IMODE(final.stat().st_mode))


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write an output file atomically.

    Args:
        path: the file; its folder must exist. Symlinks are written through.
        data: content of the file.
        private: whether only the owner may read it.

    Raises:
        OutputError: it cannot be written, or is a device, a pipe or a folder.
    """
    try:
        if not path.name:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not output_path(path).parent.is_dir():
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

    Raises:
        OSError: the lock file cannot be opened.
    """
    with _open_lock(path) as file:
        if not _take(file, wait=False):
            on_wait()
            while not _take(file, wait=True):
                pass
        try:
            yield
        finally:
            _release(file)


@contextmanager
def locked_now(path: Path) -> Iterator[bool]:
    """Hold the lock file `path` if no other process holds it; yields whether it is held.

    The system releases the lock when its holder ends in any way, including SIGKILL.

    Args:
        path: the lock file; created where missing, and not removed.

    Raises:
        OSError: the lock file cannot be opened, or the file system has no locks.
    """
    with _open_lock(path) as file:
        if not _take(file, wait=False):
            yield False
            return
        try:
            yield True
        finally:
            _release(file)


def _open_lock(path: Path) -> IO[bytes]:
    make_folder(path.parent, sync=False)
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o600), "rb+")


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
