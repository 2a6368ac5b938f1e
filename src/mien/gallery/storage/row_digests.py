"""A digest over all rows of a gallery, which costs, when rows change, only those rows.

It is the sum, modulo 2**256, of a digest of each row: adding a row adds its digest, deleting one
subtracts it. With a key that is MSet-Add-Hash of Clarke, Devadas, van Dijk, Gassend and Suh,
"Incremental multiset hash functions and their application to memory integrity checking"
(ASIACRYPT 2003), after AdHash of Bellare and Micciancio (EUROCRYPT 1997). The digest of a row is
keyed BLAKE2b (RFC 7693). No one without the key may see a sum: from the sums of three states of a
gallery that of a fourth could be computed. Clarke et al. mask it; here it is encrypted, with a
fresh nonce each time, together with the generation, the numbers of rows and the settings.

Without a key the digest finds damage, not a change on purpose: anyone can compute it again.
"""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mien.gallery.storage.sealing import Seal

TABLES: Mapping[str, tuple[str, ...]] = {
    "people": (
        "number", "id", "name", "spelling", "consent", "source", "created", "changed", "sealed",
    ),
    "photos": (
        "number", "id", "person", "contract", "sha256", "source", "added", "quality", "forced",
        "template", "thumbnail", "sealed",
    ),
    "negatives": ("number", "id", "person", "shows", "contract", "added", "template"),
    "audit": ("number", "time", "action", "person", "key", "detail"),
}  # fmt: skip
"""The columns of each table, in the order in which the digest of a row takes them."""

SETTINGS = ("id", "origin", "rate", "thumbnails", "lock")
"""What of the table `meta` is in the digest, besides the generation."""

_COUNTED_AT_OPENING = ("people", "photos", "negatives")
_NAMES = {
    "people": "people",
    "photos": "photos",
    "negatives": "rejected faces",
    "audit": "lines of the audit trail",
}
_BYTES = 32
_MOST_DIGITS = 18
"""Of the generation; it is stored in 64 bits."""
_MODULUS = 1 << (8 * _BYTES)
_STORED = struct.Struct(f">{_BYTES}sQ{len(TABLES)}Q{_BYTES}s")
_FUNCTION = "mien_row_changed"


@dataclass(frozen=True, slots=True)
class GalleryDigest:
    """What a gallery holds, in few bytes.

    Attributes:
        total: sum of the digests of all rows, modulo 2**256.
        counts: number of rows of each of `TABLES`.
        generation: how often people, photos or rejected faces were changed.
        settings: digest of the settings.
    """

    total: int
    counts: tuple[int, ...]
    generation: int
    settings: bytes

    def packed(self) -> bytes:
        """Return it as bytes, always the same number of them."""
        total = self.total.to_bytes(_BYTES, "big")
        return _STORED.pack(total, self.generation, *self.counts, self.settings)

    @classmethod
    def unpacked(cls, data: bytes) -> GalleryDigest:
        """Return what `packed` wrote.

        Raises:
            ValueError: it was not written by `packed`.
        """
        try:
            total, generation, *rest = _STORED.unpack(data)
        except struct.error as error:
            raise ValueError("its digest is damaged") from error
        return cls(int.from_bytes(total, "big"), tuple(rest[:-1]), generation, rest[-1])

    def differences(self, found: GalleryDigest) -> Iterator[str]:
        """Yield in words where what is found is not what was stored."""
        if found.settings != self.settings:
            yield "its settings were changed by another program"
        if found.generation != self.generation:
            yield (
                f"it is of generation {found.generation}, and {self.generation} was stored: "
                "another program changed it, or parts of an older copy were put back"
            )
        for table, here, stored in zip(TABLES, found.counts, self.counts, strict=True):
            if here != stored:
                yield f"{here:,} {_NAMES[table]} are in it, and {stored:,} were stored"
        if found.total != self.total and found.counts == self.counts:
            yield (
                "rows are not as they were stored: damaged, changed by another program, or "
                "put back from an older copy"
            )


def row_digest(key: bytes, table: str, values: tuple[Any, ...]) -> int:
    """Return the digest of a row, in [0, 2**256).

    Args:
        key: 32 bytes; empty for a gallery that is not encrypted.
        table: its table.
        values: of its columns, in the order of `TABLES`.
    """
    digest = hashlib.blake2b(key=key, digest_size=_BYTES, person=b"mien row 1")
    digest.update(f"{table}:".encode())
    for value in values:
        digest.update(_encoded(value))
    return int.from_bytes(digest.digest(), "big")


