"""What protects the rows of one gallery: encryption that binds each row to its place.

The keys of a gallery are derived from the user's key and the gallery's id (HKDF-SHA256, RFC 5869),
so that two galleries of one key have different ones. Templates, thumbnails, names and notes are
encrypted with AES-256-GCM. What must not be exchanged with another row's is authenticated along
with them, as associated data: the gallery, the row, the person, the contract, the quality.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from mien.errors import GalleryLocked, NotAGallery
from mien.gallery.storage.cipher import KEY_BYTES, Cipher, changed, key_missing, key_unused
from mien.gallery.storage.schema import SEALED_FROM, version_of

Bound = tuple[str, ...]
"""What is authenticated along with encrypted data; first the row's id."""

_FORMAT = "Mien gallery, rows, 2"
_BLOCK = 64
"""Texts are filled up to a multiple of this, so that their length tells little of a name."""
_LOCK = "lock"
_LOCK_OF_1 = "gallery lock"
_NO_LOCK = "none"
"""Versions that wrote format 1 take it for another key than theirs, and do not write."""
_INDEX_BYTES = 16


class PersonTexts(NamedTuple):
    """The texts of a person; encrypted where the gallery is."""

    name: str
    spelling: str
    consent: str
    source: str


class Reader(Protocol):
    """Decrypts what stands in a gallery's rows."""

    def decrypt(self, data: bytes, what: str, bound: Bound) -> bytes:
        """Return the bytes that were encrypted for this place."""
        ...

    def texts(
        self, sealed: bytes | None, columns: Sequence[str], what: str, bound: Bound
    ) -> list[str]:
        """Return the texts of a row, from the encrypted ones or from its columns."""
        ...


class Seal:
    """Encrypts and decrypts the rows of one gallery; without a key it leaves them as they are.

    Args:
        key: 32 bytes; None for a gallery that is not encrypted.
        gallery: the gallery's id, 32 hexadecimal digits.

    Attributes:
        gallery: its id.
        user_cipher: of the user's key itself, for exports, which belong to no gallery.
        digest_key: of the digests of rows; empty without a key.

    Raises:
        GalleryLocked: the key has another length, or the package `cryptography` is not installed.
    """

    def __init__(self, key: bytes | None, gallery: str) -> None:
        self.gallery = gallery
        self.user_cipher = Cipher(key)
        self._rows = Cipher(derived_key(key, gallery, "rows"))
        self._index_key = derived_key(key, gallery, "names") or b""
        self.digest_key = derived_key(key, gallery, "digests") or b""

    @property
    def encrypts(self) -> bool:
        """Whether rows are encrypted."""
        return self._rows.encrypts

    def encrypt(self, data: bytes, what: str, bound: Bound) -> bytes:
        """Return nonce, ciphertext and tag; `data` itself where there is no key.

        Args:
            data: to write.
            what: the kind of data.
            bound: needed again to decrypt.
        """
        if not self.encrypts:
            return data
        return self._rows.encrypt(data, what, self._associated(what, bound))

    def decrypt(self, data: bytes, what: str, bound: Bound) -> bytes:
        """Return the bytes that `encrypt` was given.

        Raises:
            GalleryLocked: they, or what they are bound to, were changed; or the key is another.
        """
        if not self.encrypts:
            return data
        place = f"{what} {bound[0]}" if bound else what
        return self._rows.decrypt(data, place, self._associated(what, bound))

    def sealed_texts(self, texts: Sequence[str], what: str, bound: Bound) -> bytes | None:
        """Return texts encrypted; None without a key: then they stand in the row's columns."""
        if not self.encrypts:
            return None
        data = json.dumps(list(texts), ensure_ascii=False).encode()
        return self.encrypt(data + b" " * (-len(data) % _BLOCK), what, bound)

    def texts(
        self, sealed: bytes | None, columns: Sequence[str], what: str, bound: Bound
    ) -> list[str]:
        """Return the texts of a row.

        Args:
            sealed: what `sealed_texts` returned.
            columns: the texts as they stand in the row, for a gallery that is not encrypted.
            what: the kind of data.
            bound: as it was given to `sealed_texts`.

        Raises:
            GalleryLocked: the gallery is encrypted, and the texts are not, or were changed.
        """
        if not self.encrypts:
            return list(columns)
        if sealed is None:
            raise changed(f"{what} {bound[0]}")
        found = [str(text) for text in json.loads(self.decrypt(sealed, what, bound))]
        if len(found) != len(columns):
            raise changed(f"{what} {bound[0]}")
        return found

    def in_columns(self, texts: Sequence[str]) -> list[str]:
        """Return what of some texts stands in a row's columns: nothing of them with a key."""
        return [""] * len(texts) if self.encrypts else list(texts)

    def index(self, text: str) -> str:
        """Return what a text is searched by: with a key a keyed digest, BLAKE2b (RFC 7693)."""
        if not self.encrypts or not text:
            return text
        key = self._index_key
        return hashlib.blake2b(text.encode(), key=key, digest_size=_INDEX_BYTES).hexdigest()

    def lock(self) -> str:
        """Return a text by which a key is checked."""
        if not self.encrypts:
            return _NO_LOCK
        return base64.b64encode(self.encrypt(b"mien", _LOCK, ())).decode()

    def _associated(self, what: str, bound: Bound) -> bytes:
        # The length before each text, so that no two lists of texts look the same.
        texts = (_FORMAT, what, self.gallery, *bound)
        return "".join([f"{len(text)}:{text}," for text in texts]).encode()


