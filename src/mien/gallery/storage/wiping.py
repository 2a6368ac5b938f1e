"""Wiping deleted data from a gallery's files, at once or when the other readers have ended.

Deleted rows are overwritten at once (secure_delete). VACUUM then rewrites the file, and the log,
which holds older pages, is moved into it and truncated. That last step waits for every process
that reads an older state: it is tried again in the background, and each time the gallery is opened.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mien.errors import GalleryBusy

CLEAN, TO_REWRITE, TO_CUT = "0", "1", "2"
"""States of the setting `scrub`: nothing to wipe; the file is to be rewritten; it is rewritten,
and the log is to be cut."""

PATIENCE = 0.5
"""Seconds that a change waits for other readers."""

INTERVAL = 1.0
"""Seconds between attempts in the background."""


def wipe(
    base: sqlite3.Connection, note: Callable[[str], None], *, rewrite: bool, patience: float
) -> None:
    """Wipe deleted data from the files.

    Args:
        base: the connection, in no transaction.
        note: stores the state.
        rewrite: whether the file is still to be rewritten.
        patience: seconds to wait for other processes.

    Raises:
        GalleryBusy: another process is still reading.
        sqlite3.Error: as of SQLite.
    """
    with _patience(base, patience):
        if rewrite:
            note(TO_REWRITE)
            base.execute("VACUUM")
            note(TO_CUT)
        _cut_log(base)
        note(CLEAN)
        _cut_log(base)


def _cut_log(base: sqlite3.Connection) -> None:
    busy, _, _ = base.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise GalleryBusy(
            "deleted, but another process still reads the old pages",
            hint="They are wiped when that process has ended.",
        )


@contextmanager
def _patience(base: sqlite3.Connection, seconds: float) -> Iterator[None]:
    (before,) = base.execute("PRAGMA busy_timeout").fetchone()
    base.execute(f"PRAGMA busy_timeout = {int(seconds * 1000):d}")
    try:
        yield
    finally:
        base.execute(f"PRAGMA busy_timeout = {before:d}")


class BackgroundWiper:
    """Tries again, in a thread, until deleted data is wiped.

    Args:
        attempt: a method that returns whether nothing is left to do. Its object is not kept alive.
    """

    def __init__(self, attempt: Callable[[], bool]) -> None:
        self._attempt = weakref.WeakMethod(attempt)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start trying, unless that goes on already."""
        if self._stop.is_set() or (self._thread is not None and self._thread.is_alive()):
            return
        self._thread = threading.Thread(
            target=_try_until_done, args=(self._attempt, self._stop), name="mien-wipe", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop trying, and wait for an attempt that is under way."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()


def _try_until_done(attempt: weakref.WeakMethod[Callable[[], bool]], stop: threading.Event) -> None:
    while not stop.wait(INTERVAL):
        found = attempt()
        if found is None or found():
            return
        del found  # else the gallery would stay alive while this thread waits