def _encoded(value: Any) -> bytes:
    """Return a value of SQLite so that no two lists of values look the same."""
    match value:
        case None:
            return b"n"
        case bytes():
            return b"b%d:" % len(value) + value
        case str():
            data = value.encode()
            return b"s%d:" % len(data) + data
        case float():
            return b"f" + struct.pack(">d", value)
        case _:
            return b"i%d;" % value


def settings_digest(base: sqlite3.Connection) -> bytes:
    """Return the digest of a gallery's settings."""
    meta = dict(base.execute("SELECT key, value FROM meta"))
    parts = b"".join(_encoded(meta.get(name)) for name in SETTINGS)
    return hashlib.blake2b(parts, digest_size=_BYTES, person=b"mien settings 1").digest()


def generation_of(base: sqlite3.Connection) -> int:
    """Return how often people, photos or rejected faces of a gallery were changed.

    Raises:
        sqlite3.DatabaseError: another program has written what is no number.
    """
    row = base.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
    text = row[0] if row else "0"
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise sqlite3.DatabaseError("its generation is not a number")
    return int(text)


def digest_of(base: sqlite3.Connection, seal: Seal) -> GalleryDigest:
    """Return the digest of a gallery from all of its rows."""
    total, counts = 0, []
    for table, columns in TABLES.items():
        number = 0
        for row in base.execute(f"SELECT {', '.join(columns)} FROM {table}"):  # noqa: S608
            total, number = total + row_digest(seal.digest_key, table, row), number + 1
        counts.append(number)
    return GalleryDigest(
        total % _MODULUS, tuple(counts), generation_of(base), settings_digest(base)
    )


def as_opened(base: sqlite3.Connection, stored: GalleryDigest) -> GalleryDigest:
    """Return a digest with all that can be seen of a gallery without reading its rows.

    Args:
        base: of the gallery, in a transaction.
        stored: what is stored; its sum and the lines of the audit trail are taken as they are.
    """
    counts = [
        int(base.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])  # noqa: S608
        if table in _COUNTED_AT_OPENING
        else number
        for table, number in zip(TABLES, stored.counts, strict=True)
    ]
    return replace(
        stored,
        counts=tuple(counts),
        generation=generation_of(base),
        settings=settings_digest(base),
    )


class ChangedRows:
    """Adds up what the changes of one connection do to the sum of digests.

    Triggers of the connection, which are not in the file, tell it each row that is added, deleted
    or changed, also those that a foreign key deletes. A statement that fails must end its
    transaction: what it had done is undone then, and what it added up is not.

    Args:
        base: a connection, outside a transaction.
    """

    def __init__(self, base: sqlite3.Connection) -> None:
        self._key: bytes | None = None
        self._total = 0
        self._counts = dict.fromkeys(TABLES, 0)
        base.create_function(_FUNCTION, -1, self._changed)
        for table, columns in TABLES.items():
            old = f"SELECT {_FUNCTION}('{table}', -1, {_of('OLD', columns)});"
            new = f"SELECT {_FUNCTION}('{table}', 1, {_of('NEW', columns)});"
            for event, calls in (("INSERT", new), ("DELETE", old), ("UPDATE", old + new)):
                base.execute(
                    f"CREATE TEMP TRIGGER mien_{table}_{event.lower()} "
                    f"AFTER {event} ON main.{table} BEGIN {calls} END"
                )

    def start(self, key: bytes) -> None:
        """Begin to add up, from zero.

        Args:
            key: of the digests of rows.
        """
        self._key, self._total = key, 0
        self._counts = dict.fromkeys(TABLES, 0)

    def stop(self) -> None:
        """Stop to add up."""
        self._key = None

    def applied(self, before: GalleryDigest) -> GalleryDigest:
        """Return a digest after the rows that were changed since `start`."""
        counts = zip(before.counts, self._counts.values(), strict=True)
        return replace(
            before,
            total=(before.total + self._total) % _MODULUS,
            counts=tuple(max(number + more, 0) for number, more in counts),
        )

    def _changed(self, table: str, sign: int, *values: Any) -> None:
        if self._key is not None:
            self._total += sign * row_digest(self._key, table, values)
            self._counts[table] += sign


def _of(row: str, columns: tuple[str, ...]) -> str:
    return ", ".join(f"{row}.{column}" for column in columns)
