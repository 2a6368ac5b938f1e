"""Find people in a gallery by id or name, and add them; no two people have the same name."""

from __future__ import annotations

from mien.errors import InvalidName, NameTaken, UnknownPerson
from mien.gallery.storage.rows import GalleryStore
from mien.gallery.values import Person
from mien.names import clean_name, name_key, readable

LONGEST_NAME = 200
LONGEST_NOTE = 4000

NumberedPerson = tuple[int, Person]
"""A person with the person's number in the store."""


def valid_name(text: str) -> str:
    """Return a name as it is stored: NFC, on one line.

    Raises:
        InvalidName: it has no visible character, or is too long.
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


def find_person(store: GalleryStore, person: str) -> NumberedPerson | None:
    """Return the person with this id or name, or None; raises TypeError where it is no text."""
    if not isinstance(person, str):
        raise TypeError(f"a person is given by id or name, a text, not {person!r:.80}")
    person = readable(person)
    return store.person("id", person) or store.person("spelling", name_key(person))


def require_person(store: GalleryStore, person: str) -> NumberedPerson:
    """Return the person with this id or name.

    Raises:
        UnknownPerson: no person has it.
    """
    found = find_person(store, person)
    if found is None:
        raise UnknownPerson(
            f"no person in the gallery has the name or id {person!r}",
            hint="`Gallery.people()` lists the people.",
            code="person-unknown",
            data={"gallery": str(store.database.folder)},
        )
    return found


def check_name_free(store: GalleryStore, name: str, number: int | None = None) -> None:
    """Raise NameTaken where a person other than `number` has a name."""
    holder = store.person("spelling", name_key(name))
    if holder and holder[0] != number:
        raise NameTaken(
            f"{holder[1].name} is in the gallery already",
            hint="Choose another name, or merge the two people.",
            code="name-taken",
        )


def add_person(
    store: GalleryStore,
    name: str,
    consent: str,
    source: str,
    key: str,
    *,
    person_id: str = "",
    created: str = "",
) -> NumberedPerson:
    """Add a person, inside a transaction.

    Args:
        store: of the gallery.
        name: any text; made one line.
        consent: a note on what the person has agreed to.
        source: where the person comes from.
        key: name of the API key that does it, for the audit trail.
        person_id: a new id where empty.
        created: UTC time, ISO 8601; now where empty.

    Raises:
        NameTaken: another person has the name.
        InvalidName: it is empty or too long.
    """
    shown = valid_name(name)
    check_name_free(store, shown)
    number = store.add_person(
        shown,
        name_key(shown),
        consent=consent[:LONGEST_NOTE],
        source=source,
        person_id=person_id,
        created=created,
    )
    person = require_person(store, shown)[1]
    store.add_event("added", person.id, key, "")
    return number, person
