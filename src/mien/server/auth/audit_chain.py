"""Chain of the audit trail: each line has a keyed digest of itself and of the line before.

A line that is changed, added or removed breaks the chain at that place. The two ends are kept in
a record with a digest of its own: the last line that was pruned, and the last line. A person who
has the secret can make any trail. An old copy of the whole file that was put back shows only by a
line that was noted elsewhere. Lines of a version without a chain are linked once, and a line says
so: a file from which the chain was removed would look like one.
"""

from __future__ import annotations

import hmac
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mien.text import count

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY, time TEXT NOT NULL, action TEXT NOT NULL, person TEXT NOT NULL,
    key TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS chain (
    id INTEGER PRIMARY KEY CHECK (id = 1), pruned INTEGER NOT NULL, pruned_link BLOB NOT NULL,
    last INTEGER NOT NULL, last_link BLOB NOT NULL, seal BLOB NOT NULL) STRICT
"""
_NEW_COLUMNS = ("address TEXT NOT NULL DEFAULT ''", "link BLOB")
"""Columns that version 0.1.0 does not know; it can still write to the file."""

COLUMNS = "number, time, action, person, key, detail, address"
_ENDS = "SELECT pruned, pruned_link, last, last_link, seal FROM chain"
_NO_LINK = bytes(32)
_MAX_FAULTS = 20
_LINK_DIGITS = 16
_LEAST = -(1 << 63)
"""The least number that SQLite has; lines are numbered from 1."""

_encoded = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode

Line = tuple[int, str, str, str, str, str, str]
"""The columns of a line, in the order of `COLUMNS`."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of a chain.

    Attributes:
        pruned: number of the last line that was pruned; 0 if none was.
        pruned_link: its digest.
        last: number of the last line; equal to `pruned` if there is none.
        last_link: its digest.
    """

    pruned: int = 0
    pruned_link: bytes = _NO_LINK
    last: int = 0
    last_link: bytes = _NO_LINK


@dataclass(frozen=True, slots=True)
class TrailCheck:
    """The result of a check.

    Attributes:
        faults: what is wrong, in words, at most 20; empty if the trail is whole.
        lines: number of lines.
        pruned: number of the last line that was pruned; 0 if none was.
        last: number of the last line.
        last_link: its digest. The first digits, `link`, noted elsewhere with `last`, show later
            that the trail still has this line.
    """

    faults: tuple[str, ...]
    lines: int
    pruned: int
    last: int
    last_link: bytes

    @property
    def link(self) -> str:
        """First digits of the last line's digest, in hexadecimal."""
        return self.last_link.hex()[:_LINK_DIGITS]

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "whole": self.whole,
            "faults": list(self.faults),
            "lines": self.lines,
            "pruned": self.pruned,
            "last": self.last,
            "link": self.link,
        }

    @property
    def whole(self) -> bool:
        """Whether no line was changed, added or removed."""
        return not self.faults


def link_of(secret: bytes, before: bytes, line: Sequence[object]) -> bytes:
    """Return the digest of a line: HMAC-SHA256 of the digest before it and of its columns."""
    return hmac.digest(secret, before + _encoded(line).encode(), "sha256")


def prepare(database: sqlite3.Connection, secret: bytes) -> tuple[Ends, bool]:
    """Make the tables, or add what an earlier version lacks; inside a transaction.

    Returns:
        The ends of the chain, and whether they are as they were written. Where only they are
        missing they were removed: they are written with the first line.
    """
    tables = "SELECT count(*) FROM sqlite_master WHERE name = 'chain'"
    (chained,) = database.execute(tables).fetchone()
    for statement in SCHEMA.split(";"):
        database.execute(statement)
    known = {row[1] for row in database.execute("PRAGMA table_info(events)")}
    chained = chained or "link" in known
    for column in _NEW_COLUMNS:
        if column.split()[0] not in known:
            database.execute(f"ALTER TABLE events ADD COLUMN {column}")
    found = read_ends(database, secret)
    if found is not None:
        return found
    if chained:  # to link the lines again would hide which are missing
        return Ends(), False
    ends = _chain_earlier_lines(database, secret)
    write_ends(database, secret, ends)
    return ends, True


