"""The tables of a gallery, and the numbered migrations that bring an older gallery up to date.

`PRAGMA user_version` counts the migrations done. All missing ones run in one transaction, so that
a gallery has the old version or the new one, never one in between.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from functools import cache

from mien.names import name_key

APPLICATION = 0x4D69656E
"""`application_id` of the database: "Mien"."""

_PEOPLE_AND_PHOTOS = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE people (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    spelling TEXT NOT NULL UNIQUE, consent TEXT NOT NULL, source TEXT NOT NULL,
    created TEXT NOT NULL, changed TEXT NOT NULL) STRICT;
CREATE TABLE photos (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    person INTEGER NOT NULL REFERENCES people (number) ON DELETE CASCADE,
    contract TEXT NOT NULL, sha256 TEXT NOT NULL, source TEXT NOT NULL, added TEXT NOT NULL,
    quality REAL NOT NULL, forced TEXT NOT NULL, template BLOB NOT NULL, thumbnail BLOB) STRICT;
CREATE INDEX photos_of ON photos (person);
CREATE UNIQUE INDEX one_of_a_photo ON photos (person, sha256) WHERE sha256 <> '';
"""

_NEGATIVES_AND_AUDIT = """
CREATE TABLE negatives (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    person INTEGER NOT NULL REFERENCES people (number) ON DELETE CASCADE,
    shows INTEGER REFERENCES people (number) ON DELETE CASCADE,
    contract TEXT NOT NULL, added TEXT NOT NULL, template BLOB NOT NULL) STRICT;
CREATE INDEX negatives_of ON negatives (person);
CREATE INDEX negatives_shown ON negatives (shows);
CREATE TABLE audit (
    number INTEGER PRIMARY KEY, time TEXT NOT NULL, action TEXT NOT NULL, person TEXT NOT NULL,
    key TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
CREATE INDEX audit_of ON audit (person);
"""

_CURRENT_SPELLINGS = "UPDATE OR IGNORE people SET spelling = name_key(name)"
"""Invisible characters in names are ignored from now on. Where that makes two names equal, the
later person keeps the old spelling, and `mien gallery check` reports it."""

_SEALED_TEXTS = """
ALTER TABLE people ADD COLUMN sealed BLOB;
ALTER TABLE photos ADD COLUMN sealed BLOB;
"""
"""The encrypted texts of a row: NULL where the gallery is not encrypted."""

STEPS = (_PEOPLE_AND_PHOTOS, _NEGATIVES_AND_AUDIT, _CURRENT_SPELLINGS, _SEALED_TEXTS)
"""The SQL of each migration; number n turns version n into version n + 1."""

VERSION = len(STEPS)

SEALED_FROM = STEPS.index(_SEALED_TEXTS) + 1
"""From this version on rows are bound to their place, and a digest over all of them is stored."""


_OBJECTS = "SELECT name, sql FROM main.sqlite_master WHERE name NOT GLOB 'sqlite_*' OR type IN "
_OBJECTS += "('trigger', 'view') ORDER BY name"
"""All but what SQLite makes itself: its indexes and statistics."""


def version_of(base: sqlite3.Connection) -> int:
    """Return how many migrations a database has behind it; 0 for a blank one."""
    return int(base.execute("PRAGMA user_version").fetchone()[0])


def application_of(base: sqlite3.Connection) -> int:
    """Return the application id of a database."""
    return int(base.execute("PRAGMA application_id").fetchone()[0])


def migrate(
    base: sqlite3.Connection,
    *,
    to: int = VERSION,
    finish: Callable[[int], None] = lambda _: None,
) -> None:
    """Run the migrations that are missing.

    Args:
        base: a connection in autocommit mode.
        to: the version to reach; an older one only for tests.
        finish: called with the version that was found, within the transaction, after the last one.

    Raises:
        sqlite3.Error: a migration fails; the database stays as it was.
    """
    if version_of(base) >= to:
        return
    base.create_function("name_key", 1, name_key, deterministic=True)
    base.execute("BEGIN IMMEDIATE")
    try:
        before = version_of(base)  # asked again: another process may have been here
        for step in STEPS[before:to]:
            for statement in step.split(";"):
                base.execute(statement)
        if before < to:
            finish(before)
        # Both are part of the transaction.
        base.execute(f"PRAGMA user_version = {to:d}")
        base.execute(f"PRAGMA application_id = {APPLICATION:d}")
        base.execute("COMMIT")
    except BaseException:
        base.execute("ROLLBACK")
        raise


def schema_of(base: sqlite3.Connection) -> dict[str, str]:
    """Return the SQL of each table, index, trigger and view of a database, by name."""
    return dict(base.execute(_OBJECTS).fetchall())


@cache
def current_schema() -> Mapping[str, str]:
    """Return what `schema_of` returns of a gallery that this version makes."""
    blank = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(blank)
        return schema_of(blank)
    finally:
        blank.close()


def schema_differences(base: sqlite3.Connection) -> Iterator[str]:
    """Yield in words where the schema is not as this version makes it."""
    expected, actual = current_schema(), schema_of(base)
    for name in sorted(expected.keys() | actual.keys()):
        if expected.get(name) != actual.get(name):
            yield f"{name} in the schema is not as this version of Mien makes it"
