"""Encrypt the rows of a gallery again: with another key, or as a newer version binds them."""

from __future__ import annotations

import base64
import binascii
import sqlite3

from mien.gallery.storage.row_digests import GalleryDigest, digest_of
from mien.gallery.storage.schema import SEALED_FROM, migrate
from mien.gallery.storage.sealing import (
    Bound,
    PersonTexts,
    Reader,
    Seal,
    SealOfFormat1,
    negative_bound,
    person_bound,
    photo_bound,
)
from mien.gallery.storage.wiping import TO_REWRITE

_DIGEST = "digest"
SET_META = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

_PERSON = "SELECT id, created, name, spelling, consent, source, sealed FROM people WHERE number = ?"
_PHOTO = (
    "SELECT photos.id, people.id, contract, quality, added, forced, "
    "sha256, photos.source, photos.sealed, template, thumbnail "
    "FROM photos LEFT JOIN people ON people.number = photos.person WHERE photos.number = ?"
)
_NEGATIVE = (
    "SELECT negatives.id, owner.id, shown.id, contract, added, template FROM negatives "
    "LEFT JOIN people AS owner ON owner.number = negatives.person "
    "LEFT JOIN people AS shown ON shown.number = negatives.shows WHERE negatives.number = ?"
)


def bring_up_to_date(base: sqlite3.Connection, key: bytes | None, seal: Seal) -> None:
    """Run the migrations that are missing and store the digest, all in one transaction.

    Args:
        base: a connection in autocommit mode.
        key: of the gallery, checked; None where it is not encrypted.
        seal: that the rows get.

    Raises:
        GalleryLocked: a row does not decrypt; the gallery stays as it was.
        sqlite3.Error: a migration fails; the gallery stays as it was.
    """

    def finish(before: int) -> None:
        if before < SEALED_FROM:
            settings = {"id": seal.gallery, "lock": seal.lock()}
            if seal.encrypts:
                rewrite_rows(base, SealOfFormat1(key), seal)
                settings["scrub"] = TO_REWRITE  # names stood in the clear
            base.executemany(SET_META, settings.items())
        base.execute(SET_META, (_DIGEST, stored_text(digest_of(base, seal), seal)))

    migrate(base, finish=finish)


def rewrite_rows(base: sqlite3.Connection, old: Reader, new: Seal) -> None:
    """Decrypt every row with one seal and encrypt it with another, inside a transaction."""
    for number in _numbers(base, "people"):
        _rewrite_person(base, number, old, new)
    for number in _numbers(base, "photos"):
        rewrite_photo(base, number, old, new)
    for number in _numbers(base, "negatives"):
        rewrite_negative(base, number, old, new)


def _numbers(base: sqlite3.Connection, table: str) -> list[int]:
    return [row[0] for row in base.execute(f"SELECT number FROM {table} ORDER BY number")]  # noqa: S608


def _rewrite_person(base: sqlite3.Connection, number: int, old: Reader, new: Seal) -> None:
    person, created, *columns, sealed = base.execute(_PERSON, (number,)).fetchone()
    bound = person_bound(person, created)
    texts = PersonTexts(*old.texts(sealed, columns, "person", bound))
    write_person_texts(base, number, texts, new, bound)


def write_person_texts(
    base: sqlite3.Connection, number: int, texts: PersonTexts, seal: Seal, bound: Bound
) -> None:
    """Replace the texts of a person, inside a transaction.

    Args:
        base: of the gallery.
        number: of the person.
        texts: to write.
        seal: of the gallery.
        bound: of the person.
    """
    name, consent, source = seal.in_columns((texts.name, texts.consent, texts.source))
    base.execute(
        "UPDATE people SET name = ?, spelling = ?, consent = ?, source = ?, sealed = ? "
        "WHERE number = ?",
        (
            name, seal.index(texts.spelling), consent, source,
            seal.sealed_texts(texts, "person", bound), number,
        ),
    )  # fmt: skip


def rewrite_photo(
    base: sqlite3.Connection,
    number: int,
    old: Reader,
    new: Seal,
    owner: tuple[int, str] | None = None,
) -> None:
    """Encrypt a photo again, for the same person or another, inside a transaction.

    Args:
        base: of the gallery.
        number: of the photo's row.
        old: decrypts it.
        new: encrypts it.
        owner: number and id of the person it gets; None for the same.
    """
    row = base.execute(_PHOTO, (number,)).fetchone()
    photo, person, contract, quality, added, forced, *columns, sealed, template, thumbnail = row
    was = photo_bound(photo, person, contract, quality, added, forced)
    bound = photo_bound(photo, owner[1], *row[2:6]) if owner else was
    sha256, source = old.texts(sealed, columns, "photo texts", was)
    crop = None if thumbnail is None else old.decrypt(thumbnail, "thumbnail", was)
    base.execute(
        "UPDATE photos SET sha256 = ?, source = ?, sealed = ?, template = ?, thumbnail = ? "
        "WHERE number = ?",
        (
            new.index(sha256), *new.in_columns([source]),
            new.sealed_texts((sha256, source), "photo texts", bound),
            new.encrypt(old.decrypt(template, "photo", was), "photo", bound),
            None if crop is None else new.encrypt(crop, "thumbnail", bound),
            number,
        ),
    )  # fmt: skip
    if owner:
        base.execute("UPDATE photos SET person = ? WHERE number = ?", (owner[0], number))


def rewrite_negative(
    base: sqlite3.Connection,
    number: int,
    old: Reader,
    new: Seal,
    move: tuple[tuple[int, str], tuple[int, str]] | None = None,
) -> None:
    """Encrypt a rejected face again, inside a transaction.

    Args:
        base: of the gallery.
        number: of its row.
        old: decrypts it.
        new: encrypts it.
        move: number and id of a person, and of the person that takes this one's place.
    """
    row = base.execute(_NEGATIVE, (number,)).fetchone()
    negative, owner, shown, contract, added, template = row
    plain = old.decrypt(template, "negative", negative_bound(negative, owner, shown, *row[3:5]))
    if move:
        (source, gone), (target, kept) = move
        owner, shown = (kept if person == gone else person for person in (owner, shown))
        for column in ("person", "shows"):
            base.execute(
                f"UPDATE negatives SET {column} = ? WHERE number = ? AND {column} = ?",  # noqa: S608
                (target, number, source),
            )
    bound = negative_bound(negative, owner, shown, contract, added)
    base.execute(
        "UPDATE negatives SET template = ? WHERE number = ?",
        (new.encrypt(plain, "negative", bound), number),
    )


def stored_text(digest: GalleryDigest, seal: Seal) -> str:
    """Return a digest as the table `meta` holds it: encrypted where the gallery is."""
    return base64.b64encode(seal.encrypt(digest.packed(), _DIGEST, ())).decode()


def stored_digest(base: sqlite3.Connection, seal: Seal) -> GalleryDigest:
    """Return the digest that is stored.

    Raises:
        ValueError: it is missing or damaged.
        GalleryLocked: it does not decrypt.
    """
    row = base.execute("SELECT value FROM meta WHERE key = ?", (_DIGEST,)).fetchone()
    try:
        data = base64.b64decode(row[0] if row else "", validate=True)
    except binascii.Error as error:
        raise ValueError("its digest is damaged") from error
    return GalleryDigest.unpacked(seal.decrypt(data, _DIGEST, ()))


def store_digest(base: sqlite3.Connection, digest: GalleryDigest, seal: Seal) -> None:
    """Store a digest, inside a transaction."""
    base.execute(SET_META, (_DIGEST, stored_text(digest, seal)))
