"""Faults inside SQLite: each of its operations on files fails in turn, or the process ends at one.

SQLite reaches files through a table of functions, its VFS. Here the functions of the system's own
are called, but for the one that is to fail: SQLite then rolls back, retries and reports as it does
on a disk that is full or broken, or beside another process.

::

    for fault in every_fault(work):        # runs `work` once to count its operations
        prepare the old state
        fault.run(work)
        check that the old or the new state is there
"""

from __future__ import annotations

import ctypes
import functools
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from mien.errors import MienError

KILLED = -1
_EXIT_CODE = 43
_OK = sqlite3.SQLITE_OK
_FULL, _BUSY, _IOERR = sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR
_IO = {
    "read": 1, "write": 3, "sync": 4, "truncate": 6, "delete": 10, "lock": 15, "shm_lock": 20,
    "shm_map": 21,
}  # fmt: skip
"""The second byte of SQLITE_IOERR_READ and so on, by operation."""

ERRORS = {
    "open": (sqlite3.SQLITE_CANTOPEN,),
    "delete": (_IOERR | _IO["delete"] << 8,),
    "read": (_IOERR | _IO["read"] << 8,),
    "write": (_FULL, _IOERR | _IO["write"] << 8),
    "truncate": (_IOERR | _IO["truncate"] << 8,),
    "sync": (_IOERR | _IO["sync"] << 8,),
    "lock": (_BUSY, _IOERR | _IO["lock"] << 8),
    "shm_map": (_FULL, _IOERR | _IO["shm_map"] << 8),
    "shm_lock": (_BUSY, _IOERR | _IO["shm_lock"] << 8),
}
"""Codes that an operation fails with."""

_CHANGING = {"open", "delete", "write", "truncate", "sync", "shm_map"}
_LOCKING = {"lock", "shm_lock"}
_LOCKS = 0x10
"""In the flags of a call for a shared-memory lock: SQLITE_SHM_LOCK is 2, UNLOCK 1."""


@dataclass(frozen=True)
class Fault:
    """A failure of one of SQLite's operations on files.

    Attributes:
        number: which operation fails, counted from 0.
        what: the operation.
        error: SQLite's code; KILLED where the process ends instead.
        persists: later operations of its kind fail too, as on a disk that stays full.
    """

    number: int
    what: str
    error: int
    persists: bool = False

    def run(self, work: Callable[[], object]) -> str:
        """Run `work` with this fault and return the name of the error that it ended in.

        Raises:
            Exception: one that is no MienError: the fault was not translated.
        """
        if self.error == KILLED:
            child = os.fork()
            if not child:
                try:
                    with injected(self):
                        work()
                finally:
                    os._exit(0)  # the operation was not reached
            os.waitpid(child, 0)
            return "killed"
        with injected(self):
            try:
                work()
            except MienError as error:
                return type(error).__name__
        return ""


def every_fault(
    work: Callable[[], object], *, step: int = 1, killed: bool = True
) -> Iterator[Fault]:
    """Yield each fault of `work`, which is first run once without any.

    Args:
        work: opens its databases, changes them and closes them.
        step: yield only each so many-th.
        killed: also end the process at each operation.
    """
    with injected(None) as made:
        work()
    faults = []
    for number, what in enumerate(made):
        for error in ERRORS[what]:
            faults.append(Fault(number, what, error))
            if what in _CHANGING | _LOCKING:
                faults.append(Fault(number, what, error, persists=True))
        if killed and what in _CHANGING:
            faults.append(Fault(number, what, KILLED))
    yield from faults[::step]


@contextmanager
def injected(fault: Fault | None) -> Iterator[list[str]]:
    """Fail one operation of all databases opened meanwhile; yields the operations made so far."""
    layer = _layer()
    layer.made, layer.fault = [], fault
    layer.use(own=True)
    try:
        yield layer.made
    finally:
        layer.fault = None
        layer.use(own=False)


class _Vfs(ctypes.Structure):
    """The beginning of sqlite3_vfs, version 3."""

    _fields_ = (
        ("version", ctypes.c_int), ("file_size", ctypes.c_int), ("longest_path", ctypes.c_int),
        ("next", ctypes.c_void_p), ("name", ctypes.c_char_p), ("data", ctypes.c_void_p),
        ("open", ctypes.c_void_p), ("delete", ctypes.c_void_p), ("others", ctypes.c_void_p * 7),
        ("sleep", ctypes.c_void_p), ("more", ctypes.c_void_p * 6),
    )  # fmt: skip


class _Methods(ctypes.Structure):
    """sqlite3_io_methods, version 3."""

    _fields_ = (
        ("version", ctypes.c_int), ("close", ctypes.c_void_p), ("read", ctypes.c_void_p),
        ("write", ctypes.c_void_p), ("truncate", ctypes.c_void_p), ("sync", ctypes.c_void_p),
        ("size", ctypes.c_void_p), ("lock", ctypes.c_void_p), ("others", ctypes.c_void_p * 5),
        ("shm_map", ctypes.c_void_p), ("shm_lock", ctypes.c_void_p), ("more", ctypes.c_void_p * 4),
    )  # fmt: skip


