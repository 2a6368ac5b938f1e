"""The rows of the people in a gallery."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from mien.gallery.storage.cipher import changed
from mien.gallery.storage.connecting import damaged, translated
from mien.gallery.storage.database import Database
from mien.gallery.storage.reseal import write_person_texts
from mien.gallery.storage.sealing import PersonTexts, person_bound
from mien.gallery.values import Person
from mien.names import readable

_FIELDS = "number, id, created, changed, name, spelling, consent, source, sealed"
_PHOTOS = "(SELECT COUNT(*) FROM photos WHERE person = people.number)"
_PERSON = f"SELECT {_FIELDS}, {_PHOTOS} FROM people"  # noqa: S608


def now() -> str:
    """Return the UTC time, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def new_id() -> str:
    """Return a random id: 12 hexadecimal digits."""
    return secrets.token_hex(6)


class PeopleRows:
    """Reads and writes the people of a gallery; see `GalleryStore`.

    Args:
        database: open.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def people(self) -> list[tuple[int, Person]]:
        """Return all people with their numbers, in the order in which they were added."""
        return [self._person(row) for row in self._rows(f"{_PERSON} ORDER BY number")]

    def names(self) -> dict[int, tuple[str, str]]:
        """Return the id and name of all people, by number."""
        rows = self._rows(f"SELECT {_FIELDS}, 0 FROM people")  # noqa: S608
        return {row[0]: (row[1], self._person_texts(row).name) for row in rows}

    def person(self, column: str, value: str | int) -> tuple[int, Person] | None:
        """Return the person whose `id`, `spelling` or `number` is this, or None.

        Raises:
            GalleryLocked: another row is found than the one that was stored for this spelling.
        """
        by_name = column == "spelling"
        sought = self.database.seal.index(str(value)) if by_name else value
        rows = self._rows(f"{_PERSON} WHERE people.{column} = ?", sought)
        if rows and by_name and self._person_texts(rows[0]).spelling != readable(str(value)):
            raise changed(f"person {rows[0][1]}")
        return self._person(rows[0]) if rows else None

    def id_of(self, number: int) -> str:
        """Return the id of the person with a number."""
        rows = self._rows("SELECT id FROM people WHERE number = ?", number)
        if not rows:
            raise damaged(self.database.folder, f"person {number} is missing")
        return str(rows[0][0])

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
        moment, seal = now(), self.database.seal
        person, created = person_id or new_id(), created or moment
        texts = PersonTexts(*_texts((name, spelling, consent, source)))
        sealed = seal.sealed_texts(texts, "person", person_bound(person, created))
        cursor = self.database.base.execute(
            "INSERT INTO people (id, spelling, name, consent, source, created, changed, sealed) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                person, seal.index(texts.spelling),
                *seal.in_columns((texts.name, texts.consent, texts.source)),
                created, moment, sealed,
            ),
        )  # fmt: skip
        return int(cursor.lastrowid or 0)

    def rename(self, number: int, name: str, spelling: str) -> None:
        """Change a person's name."""
        self._replace(number, name=name, spelling=spelling)

    def set_consent(self, number: int, consent: str) -> None:
        """Replace the note on what a person has agreed to."""
        self._replace(number, consent=consent)

    def touch(self, number: int) -> None:
        """Set the time of a person's last change to now."""
        self._do("UPDATE people SET changed = ? WHERE number = ?", now(), number)

    def delete_person(self, number: int) -> None:
        """Delete a person with photos, thumbnails and rejected faces."""
        self._do("DELETE FROM people WHERE number = ?", number)

    def _replace(self, number: int, **changes: str) -> None:
        for row in self._rows(f"{_PERSON} WHERE number = ?", number):
            texts = self._person_texts(row)._replace(
                **{field: readable(text) for field, text in changes.items()}
            )
            bound = person_bound(row[1], row[2])
            write_person_texts(self.database.base, number, texts, self.database.seal, bound)

    def _person(self, row: Sequence[Any]) -> tuple[int, Person]:
        number, person, created, changed, *_, photos = row
        name, _, consent, source = self._person_texts(row)
        return number, Person(person, name, consent, source, created, changed, photos)

    def _person_texts(self, row: Sequence[Any]) -> PersonTexts:
        _, person, created, _, *columns, sealed, _ = row
        bound = person_bound(person, created)
        return PersonTexts(*self.database.seal.texts(sealed, columns, "person", bound))

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        with translated(self.database.folder):
            return self.database.base.execute(sql, _texts(values)).fetchall()

    def _do(self, sql: str, *values: Any) -> int:
        return self.database.base.execute(sql, _texts(values)).rowcount


def _texts(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return the values with every text as valid Unicode: a file's name may have other bytes."""
    return tuple(readable(value) if isinstance(value, str) else value for value in values)
