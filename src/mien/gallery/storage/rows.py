"""The rows of a gallery: people, their enrolled photos, rejected faces, the audit trail.

Source of truth: the index is made from these rows. Templates and thumbnails pass through the
cipher when they are written and read, so that an encrypted gallery's file never holds them in
plain form.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import NotAGallery
from mien.gallery.storage.cipher import Cipher
from mien.gallery.storage.database import Database, translated
from mien.gallery.values import AuditEvent, Person, Picture
from mien.names import readable

_PERSON = (
    "SELECT people.number, people.id, name, consent, people.source, created, changed, "
    "(SELECT COUNT(*) FROM photos WHERE person = people.number) FROM people"
)
_PICTURE = "SELECT id, sha256, source, added, quality, thumbnail IS NOT NULL, forced FROM photos"
_TEMPLATE = "SELECT id, person, quality, contract, template FROM photos"
_ENCRYPTED = {
    "photo": ("SELECT id, template FROM photos", "UPDATE photos SET template = ? WHERE id = ?"),
    "thumbnail": (
        "SELECT id, thumbnail FROM photos WHERE thumbnail IS NOT NULL",
        "UPDATE photos SET thumbnail = ? WHERE id = ?",
    ),
    "negative": (
        "SELECT id, template FROM negatives",
        "UPDATE negatives SET template = ? WHERE id = ?",
    ),
}
_BLOCK = 4096
_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """Embeddings of N photos, of one or several people.

    Attributes:
        faces: (N, D) float32 unit rows, of the crops.
        mirrored: (N, D) float32 unit rows, of the mirrored crops.
        quality: (N,) float32 in [0, 1].
        numbers: (N,) int64, number of the person in each photo.
    """

    faces: NDArray[np.float32]
    mirrored: NDArray[np.float32]
    quality: NDArray[np.float32]
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, slots=True, eq=False)
class Negatives:
    """N rejected faces: "this is not X".

    Attributes:
        ids: of the rows.
        vectors: (N, D) float32 unit rows.
        numbers: (N,) int64, number of the person that each face is not.
    """

    ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)


def now() -> str:
    """Return the UTC time, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def new_id() -> str:
    """Return a random id: 12 hexadecimal digits."""
    return secrets.token_hex(6)


