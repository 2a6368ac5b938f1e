"""Audit trail of events that the gallery does not record: identifications, sign-ins, refusals.

One thread writes the events that wait, all in one transaction, and then those who recorded them go
on: a route knows whether its event is on the disk before it answers. Lines contain ids of people,
never names or faces. People of a recognizer file have no id; only their number is recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedTooLong
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from mien.errors import OutputError
from mien.files import make_private_file
from mien.server.auth.audit_chain import (
    COLUMNS,
    Ends,
    TrailCheck,
    check_chain,
    link_of,
    prepare,
    write_ends,
)
from mien.server.auth.refusals import Refusal, Refusals
from mien.text import count

MAX_EVENTS = 1_000_000
"""Older events are deleted beyond this number."""

_MAX_UNWRITTEN = 10_000
"""Events that are kept in memory while the file cannot be written."""

_TICK = 0.5
"""Seconds between looks at what is due, such as the refusals of a minute."""

_PATIENCE = 3.0
"""Seconds to wait for another process that writes to the file."""

_CHECK_ALWAYS, _CHECK_AGAIN = 100_000, 3600.0
"""Lines that every check compares; seconds after which it compares all of a longer trail again."""

_WAIT = 10.0
"""Seconds that an answer waits for its event to be written."""

_SELECT = f"SELECT {COLUMNS} FROM events ORDER BY number DESC LIMIT ?"  # noqa: S608
_INSERT = f"INSERT INTO events ({COLUMNS}, link) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608

_log = logging.getLogger("mien.server")


@dataclass(frozen=True, slots=True)
class AccessEvent:
    """An event of the audit trail.

    Attributes:
        time: UTC, ISO 8601, with `Z`; `+00:00` in lines of version 0.1.0.
        action: kind of event.
        person: id of the person; empty if the event concerns no single person.
        key: id of the key.
        detail: further information, such as counts.
        address: of the client, for sign-ins and refusals.
    """

    time: str
    action: str
    person: str
    key: str
    detail: str
    address: str = ""


Waiting = tuple[Sequence[AccessEvent], Future[bool]]


class AuditTrail:
    """Writes and reads the audit trail; thread-safe.

    Args:
        path: SQLite database, created if missing.
        secret: for the chain of lines; see `Keys.derived`.
        max_events: number of lines beyond which the oldest are deleted.
    """

    def __init__(self, path: Path, secret: bytes, *, max_events: int = MAX_EVENTS) -> None:
        self._path = path
        self._secret = secret
        self._max_events = max_events
        self._refusals = Refusals()
        self._changed = threading.Condition()
        self._waiting: list[Waiting] = []
        self._closing = False
        self._database: sqlite3.Connection | None = None
        self._file = 0
        self._ends = Ends()
        self._unwritten: deque[AccessEvent] = deque(maxlen=_MAX_UNWRITTEN)
        self._lost = 0
        self._failing = False
        self._check_lock = threading.Lock()
        self._checked: tuple[int, bytes] | None = None
        self._checked_at = 0.0
        with contextlib.suppress(OSError):  # `_write` says what is wrong
            make_private_file(path)
        self._thread = threading.Thread(target=self._run, name="mien-audit", daemon=True)
        self._thread.start()
        self._flush()

    def record(
        self,
        action: str,
        key: str,
        people: Sequence[str] = ("",),
        detail: str = "",
        *,
        address: str = "",
    ) -> Future[bool]:
        """Record an event, once per person; the result says whether it is on the disk."""
        line = AccessEvent(_now(), action, "", key, _text(detail), _text(address))
        return self._submit([replace(line, person=each) for each in people])

    def refuse(self, refusal: Refusal) -> None:
        """Record a refused request, counted per address and minute."""
        if self._refusals.add(refusal):
            self._submit([_line_of(refusal)])

    @property
    def unwritten(self) -> int:
        """Number of events that could not be written yet, and are tried again."""
        return len(self._unwritten)

    def latest(self, limit: int) -> list[AccessEvent]:
        """Return the most recent events, latest first.

        Raises:
            OutputError: the file cannot be read.
        """
        self._flush()
        with _reading(self._path) as database:
            return [AccessEvent(*row[1:]) for row in database.execute(_SELECT, (limit,))]

    def check(self) -> TrailCheck:
        """Compare the lines with the chain.

        Of more than 100,000 lines, those that were compared within the last hour are not compared
        again.

        Raises:
            OutputError: the file cannot be read.
        """
        self._flush()
        with self._check_lock, _reading(self._path) as database:
            known, when = self._checked, self._checked_at
            recent = time.monotonic() - when < _CHECK_AGAIN
            since = known if known and known[0] > _CHECK_ALWAYS and recent else None
            found = check_chain(database, self._secret, since=since)
            if found.whole:
                self._checked = found.last, found.last_link
                self._checked_at = when if since else time.monotonic()
            else:
                self._checked = None
            return found

    def close(self) -> None:
        """Write the events that wait and stop the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _submit(self, events: Sequence[AccessEvent]) -> Future[bool]:
        future: Future[bool] = Future()
        with self._changed:
            if self._closing:
                future.set_result(False)
                return future
            self._waiting.append((events, future))
            self._changed.notify()
        return future

    def _flush(self) -> None:
        with contextlib.suppress(WaitedTooLong):
            self._submit(()).result(_WAIT)

    # The thread that writes

    def _run(self) -> None:
        while not self._closing or self._waiting:
            with self._changed:
                if not self._closing and not self._waiting:
                    self._changed.wait(_TICK)
                waiting, self._waiting = self._waiting, []
            self._write_all(waiting)
        self._write_all([])
        self._disconnect()

    def _write_all(self, waiting: Sequence[Waiting]) -> None:
        due = self._refusals.due(now=self._closing)
        events = [event for events, _ in waiting for event in events]
        events += [_line_of(refusal, more) for refusal, more in due]
        done = self._write(events) if events or self._database is None else True
        for _, future in waiting:
            future.set_result(done)

    def _write(self, events: Sequence[AccessEvent]) -> bool:
        late = [*self._unwritten]
        if self._lost:
            detail = f"{count(self._lost, 'event')} before this one could not be written"
            late.append(AccessEvent(_now(), "events lost", "", "", detail))
        try:
            database = self._connected()
            with database:
                database.execute("BEGIN IMMEDIATE")
                ends = self._append(database, [*late, *events])
        except Exception:  # noqa: BLE001 - the thread goes on: it tries again
            if not self._failing:
                _log.exception("the audit trail cannot be written")
            self._failing = True
            self._disconnect()
            self._keep(events)
            return False
        self._ends, self._lost, self._failing = ends, 0, False
        self._unwritten.clear()
        return True

    def _keep(self, events: Sequence[AccessEvent]) -> None:
        """Keep events for the next attempt, the latest where there are too many."""
        self._lost += max(0, len(self._unwritten) + len(events) - _MAX_UNWRITTEN)
        self._unwritten += events

    def _append(self, database: sqlite3.Connection, events: Sequence[AccessEvent]) -> Ends:
        ends, rows = self._ends, []
        for event in events:
            line = (ends.last + 1, *astuple(event))
            ends = replace(
                ends, last=ends.last + 1, last_link=link_of(self._secret, ends.last_link, line)
            )
            rows.append((*line, ends.last_link))
        database.executemany(_INSERT, rows)
        oldest = ends.last - self._max_events
        if oldest > ends.pruned:
            row = database.execute("SELECT link FROM events WHERE number = ?", (oldest,)).fetchone()
            database.execute("DELETE FROM events WHERE number <= ?", (oldest,))
            link = row[0] if row and row[0] else ends.pruned_link
            ends = replace(ends, pruned=oldest, pruned_link=link)
        write_ends(database, self._secret, ends)
        return ends

    def _connected(self) -> sqlite3.Connection:
        """Return the connection; connect, and continue the chain where it ends."""
        if self._database is not None and self._file == _file_number(self._path):
            return self._database
        self._disconnect()
        database = sqlite3.connect(
            self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
        )
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("BEGIN IMMEDIATE")
            with database:
                ends, sealed = prepare(database, self._secret)
                (highest,) = database.execute(
                    "SELECT coalesce(max(number), 0) FROM events"
                ).fetchone()
        except BaseException:
            database.close()
            raise
        # After a line that was added without the chain. Where the ends were changed, or the file
        # was replaced, the numbers that are left out stay missing: a check goes on to report it.
        last = max(ends.last, highest, self._ends.last) + (not sealed)
        self._ends, self._database = replace(ends, last=last), database
        self._file = _file_number(self._path)
        return database

    def _disconnect(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            with contextlib.suppress(sqlite3.Error):
                database.close()


async def wait_until_written(future: Future[bool]) -> bool:
    """Return whether an event is on the disk; waits at most 10 seconds."""
    try:
        async with asyncio.timeout(_WAIT):
            return await asyncio.shield(asyncio.wrap_future(future))
    except TimeoutError:
        return False


def check_file(path: Path, secret: bytes, *, noted: tuple[int, str] | None = None) -> TrailCheck:
    """Check the audit trail of a data folder, also while its server runs; see `check_chain`.

    Raises:
        OutputError: the file cannot be read.
    """
    _migrate(path, secret)
    with _reading(path) as database:
        return check_chain(database, secret, noted=noted)


def read_file(path: Path, secret: bytes, limit: int) -> list[AccessEvent]:
    """Return the most recent events of a data folder's audit trail, latest first.

    Raises:
        OutputError: the file cannot be read.
    """
    _migrate(path, secret)
    with _reading(path) as database:
        return [AccessEvent(*row[1:]) for row in database.execute(_SELECT, (limit,))]


def _migrate(path: Path, secret: bytes) -> None:
    """Give the trail of version 0.1.0 its chain, as a server does when it starts."""
    with _reading(path) as database:
        sql = "SELECT 1 FROM sqlite_master WHERE name = 'chain'"
        chained = database.execute(sql).fetchone()
    if not chained:
        AuditTrail(path, secret).close()


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection with a view of the file in which nothing changes."""
    address = f"{path.absolute().as_uri()}?mode=rw"
    try:
        database = sqlite3.connect(address, uri=True, timeout=_PATIENCE, isolation_level=None)
        try:
            database.execute("BEGIN")
            yield database
        finally:
            database.close()
    except sqlite3.Error as error:
        raise OutputError(
            f"the audit trail {path} cannot be read: {error}",
            hint="Check the permissions of the data folder.",
        ) from error


def _file_number(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1


def _line_of(refusal: Refusal, more: int = 0) -> AccessEvent:
    detail = refusal.detail
    if more:
        detail = f"{detail}, {more} more" if detail else f"{more} requests"
    return AccessEvent(_now(), refusal.action, "", refusal.key, detail, _text(refusal.address))


def _text(text: str) -> str:
    """Return a text that SQLite can store: a lone surrogate is replaced."""
    return text.encode("utf-8", "replace").decode()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
