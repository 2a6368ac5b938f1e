"""The audit trail of what a gallery does not write down itself: who was looked up, by which key.

Lines are gathered and written twice a second, so that looking at photos does not wait for the
disk. They hold the ids of people, never names or faces; somebody who is in a recognizer file has
no id and is counted only.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY, time TEXT NOT NULL, action TEXT NOT NULL, person TEXT NOT NULL,
    key TEXT NOT NULL, detail TEXT NOT NULL
) STRICT
"""
_SECONDS = 0.5
_MOST = 1_000_000
"""Older lines than this many are dropped."""

_log = logging.getLogger("mien.server")


@dataclass(frozen=True, slots=True)
class Line:
    """One event.

    Attributes:
        time: UTC, ISO 8601.
        action: what was done.
        person: id; empty for nobody in particular.
        key: id of the key.
        detail: numbers about it.
    """

    time: str
    action: str
    person: str
    key: str
    detail: str


class Audit:
    """Writes and reads the trail; safe to use from many threads.

    Args:
        path: of its database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file = threading.Lock()
        self._lines: list[Line] = []
        self._stop = threading.Event()
        self._write(())
        with contextlib.suppress(OSError):
            path.chmod(0o600)
        self._thread = threading.Thread(target=self._run, name="mien-audit", daemon=True)
        self._thread.start()

    def note(self, action: str, key: str, people: Sequence[str] = ("",), detail: str = "") -> None:
        """Take note of an event, a line for each person."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._lock:
            self._lines += [Line(now, action, person, key, detail) for person in people]

    def latest(self, limit: int) -> list[Line]:
        """Return the last events, latest first."""
        self._flush()
        with self._file, contextlib.closing(sqlite3.connect(self._path, timeout=10)) as database:
            rows = database.execute(
                "SELECT time, action, person, key, detail FROM events ORDER BY number DESC LIMIT ?",
                (limit,),
            ).fetchall()
        return [Line(*row) for row in rows]

    def close(self) -> None:
        """Write what is left."""
        self._stop.set()
        self._thread.join()
        self._flush()

    def _run(self) -> None:
        while not self._stop.wait(_SECONDS):
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        if lines:
            self._write(lines)

    def _write(self, lines: Sequence[Line]) -> None:
        try:
            with (
                self._file,
                contextlib.closing(sqlite3.connect(self._path, timeout=10)) as database,
                database,
            ):
                database.execute(_SCHEMA)
                database.executemany(
                    "INSERT INTO events (time, action, person, key, detail) VALUES (?, ?, ?, ?, ?)",
                    [(row.time, row.action, row.person, row.key, row.detail) for row in lines],
                )
                database.execute(
                    "DELETE FROM events WHERE number <= (SELECT max(number) FROM events) - ?",
                    (_MOST,),
                )
        except sqlite3.Error:
            _log.exception("the audit trail cannot be written: %d lines are lost", len(lines))