class SealOfFormat1:
    """Decrypts the rows of a gallery of schema version 3 or older: bound to their id alone.

    Args:
        key: 32 bytes; None for a gallery that is not encrypted.
    """

    def __init__(self, key: bytes | None) -> None:
        self._cipher = Cipher(key)

    def decrypt(self, data: bytes, what: str, bound: Bound) -> bytes:
        """Return the bytes that were encrypted for this row."""
        return self._cipher.decrypt(data, f"{what} {bound[0]}")

    def texts(self, _: bytes | None, columns: Sequence[str], __: str, ___: Bound) -> list[str]:
        """Return the texts as they stand in the row: they were not encrypted."""
        return list(columns)


def person_bound(person: str, created: str) -> Bound:
    """Return what a person's texts are bound to.

    Args:
        person: id.
        created: as stored.
    """
    return person, created


def photo_bound(
    photo: str, person: str | None, contract: str, quality: float, added: str, forced: str
) -> Bound:
    """Return what a photo's template, thumbnail and texts are bound to.

    Args:
        photo: id.
        person: id of the person; None where the row's person is missing.
        contract: of the embeddings.
        quality: as stored.
        added: as stored.
        forced: as stored.
    """
    return photo, person or "", contract, float(quality).hex(), added, forced


def negative_bound(
    negative: str, person: str | None, shows: str | None, contract: str, added: str
) -> Bound:
    """Return what a rejected face is bound to.

    Args:
        negative: id of the row.
        person: id of the person that it is not; None where that person is missing.
        shows: id of the person that it shows; None where unknown.
        contract: of the embedding.
        added: as stored.
    """
    return negative, person or "", shows or "", contract, added


def new_gallery_id() -> str:
    """Return a random id of a gallery: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def derived_key(key: bytes | None, gallery: str, use: str) -> bytes | None:
    """Return the 32 bytes that one use in one gallery takes as its key; None without a key.

    Raises:
        GalleryLocked: the key has another length, or the package `cryptography` is not installed.
    """
    if key is None:
        return None
    Cipher(key)  # raises what is wrong with it
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    info = f"{_FORMAT}, {use}".encode()
    kdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=gallery.encode(), info=info)
    return kdf.derive(key)


def seal_of(base: sqlite3.Connection, folder: Path, key: bytes | None) -> Seal:
    """Return the seal of an open gallery; for one of an older version, the seal that it will get.

    Args:
        base: of the gallery, of this schema version or an older one.
        folder: of the gallery.
        key: 32 bytes; None for none.

    Raises:
        GalleryLocked: it is encrypted, and the key is missing or wrong; or it is not encrypted, and
            a key is given.
        NotAGallery: what the key is checked by is damaged.
    """
    lock, gallery = (_meta(base, name) for name in ("lock", "id"))
    is_old = version_of(base) < SEALED_FROM
    if lock in {"", _NO_LOCK}:
        if key is not None:
            # Who gives a key expects that what is written is encrypted.
            raise key_unused(folder)
        return Seal(None, gallery or new_gallery_id())
    if key is None:
        raise key_missing(str(folder))
    seal = Seal(key, gallery or new_gallery_id())
    try:
        data = base64.b64decode(lock, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotAGallery(f"{folder}: its lock is damaged") from error
    try:
        if is_old:
            Cipher(key).decrypt(data, _LOCK_OF_1)
        else:
            seal.decrypt(data, _LOCK, ())
    except GalleryLocked as error:
        raise changed(str(folder)) from error
    return seal


def _meta(base: sqlite3.Connection, name: str) -> str:
    row = base.execute("SELECT value FROM meta WHERE key = ?", (name,)).fetchone()
    return str(row[0]) if row else ""