def _chain_earlier_lines(database: sqlite3.Connection, secret: bytes) -> Ends:
    """Link the lines of a version that had no chain."""
    lines = database.execute(f"SELECT {COLUMNS} FROM events ORDER BY number").fetchall()  # noqa: S608
    pruned = lines[0][0] - 1 if lines else 0
    link, last, links = _NO_LINK, pruned, []
    for line in lines:
        link = link_of(secret, link, line)
        last = line[0]
        links.append((link, last))
    database.executemany("UPDATE events SET link = ? WHERE number = ?", links)
    if lines:
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        detail = f"{count(len(lines), 'line')} before this one had no chain"
        line = (last + 1, time, "chain started", "", "", detail, "")
        last, link = last + 1, link_of(secret, link, line)
        sql = f"INSERT INTO events ({COLUMNS}, link) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        database.execute(sql, (*line, link))
    return Ends(pruned, _NO_LINK, last, link)


def read_ends(database: sqlite3.Connection, secret: bytes) -> tuple[Ends, bool] | None:
    """Return the ends of the chain and whether they are as they were written; None if missing."""
    row = database.execute(_ENDS).fetchone()
    if row is None:
        return None
    ends = Ends(*row[:4])
    return ends, hmac.compare_digest(_seal(secret, ends), row[4])


def write_ends(database: sqlite3.Connection, secret: bytes, ends: Ends) -> None:
    """Write the ends of the chain."""
    row = (ends.pruned, ends.pruned_link, ends.last, ends.last_link, _seal(secret, ends))
    database.execute("INSERT OR REPLACE INTO chain VALUES (1, ?, ?, ?, ?, ?)", row)


def _seal(secret: bytes, ends: Ends) -> bytes:
    pair = [ends.pruned, ends.pruned_link.hex(), ends.last, ends.last_link.hex()]
    return link_of(secret, b"ends", pair)


def check_chain(
    database: sqlite3.Connection,
    secret: bytes,
    *,
    noted: tuple[int, str] | None = None,
    since: tuple[int, bytes] | None = None,
) -> TrailCheck:
    """Compare every line of the trail with its digest; inside a transaction.

    Args:
        database: with the tables that `prepare` makes.
        secret: that the trail was written with.
        noted: number and first digits of the digest of a line that the trail had; the digits may
            be empty.
        since: number and digest of a line; if it is there, only the lines after it are compared.
    """
    ends, sealed = read_ends(database, secret) or (Ends(), False)
    if since and _stored_link(database, since[0]) != since[1]:
        since = None
    start = since or (ends.pruned, ends.pruned_link)
    check = _Check(secret, ends, start)
    lines = f"SELECT {COLUMNS}, link FROM events WHERE number > ? ORDER BY number"  # noqa: S608
    first = (start[0] if since else _LEAST,)
    faults = [] if sealed else ["the record of the first and last line was changed"]
    for fault in check.faults(database.execute(lines, first)):
        if len(faults) < _MAX_FAULTS:
            faults.append(fault)
    faults += _lacks(database, ends, noted)
    total = check.lines + start[0] - ends.pruned
    return TrailCheck(tuple(faults), total, ends.pruned, ends.last, ends.last_link)


class _Check:
    """Reads the lines of a trail in order."""

    def __init__(self, secret: bytes, ends: Ends, start: tuple[int, bytes]) -> None:
        self._secret = secret
        self._ends = ends
        self._start = start
        self.lines = 0

    def faults(self, rows: Iterator[tuple[object, ...]]) -> Iterator[str]:
        ends = self._ends
        expected, link = self._start[0] + 1, self._start[1]
        for *line, stored in rows:
            self.lines += 1
            number = int(str(line[0]))
            if number < expected:
                yield f"line {number} was added"
                continue
            if number > expected:
                yield f"{_span(expected, number - 1)} missing"
            expected = number + 1
            if not isinstance(stored, bytes):
                yield f"line {number} was added without the chain, as an earlier version does"
                continue
            if not hmac.compare_digest(link_of(self._secret, link, line), stored):
                yield f"line {number} was changed, or the line before it was"
            link = stored
        if expected <= ends.last:
            yield f"{_span(expected, ends.last)} missing"
        elif link != ends.last_link:
            yield "the last line is not the one that was written last"


def _span(first: int, last: int) -> str:
    return f"line {first} is" if first == last else f"lines {first} to {last} are"


def _lacks(
    database: sqlite3.Connection, ends: Ends, noted: tuple[int, str] | None
) -> Iterator[str]:
    if noted is None:
        return
    number, digits = noted
    if ends.last < number:
        yield f"the trail ends at line {ends.last}, before line {number} that was noted"
        return
    link = _stored_link(database, number)
    if link is not None and digits and not link.hex().startswith(digits.lower()):
        yield f"line {number} is not the line that was noted"


def _stored_link(database: sqlite3.Connection, number: int) -> bytes | None:
    row = database.execute("SELECT link FROM events WHERE number = ?", (number,)).fetchone()
    return row[0] if row and isinstance(row[0], bytes) else None
