"""API keys: created, shown once, stored as keyed digests, revoked.

A key is `mien_ID_SECRET` with 256 random bits in the secret. It cannot be guessed, so a fast
keyed digest (HMAC-SHA256) is enough and no request costs the server much time. The HMAC key is in
a separate file: a copy of the database alone reveals nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path

from mien.errors import BadRequest, OutputError, UnknownKey
from mien.files import close_to_others, make_folder, make_private_file, write_atomically

_DATABASE, _SECRET = "keys.sqlite", "keys.secret"
_FORM = re.compile(r"mien_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")
_NO_DIGEST = bytes(32)
_MAX_NOTE = 200

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY, role TEXT NOT NULL, note TEXT NOT NULL, digest BLOB NOT NULL,
    created TEXT NOT NULL, revoked TEXT
) STRICT
"""


class Role(IntEnum):
    """Role of a key; each role includes the permissions of those below it."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """The role's name in lower case, as in JSON and on the command line."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Role:
        """Return the role with a name in lower case."""
        return cls[word.upper()]


@dataclass(frozen=True, slots=True)
class Key:
    """A key, without its secret.

    Attributes:
        id: identifies the key in the audit trail and the logs.
        role: permissions of the key.
        note: free text, such as the owner.
        created: UTC time, ISO 8601.
        revoked: UTC time, ISO 8601; empty while the key is valid.
    """

    id: str
    role: Role
    note: str
    created: str
    revoked: str


class Keys:
    """The keys of a data folder; safe for several threads and processes.

    Args:
        folder: created if missing; only its owner may enter it.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            make_folder(folder, private=True)
            if not any(folder.iterdir()) or (folder / _DATABASE).exists():  # else it is not ours
                close_to_others(folder)
            make_private_file(folder / _DATABASE)
        except OSError as error:
            raise _unusable(folder, error) from error
        with self._open() as database:
            database.execute(_SCHEMA)
        self._pepper = self._read_pepper()

    def create(self, role: Role, note: str = "") -> tuple[Key, str]:
        """Create a key and return it with its text, which is not stored."""
        if len(note) > _MAX_NOTE:
            raise BadRequest(
                f"a note has at most {_MAX_NOTE} characters", hint="Give a shorter one."
            )
        made = Key(secrets.token_hex(4), role, note, _now(), "")
        secret = secrets.token_urlsafe(32)
        with self._open() as database:
            database.execute(
                "INSERT INTO keys VALUES (?, ?, ?, ?, ?, NULL)",
                (made.id, role.word, note, self._digest(secret), made.created),
            )
        return made, f"mien_{made.id}_{secret}"

    def all(self) -> tuple[Key, ...]:
        """Return every key, revoked ones too, oldest first."""
        with self._open() as database:
            rows = database.execute(
                "SELECT id, role, note, created, coalesce(revoked, '') FROM keys "
                "ORDER BY created, id"
            ).fetchall()
        return tuple(Key(row[0], Role.of(row[1]), *row[2:]) for row in rows)

    @property
    def has_valid_key(self) -> bool:
        """Whether a key exists that is not revoked."""
        with self._open() as database:
            row = database.execute("SELECT 1 FROM keys WHERE revoked IS NULL LIMIT 1").fetchone()
        return row is not None

    @property
    def ever_had_key(self) -> bool:
        """Whether a key was ever created; stays true when all keys are revoked."""
        with self._open() as database:
            return database.execute("SELECT 1 FROM keys LIMIT 1").fetchone() is not None

    def revoke(self, key_id: str) -> None:
        """Revoke a key, immediately and permanently.

        Raises:
            UnknownKey: no key has that id.
        """
        with self._open() as database:
            done = database.execute(
                "UPDATE keys SET revoked = coalesce(revoked, ?) WHERE id = ?", (_now(), key_id)
            )
            if not done.rowcount:
                raise UnknownKey(
                    f"no key has the id {key_id}",
                    hint="`Keys.all` lists them.",
                    code="key-unknown",
                )

    def check(self, text: str) -> Key | None:
        """Return the key of a key text, or None; in constant time for unknown keys."""
        found = _FORM.fullmatch(text)
        key_id, secret = (found[1], found[2]) if found else ("", "")
        with self._open() as database:
            row = database.execute(
                "SELECT id, role, note, created, digest FROM keys WHERE id = ? AND revoked IS NULL",
                (key_id,),
            ).fetchone()
        same = hmac.compare_digest(self._digest(secret), row[4] if row else _NO_DIGEST)
        return Key(row[0], Role.of(row[1]), row[2], row[3], "") if row and same else None

    def valid_key(self, key_id: str) -> Key | None:
        """Return a key by its id; None if it is unknown or revoked."""
        return next((key for key in self.all() if key.id == key_id and not key.revoked), None)

    def known_id(self, text: str) -> str:
        """Return the id in a key text if a key has it, revoked or not; else an empty text."""
        found = _FORM.fullmatch(text)
        return found[1] if found and any(key.id == found[1] for key in self.all()) else ""

    def derived(self, purpose: str) -> bytes:
        """Return a secret of this data folder for another purpose, 32 bytes."""
        return hmac.digest(self._pepper, b"\0" + purpose.encode(), hashlib.sha256)

    def _digest(self, secret: str) -> bytes:
        return hmac.digest(self._pepper, secret.encode(), hashlib.sha256)

    def _read_pepper(self) -> bytes:
        path = self._folder / _SECRET
        try:
            if not path.exists():
                with self._open() as database:
                    # Of several processes only one writes it: a key made with a secret that is
                    # then replaced would never be valid.
                    database.execute("BEGIN IMMEDIATE")
                    if not path.exists():
                        write_atomically(path, secrets.token_bytes(32), private=True)
            return path.read_bytes()
        except OSError as error:
            raise _unusable(self._folder, error) from error

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            database = sqlite3.connect(self._folder / _DATABASE, timeout=10)
            try:
                with database:
                    yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise _unusable(self._folder, error) from error


def _unusable(folder: Path, error: Exception) -> OutputError:
    return OutputError(
        f"the keys in {folder} cannot be used: {error}",
        hint="Choose a data folder that you may write to.",
        code="keys-unusable",
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
