"""Who is in the gallery, by id and by name: each name once, however it is spelled."""

from __future__ import annotations

from mien.errors import InvalidName, NameTaken, UnknownPerson
from mien.gallery.storage.rows import GalleryStore
from mien.gallery.values import Person
from mien.names import clean_name, name_key

LONGEST_NAME = 200
LONGEST_NOTE = 4000

Owner = tuple[int, Person]
"""Somebody with their number in the store."""


def valid_name(text: str) -> str:
    """Return a name as it is kept: NFC, on one line.

    Raises:
        InvalidName: nothing is left of it, or it is too long.
    """
    name = clean_name(text)
    if not name_key(name):
        raise InvalidName("a person needs a name", hint="Give any text that can be seen.")
    if len(name) > LONGEST_NAME:
        raise InvalidName(
            f"a name has at most {LONGEST_NAME} characters, this one {len(name)}",
            hint="Give a shorter one.",
        )
    return name


def find(store: GalleryStore, person: str) -> Owner | None:
    """Return the person with this id or name, or None."""
    return store.person("id", person) or store.person("spelling", name_key(person))


def known(store: GalleryStore, person: str) -> Owner:
    """Return the person with this id or name.

    Raises:
        UnknownPerson: nobody has it.
    """
    found = find(store, person)
    if found is None:
        raise UnknownPerson(
            f"nobody in the gallery has the name or id {person!r}",
            hint=f"See who is there: mien gallery list {store.database.folder}",
        )
    return found


def check_free(store: GalleryStore, name: str, number: int | None = None) -> None:
    """Raise NameTaken where somebody other than `number` has a name."""
    there = store.person("spelling", name_key(name))
    if there and there[0] != number:
        raise NameTaken(
            f"{there[1].name} is in the gallery already",
            hint="Take another name, or merge the two: mien gallery merge.",
        )


def add(
    store: GalleryStore,
    name: str,
    consent: str,
    source: str,
    key: str,
    *,
    person_id: str = "",
    created: str = "",
) -> Owner:
    """Add somebody, inside a transaction; with a new id, now, where none is given.

    Raises:
        NameTaken: somebody has the name.
        InvalidName: it is not one.
    """
    shown = valid_name(name)
    check_free(store, shown)
    number = store.add_person(
        shown,
        name_key(shown),
        consent=consent[:LONGEST_NOTE],
        source=source,
        person_id=person_id,
        created=created,
    )
    owner = known(store, shown)
    store.note("added", owner[1].id, key, "")
    return number, owner[1]
