"""The rows of a gallery: people, their enrolled photos, rejected faces, the audit trail.

Source of truth: the index is made from these rows. Templates, thumbnails, names and notes pass
through the gallery's seal when they are written and read, so that an encrypted gallery's file never
holds them in plain form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import NotAGallery
from mien.gallery.storage.connecting import damaged, translated
from mien.gallery.storage.database import Database
from mien.gallery.storage.people_rows import PeopleRows, new_id, now
from mien.gallery.storage.reseal import rewrite_negative, rewrite_photo
from mien.gallery.storage.sealing import negative_bound, photo_bound
from mien.gallery.values import AuditEvent, Picture
from mien.names import readable

_OF_PHOTOS = "FROM photos LEFT JOIN people ON people.number = photos.person"
_BOUND = "photos.id, people.id, contract, quality, added, forced"
"""What `photo_bound` takes."""

_PICTURE = (
    f"SELECT {_BOUND}, sha256, photos.source, photos.sealed, thumbnail IS NOT NULL {_OF_PHOTOS}"
)
_TEMPLATE = f"SELECT {_BOUND}, photos.person, template {_OF_PHOTOS}"
_NEGATIVE = (
    "SELECT negatives.id, owner.id, shown.id, contract, added, person, template FROM negatives "
    "LEFT JOIN people AS owner ON owner.number = person "
    "LEFT JOIN people AS shown ON shown.number = shows"
)
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


class GalleryStore(PeopleRows):
    """Reads and writes the rows of a gallery; a person is identified by a `number` here.

    Methods that write are called inside a transaction (`Database.writing`).

    Args:
        database: open.
        dimension: D.
        contract: of every embedding.
    """

    def __init__(self, database: Database, dimension: int, contract: str) -> None:
        super().__init__(database)
        self._dimension = dimension
        self._contract = contract

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
        photo, moment, seal = new_id(), added or now(), self.database.seal
        source, forced = readable(source), readable(forced)
        bound = photo_bound(
            photo, self.id_of(number), self._contract, float(quality), moment, forced
        )
        self._do(
            "INSERT INTO photos (id, person, contract, sha256, source, added, quality, forced, "
            "template, thumbnail, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            photo, number, self._contract, seal.index(sha256), *seal.in_columns([source]), moment,
            float(quality), forced,
            seal.encrypt(_bytes_of(vectors), "photo", bound),
            seal.encrypt(thumbnail, "thumbnail", bound) if thumbnail else None,
            seal.sealed_texts((sha256, source), "photo texts", bound),
        )  # fmt: skip
        return photo

    def pictures(self, number: int) -> list[Picture]:
        """Return a person's photos without embeddings, in the order in which they were enrolled."""
        rows = self._rows(f"{_PICTURE} WHERE person = ? ORDER BY photos.number", number)
        return [self._picture(row) for row in rows]

    def picture_of(self, number: int, sha256: str) -> str:
        """Return the id of a person's photo with this digest; empty where there is none."""
        sql = "SELECT id FROM photos WHERE person = ? AND sha256 = ?"
        rows = self._rows(sql, number, self.database.seal.index(sha256))
        return str(rows[0][0]) if rows and sha256 else ""

    def person_of(self, photo: str) -> int | None:
        """Return the number of the person in a photo; None where no photo has this id."""
        rows = self._rows("SELECT person FROM photos WHERE id = ?", photo)
        return int(rows[0][0]) if rows else None

    def thumbnail(self, photo: str) -> bytes:
        """Return the JPEG of a photo's crop; empty where no crop is kept."""
        rows = self._rows(f"SELECT {_BOUND}, thumbnail {_OF_PHOTOS} WHERE photos.id = ?", photo)
        if not rows or rows[0][6] is None:
            return b""
        return self.database.seal.decrypt(rows[0][6], "thumbnail", photo_bound(*rows[0][:6]))

    def delete_photo(self, photo: str) -> None:
        """Delete a photo with its embeddings and thumbnail."""
        self._do("DELETE FROM photos WHERE id = ?", photo)

    def move_photos(self, source: int, target: int) -> None:
        """Move photos from person `source` to `target`, except those that `target` has already."""
        owner, seal = (target, self.id_of(target)), self.database.seal
        own = {row[0] for row in self._rows("SELECT sha256 FROM photos WHERE person = ?", target)}
        rows = self._rows("SELECT number, sha256 FROM photos WHERE person = ?", source)
        for number, sha256 in rows:
            if not sha256 or sha256 not in own:
                rewrite_photo(self.database.base, number, seal, seal, owner)

    def templates(self, number: int) -> Templates:
        """Return the embeddings of a person's photos, in the order in which they were enrolled."""
        rows = self._rows(f"{_TEMPLATE} WHERE person = ? ORDER BY photos.number", number)
        return self._templates(rows)

    def template(self, photo: str) -> Templates:
        """Return the embeddings of one photo; N = 0 where no photo has this id."""
        return self._templates(self._rows(f"{_TEMPLATE} WHERE photos.id = ?", photo))

    def all_templates(self) -> Iterator[Templates]:
        """Yield the embeddings of all photos, ordered by person and time, in blocks."""
        with translated(self.database.folder):
            cursor = self.database.base.execute(f"{_TEMPLATE} ORDER BY person, photos.number")
        while True:
            with translated(self.database.folder):
                rows = cursor.fetchmany(_BLOCK)
            if not rows:
                return
            yield self._templates(rows)

    def _templates(self, rows: Sequence[Any]) -> Templates:
        seal = self.database.seal
        plain = [row[7] for row in rows]
        if seal.encrypts:
            bounds = [photo_bound(*row[:6]) for row in rows]
            plain = [seal.decrypt(data, "photo", b) for data, b in zip(plain, bounds, strict=True)]
        vectors = self._vectors([(f"photo {row[0]}", row[2]) for row in rows], plain, 2)
        for photo, _, _, quality, *_ in rows:
            if not 0 <= quality <= 1:
                raise self._damaged(f"photo {photo} has a quality of {quality}")
        return Templates(
            faces=np.ascontiguousarray(vectors[:, 0]),
            mirrored=np.ascontiguousarray(vectors[:, 1]),
            quality=np.array([row[3] for row in rows], np.float32),
            numbers=np.array([row[6] for row in rows], np.int64),
        )

    # Rejected faces

    def add_negative(self, number: int, vector: NDArray[np.float32], shows: int | None) -> str:
        """Add a face that is not of a person and return its id.

        Args:
            number: of the person that it is not.
            vector: (D,) float32 of length 1.
            shows: number of the person that it shows; None where unknown.
        """
        row, moment = new_id(), now()
        shown = None if shows is None else self.id_of(shows)
        bound = negative_bound(row, self.id_of(number), shown, self._contract, moment)
        self._do(
            "INSERT INTO negatives (id, person, shows, contract, added, template) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            row, number, shows, self._contract, moment,
            self.database.seal.encrypt(_bytes_of(vector), "negative", bound),
        )  # fmt: skip
        return row

    def negatives(self) -> Negatives:
        """Return all rejected faces, in the order in which they were added."""
        rows = self._rows(f"{_NEGATIVE} ORDER BY negatives.number")
        seal = self.database.seal
        plain = [seal.decrypt(row[6], "negative", negative_bound(*row[:5])) for row in rows]
        vectors = self._vectors([(f"negative {row[0]}", row[3]) for row in rows], plain, 1)
        return Negatives(
            ids=tuple(row[0] for row in rows),
            vectors=np.ascontiguousarray(vectors[:, 0]),
            numbers=np.array([row[5] for row in rows], np.int64),
        )

    def move_negatives(self, source: int, target: int) -> None:
        """Move rejected faces from person `source` to `target`: to the merged person."""
        move = (source, self.id_of(source)), (target, self.id_of(target))
        seal = self.database.seal
        for (number,) in self._rows(
            "SELECT number FROM negatives WHERE ?1 IN (person, shows)", source
        ):
            rewrite_negative(self.database.base, number, seal, seal, move)
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

    def _picture(self, row: Sequence[Any]) -> Picture:
        *_, sha256, source, sealed, thumbnail = row
        bound = photo_bound(*row[:6])
        sha256, source = self.database.seal.texts(sealed, (sha256, source), "photo texts", bound)
        photo, _, _, quality, added, forced = row[:6]
        return Picture(photo, sha256, source, added, quality, bool(thumbnail), forced)

    def _damaged(self, what: str) -> NotAGallery:
        return damaged(self.database.folder, what)

    def _vectors(
        self, rows: Sequence[tuple[str, str]], plain: Sequence[bytes], views: int
    ) -> NDArray[np.float32]:
        """Return (N, views, D) float32 of rows of place and contract, and their bytes."""
        size = views * self._dimension * 4
        for (place, contract), data in zip(rows, plain, strict=True):
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


def _bytes_of(vectors: NDArray[np.float32]) -> bytes:
    return np.ascontiguousarray(vectors, "<f4").tobytes()
