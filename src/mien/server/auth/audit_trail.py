"""Audit trail of events that the gallery does not record: identifications, sign-ins, trainings.

Events are buffered and written twice per second, so that processing does not wait for the disk.
They contain ids of people, never names or faces. People of a recognizer file have no id; only
their number is recorded.
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

from mien.files import make_private_file

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY, time TEXT NOT NULL, action TEXT NOT NULL, person TEXT NOT NULL,
    key TEXT NOT NULL, detail TEXT NOT NULL
) STRICT
"""
_WRITE_SECONDS = 0.5
_MAX_EVENTS = 1_000_000
"""Older events are deleted beyond this number."""

_log = logging.getLogger("mien.server")


@dataclass(frozen=True, slots=True)
class AccessEvent:
    """An event of the audit trail.

    Attributes:
        time: UTC, ISO 8601.
        action: kind of event.
        person: id of the person; empty if the event concerns no single person.
        key: id of the key.
        detail: further information, such as counts.
    """

    time: str
    action: str
    person: str
    key: str
    detail: str


class AuditTrail:
    """Writes and reads the audit trail; thread-safe.

    Args:
        path: SQLite database, created if missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file_lock = threading.Lock()
        self._events: list[AccessEvent] = []
        self._stop = threading.Event()
        with contextlib.suppress(OSError):  # `_write` says what is wrong
            make_private_file(path)
        self._write(())
        self._thread = threading.Thread(target=self._run, name="mien-audit", daemon=True)
        self._thread.start()

    def record(
        self, action: str, key: str, people: Sequence[str] = ("",), detail: str = ""
    ) -> None:
        """Record an event, once per person."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._lock:
            self._events += [AccessEvent(now, action, person, key, detail) for person in people]

    def latest(self, limit: int) -> list[AccessEvent]:
        """Return the most recent events, latest first."""
        self._flush()
        with (
            self._file_lock,
            contextlib.closing(sqlite3.connect(self._path, timeout=10)) as database,
        ):
            rows = database.execute(
                "SELECT time, action, person, key, detail FROM events ORDER BY number DESC LIMIT ?",
                (limit,),
            ).fetchall()
        return [AccessEvent(*row) for row in rows]

    def close(self) -> None:
        """Write the buffered events and stop the thread."""
        self._stop.set()
        self._thread.join()
        self._flush()

    def _run(self) -> None:
        while not self._stop.wait(_WRITE_SECONDS):
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            events, self._events = self._events, []
        if events:
            self._write(events)

    def _write(self, events: Sequence[AccessEvent]) -> None:
        try:
            with (
                self._file_lock,
                contextlib.closing(sqlite3.connect(self._path, timeout=10)) as database,
                database,
            ):
                database.execute(_SCHEMA)
                database.executemany(
                    "INSERT INTO events (time, action, person, key, detail) VALUES (?, ?, ?, ?, ?)",
                    [(row.time, row.action, row.person, row.key, row.detail) for row in events],
                )
                database.execute(
                    "DELETE FROM events WHERE number <= (SELECT max(number) FROM events) - ?",
                    (_MAX_EVENTS,),
                )
        except sqlite3.Error:
            _log.exception("the audit trail cannot be written: %d events are lost", len(events))