_P, _I, _L = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_SIGNATURES = {
    "open": (_P, _P, _P, _I, _P), "delete": (_P, _P, _I), "sleep": (_P, _I),
    "read": (_P, _P, _I, _L), "write": (_P, _P, _I, _L), "truncate": (_P, _L), "sync": (_P, _I),
    "lock": (_P, _I), "shm_map": (_P, _I, _I, _I, _P), "shm_lock": (_P, _I, _I, _I),
}  # fmt: skip


class _Layer:
    """The VFS. It stays registered: a connection that is open keeps pointers into it."""

    def __init__(self, library: ctypes.CDLL) -> None:
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        library.sqlite3_vfs_register.argtypes = (ctypes.c_void_p, ctypes.c_int)
        self.made: list[str] = []
        self.fault: Fault | None = None
        self._library = library
        self._system = library.sqlite3_vfs_find(None)
        self._own = _Vfs.from_buffer_copy(self._system.contents)
        self._own.name = b"faults"
        self._methods: dict[int, _Methods] = {}
        self._kept: list[Any] = []  # pointers inside SQLite do not keep functions alive
        self._real_open = self._function("open", self._system.contents.open)
        self._own.open = self._pointer("open", self._open)
        self._own.delete = self._wrapped("delete", self._system.contents.delete)
        # Who waits for a lock waits for nothing here.
        self._own.sleep = self._pointer("sleep", lambda _, microseconds: microseconds)
        library.sqlite3_vfs_register(ctypes.byref(self._own), 0)

    def use(self, *, own: bool) -> None:
        """Make this VFS, or the system's, the one of new connections."""
        vfs = ctypes.byref(self._own) if own else self._system
        self._library.sqlite3_vfs_register(vfs, 1)

    def _function(self, name: str, address: int) -> Callable[..., int]:
        return ctypes.CFUNCTYPE(_I, *_SIGNATURES[name])(address)

    def _pointer(self, name: str, function: Callable[..., int]) -> int | None:
        made = ctypes.CFUNCTYPE(_I, *_SIGNATURES[name])(function)
        self._kept.append(made)
        return ctypes.cast(made, ctypes.c_void_p).value

    def _failure(self, name: str) -> int:
        """Count an operation and return the code that it fails with, or SQLITE_OK."""
        number = len(self.made)
        self.made.append(name)
        fault = self.fault
        if fault is None or number < fault.number:
            return _OK
        if number == fault.number and name == fault.what:
            if fault.error == KILLED:
                os._exit(_EXIT_CODE)
            return fault.error
        kinds = _LOCKING if fault.what in _LOCKING else _CHANGING
        if number > fault.number and fault.persists and name in kinds:
            code = fault.error & 0xFF
            return code if code in {_FULL, _BUSY} else _IOERR | _IO.get(name, 1) << 8
        return _OK

    def _wrapped(self, name: str, address: int) -> int | None:
        real = self._function(name, address)

        def call(*arguments: Any) -> int:
            if name == "shm_lock" and arguments[3] & 1:  # it gives a lock back
                return real(*arguments)
            failure = self._failure(name)
            if failure and name == "write" and failure != _BUSY:
                file, data, size, place = arguments
                real(file, data, size // 2, place)  # a disk that fills takes a part
            return failure or real(*arguments)

        return self._pointer(name, call)

    def _open(self, vfs: int, path: int, file: int, flags: int, given: int) -> int:
        failure = self._failure("open")
        if failure:
            ctypes.cast(file, ctypes.POINTER(ctypes.c_void_p))[0] = None
            return failure
        code = self._real_open(vfs, path, file, flags, given)
        place = ctypes.cast(file, ctypes.POINTER(ctypes.c_void_p))
        if place[0]:
            place[0] = ctypes.addressof(self._methods_like(place[0]))
        return code

    def _methods_like(self, address: int) -> _Methods:
        if address not in self._methods:
            made = _Methods.from_buffer_copy(_Methods.from_address(address))
            for name in ("read", "write", "truncate", "sync", "lock", "shm_map", "shm_lock"):
                real = getattr(made, name)
                if real:
                    setattr(made, name, self._wrapped(name, real))
            self._methods[address] = made
        return self._methods[address]


@functools.cache
def _layer() -> _Layer:
    """Return the layer; skips the test where Python's SQLite is not a library of its own."""
    try:
        library = ctypes.CDLL("libsqlite3.so.0")
        layer = _Layer(library)
    except (OSError, AttributeError):
        pytest.skip("SQLite is built into this Python: its files cannot be made to fail")
    layer.use(own=True)
    try:
        layer.made = []
        sqlite3.connect("file:faults?mode=memory", uri=True).close()
        with sqlite3.connect(":memory:") as base:
            (version,) = base.execute("SELECT sqlite_version()").fetchone()
        base.close()
    finally:
        layer.use(own=False)
    library.sqlite3_libversion.restype = ctypes.c_char_p
    if library.sqlite3_libversion().decode() != version:
        pytest.skip("Python has another SQLite than the system")
    return layer