class GalleryStore:
    """Reads and writes the rows of a gallery; a person is identified by a `number` here.

    Methods that write are called inside a transaction (`Database.writing`).

    Args:
        database: open.
        cipher: of templates and thumbnails.
        dimension: D.
        contract: of every embedding.
    """

    def __init__(self, database: Database, cipher: Cipher, dimension: int, contract: str) -> None:
        self.database = database
        self.cipher = cipher
        self._dimension = dimension
        self._contract = contract

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        with translated(self.database.folder):
            return self.database.base.execute(sql, _texts(values)).fetchall()

    def _do(self, sql: str, *values: Any) -> int:
        return self.database.base.execute(sql, _texts(values)).rowcount

    # People

    def people(self) -> list[tuple[int, Person]]:
        """Return all people with their numbers, in the order in which they were added."""
        return [(row[0], Person(*row[1:])) for row in self._rows(f"{_PERSON} ORDER BY number")]

    def names(self) -> dict[int, tuple[str, str]]:
        """Return the id and name of all people, by number."""
        rows = self._rows("SELECT number, id, name FROM people")
        return {number: (person, name) for number, person, name in rows}

    def person(self, column: str, value: str | int) -> tuple[int, Person] | None:
        """Return the person whose `id`, `spelling` or `number` is this, or None."""
        rows = self._rows(f"{_PERSON} WHERE people.{column} = ?", value)
        return (rows[0][0], Person(*rows[0][1:])) if rows else None

    def add_person(
        self,
        name: str,
        spelling: str,
        *,
        consent: str,
        source: str,
        person_id: str = "",
        created: str = "",
    ) -> int:
        """Add a person and return the number; a new id and the current time where not given."""
        moment = now()
        cursor = self.database.base.execute(
            "INSERT INTO people (id, name, spelling, consent, source, created, changed) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            _texts(
                (person_id or new_id(), name, spelling, consent, source, created or moment, moment)
            ),
        )
        return int(cursor.lastrowid or 0)

    def rename(self, number: int, name: str, spelling: str) -> None:
        """Change a person's name."""
        self._do(
            "UPDATE people SET name = ?, spelling = ? WHERE number = ?", name, spelling, number
        )

    def set_consent(self, number: int, consent: str) -> None:
        """Replace the note on what a person has agreed to."""
        self._do("UPDATE people SET consent = ? WHERE number = ?", consent, number)

    def touch(self, number: int) -> None:
        """Set the time of a person's last change to now."""
        self._do("UPDATE people SET changed = ? WHERE number = ?", now(), number)

    def delete_person(self, number: int) -> None:
        """Delete a person with photos, thumbnails and rejected faces."""
        self._do("DELETE FROM people WHERE number = ?", number)

    # Photos

    def add_photo(
        self,
        number: int,
        vectors: NDArray[np.float32],
        *,
        quality: float,
        sha256: str,
        source: str,
        forced: str = "",
        added: str = "",
        thumbnail: bytes = b"",
    ) -> str:
        """Add a photo of a person and return its id.

        Args:
            number: of the person.
            vectors: (2, D) float32 unit rows, of the crop and of the mirrored crop.
            quality: in [0, 1].
            sha256: hex digest of the photo's bytes; empty where unknown.
            source: where the photo came from.
            forced: reason of the failed check where enrolment was forced; else empty.
            added: UTC time, ISO 8601; now where empty.
            thumbnail: JPEG of the crop; empty to keep none.
        """
        photo = new_id()
        self._do(
            "INSERT INTO photos (id, person, contract, sha256, source, added, quality, forced, "
            "template, thumbnail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            photo, number, self._contract, sha256, source, added or now(), quality, forced,
            self._encrypted(vectors, f"photo {photo}"),
            self.cipher.encrypt(thumbnail, f"thumbnail {photo}") if thumbnail else None,
        )  # fmt: skip
        return photo

    def pictures(self, number: int) -> list[Picture]:
        """Return a person's photos without embeddings, in the order in which they were enrolled."""
        rows = self._rows(f"{_PICTURE} WHERE person = ? ORDER BY number", number)
        return [_picture(row) for row in rows]

    def picture_of(self, number: int, sha256: str) -> str:
        """Return the id of a person's photo with this digest; empty where there is none."""
        rows = self._rows("SELECT id FROM photos WHERE person = ? AND sha256 = ?", number, sha256)
        return str(rows[0][0]) if rows and sha256 else ""

    def person_of(self, photo: str) -> int | None:
        """Return the number of the person in a photo; None where no photo has this id."""
        rows = self._rows("SELECT person FROM photos WHERE id = ?", photo)
        return int(rows[0][0]) if rows else None

    def thumbnail(self, photo: str) -> bytes:
        """Return the JPEG of a photo's crop; empty where no crop is kept."""
        rows = self._rows("SELECT thumbnail FROM photos WHERE id = ?", photo)
        if not rows or rows[0][0] is None:
            return b""
        return self.cipher.decrypt(rows[0][0], f"thumbnail {photo}")

    def delete_photo(self, photo: str) -> None:
        """Delete a photo with its embeddings and thumbnail."""
        self._do("DELETE FROM photos WHERE id = ?", photo)

    def move_photos(self, source: int, target: int) -> None:
        """Move photos from person `source` to `target`, except those that `target` has already."""
        self._do("UPDATE OR IGNORE photos SET person = ? WHERE person = ?", target, source)

    def templates(self, number: int) -> Templates:
        """Return the embeddings of a person's photos, in the order in which they were enrolled."""
        rows = self._rows(f"{_TEMPLATE} WHERE person = ? ORDER BY number", number)
        return self._templates(rows)

    def template(self, photo: str) -> Templates:
        """Return the embeddings of one photo; N = 0 where no photo has this id."""
        return self._templates(self._rows(f"{_TEMPLATE} WHERE id = ?", photo))

    def all_templates(self) -> Iterator[Templates]:
        """Yield the embeddings of all photos, ordered by person and time, in blocks."""
        with translated(self.database.folder):
            cursor = self.database.base.execute(f"{_TEMPLATE} ORDER BY person, number")
        while True:
            with translated(self.database.folder):
                rows = cursor.fetchmany(_BLOCK)
            if not rows:
                return
            yield self._templates(rows)

    def _templates(self, rows: Sequence[Any]) -> Templates:
        vectors = self._vectors([(f"photo {row[0]}", row[3], row[4]) for row in rows], 2)
        for photo, _, quality, *_ in rows:
            if not 0 <= quality <= 1:
                raise self._damaged(f"photo {photo} has a quality of {quality}")
        return Templates(
            faces=np.ascontiguousarray(vectors[:, 0]),
            mirrored=np.ascontiguousarray(vectors[:, 1]),
            quality=np.array([row[2] for row in rows], np.float32),
            numbers=np.array([row[1] for row in rows], np.int64),
        )

    # Rejected faces

    def add_negative(self, number: int, vector: NDArray[np.float32], shows: int | None) -> str:
        """Add a face that is not of a person and return its id.

        Args:
            number: of the person that it is not.
            vector: (D,) float32 of length 1.
            shows: number of the person that it shows; None where unknown.
        """
        row = new_id()
        self._do(
            "INSERT INTO negatives (id, person, shows, contract, added, template) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            row, number, shows, self._contract, now(), self._encrypted(vector, f"negative {row}"),
        )  # fmt: skip
        return row

    def negatives(self) -> Negatives:
        """Return all rejected faces, in the order in which they were added."""
        rows = self._rows("SELECT id, person, contract, template FROM negatives ORDER BY number")
        return Negatives(
            ids=tuple(row[0] for row in rows),
            vectors=np.ascontiguousarray(
                self._vectors([(f"negative {r[0]}", r[2], r[3]) for r in rows], 1)[:, 0]
            ),
            numbers=np.array([row[1] for row in rows], np.int64),
        )

    def move_negatives(self, source: int, target: int) -> None:
        """Move rejected faces from person `source` to `target`: to the merged person."""
        self._do("UPDATE negatives SET person = ? WHERE person = ?", target, source)
        self._do("UPDATE negatives SET shows = ? WHERE shows = ?", target, source)
        self._do("DELETE FROM negatives WHERE shows = person")

    def delete_negatives(self, ids: Sequence[str]) -> None:
        """Delete rejected faces."""
        for row in ids:
            self._do("DELETE FROM negatives WHERE id = ?", row)

    # Audit

    def add_event(self, action: str, person: str, key: str, detail: str) -> None:
        """Add a line to the audit trail; see `AuditEvent`."""
        self._do(
            "INSERT INTO audit (time, action, person, key, detail) VALUES (?, ?, ?, ?, ?)",
            now().replace("+00:00", "Z"), action, person, key, detail,
        )  # fmt: skip

    def events(self, person: str = "", limit: int = -1) -> list[AuditEvent]:
        """Return the audit trail, latest first; only events of one person where an id is given."""
        rows = self._rows(
            "SELECT time, action, person, key, detail FROM audit WHERE person = ?1 OR ?1 = '' "
            "ORDER BY number DESC LIMIT ?2",
            person,
            limit,
        )
        return [AuditEvent(*row) for row in rows]

    def last_event(self, action: str) -> int:
        """Return the number of the last line of the audit trail with an action; 0 for none."""
        (row,) = self._rows("SELECT coalesce(max(number), 0) FROM audit WHERE action = ?", action)
        return int(row[0])

    # Bytes

    def reencrypt(self, cipher: Cipher) -> None:
        """Encrypt every template and thumbnail with another cipher; set `self.cipher` on commit."""
        for what, (rows, update) in _ENCRYPTED.items():
            for row, data in self._rows(rows):
                place = f"{what} {row}"
                self._do(update, cipher.encrypt(self.cipher.decrypt(data, place), place), row)

    def _damaged(self, what: str) -> NotAGallery:
        return NotAGallery(
            f"{self.database.folder}: {what}",
            hint="Restore it from an export if you have one.",
            code="gallery-damaged",
            data={"folder": str(self.database.folder)},
        )

    def _encrypted(self, vectors: NDArray[np.float32], place: str) -> bytes:
        return self.cipher.encrypt(np.ascontiguousarray(vectors, "<f4").tobytes(), place)

    def _vectors(self, rows: Sequence[tuple[str, str, bytes]], views: int) -> NDArray[np.float32]:
        """Return (N, views, D) float32 of rows of place, contract and encrypted bytes."""
        size = views * self._dimension * 4
        plain = [self.cipher.decrypt(data, place) for place, _, data in rows]
        for (place, contract, _), data in zip(rows, plain, strict=True):
            if contract != self._contract or len(data) != size:
                raise self._damaged(f"{place} has embeddings of another kind")
        flat = np.frombuffer(b"".join(plain), "<f4").astype(np.float32)
        vectors = flat.reshape(len(rows), views, self._dimension)
        # In float64, in which the square of a float32 does not overflow.
        with np.errstate(invalid="ignore"):
            lengths = np.sqrt(np.sum(np.square(vectors, dtype=np.float64), axis=2))
        wrong = np.flatnonzero(~np.all(np.abs(lengths - 1) < _ROUNDING, axis=1))
        if len(wrong):
            raise self._damaged(f"{rows[wrong[0]][0]} has embeddings that are not of length 1")
        return vectors


def _texts(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return the values with every text as valid Unicode: a file's name may have other bytes."""
    return tuple(readable(value) if isinstance(value, str) else value for value in values)


def _picture(row: Sequence[Any]) -> Picture:
    photo, sha256, source, added, quality, thumbnail, forced = row
    return Picture(photo, sha256, source, added, quality, bool(thumbnail), forced)
