"""Fault injection: the system calls that change files fail in turn, or the process ends at one.

::

    for fault in every_fault(write):       # runs `write` once to count its calls
        prepare the old state
        fault.run(write)
        check that the old or the new state is there
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

CALLS = (
    "open", "write", "fsync", "replace", "rename", "mkdir", "unlink", "rmdir", "ftruncate", "link",
)  # fmt: skip
ERRORS = (errno.ENOSPC, errno.EIO, errno.EINTR)
KILLED = -1
_EXIT_CODE = 41


class POINTS:
    """How many faults were tried in this process; the summary of the tests prints the sum."""

    count = 0


@pytest.fixture(name="no_waiting")
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make syncs quick: no test here cuts the power."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@dataclass(frozen=True)
class Fault:
    """A failure of one system call.

    Attributes:
        number: which call fails, counted from 0.
        error: number of the error; KILLED where the process ends instead.
        persists: every later call fails too.
    """

    number: int
    error: int
    persists: bool = False

    def run(self, write: Callable[[], object]) -> None:
        """Run `write`, whose errors are expected, with this fault."""
        if self.error == KILLED:
            child = os.fork()
            if not child:
                try:
                    with patched(self):
                        write()
                finally:
                    os._exit(0)  # the call was not reached, or failed
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == _EXIT_CODE, self
        else:
            with patched(self), suppress(Exception):
                write()


def every_fault(write: Callable[[], object], *, step: int = 1) -> Iterator[Fault]:
    """Yield each fault of `write`, or each so many-th; it is first run once without any."""
    with patched(None) as counted:
        write()
    assert counted
    faults = []
    for number, _ in enumerate(counted):
        faults += [Fault(number, error) for error in ERRORS]
        faults += [Fault(number, error, persists=True) for error in (errno.ENOSPC, errno.EIO)]
        faults.append(Fault(number, KILLED))
    for fault in faults[::step]:
        POINTS.count += 1
        yield fault


@contextmanager
def patched(fault: Fault | None) -> Iterator[list[str]]:
    """Replace the system calls; yields the list of the calls made so far."""
    made: list[str] = []
    real = {name: getattr(os, name) for name in CALLS}

    def replaced(name: str) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            number = len(made)
            made.append(name)
            if fault and (
                number == fault.number or (fault.persists and _fails_later(name, fault, number))
            ):
                if name == "write":  # a disk that fills takes a part of the data
                    handle, data = arguments
                    real["write"](handle, memoryview(data)[: len(data) // 2])
                if fault.error == KILLED:
                    os._exit(_EXIT_CODE)
                raise OSError(fault.error, os.strerror(fault.error))
            return real[name](*arguments, **options)

        return call

    for name in CALLS:
        setattr(os, name, replaced(name))
    try:
        yield made
    finally:
        for name in CALLS:
            setattr(os, name, real[name])


@contextmanager
def read_only_disk(disk: Path) -> Iterator[None]:
    """Make a folder read-only: by its permissions, or as root, who ignores them, by a mount."""
    if os.geteuid():
        paths = (disk, *disk.rglob("*"))
        modes = {path: path.stat().st_mode for path in paths}
        for path in paths:
            path.chmod(modes[path] & ~0o222)
        try:
            yield
        finally:
            for path in paths:
                path.chmod(modes[path])
        return
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if (
        not mount
        or not umount
        or subprocess.run([mount, "--bind", disk, disk], check=False).returncode
    ):
        pytest.skip("root may write anywhere, and cannot mount here")
    try:
        subprocess.run([mount, "-o", "remount,ro,bind", disk], check=True)
        yield
    finally:
        subprocess.run([umount, "-l", disk], check=True)


def _fails_later(name: str, fault: Fault, number: int) -> bool:
    """A full disk still deletes; one with an error does nothing."""
    can_delete = fault.error == errno.ENOSPC and name in {"unlink", "rmdir", "ftruncate"}
    return number > fault.number and not can_delete
