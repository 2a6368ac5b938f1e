"""The format of an encrypted gallery: stored galleries depend on every byte of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

import pytest

from mien.errors import GalleryLocked
from mien.gallery.storage.cipher import Cipher
from mien.gallery.storage.reseal import stored_text
from mien.gallery.storage.row_digests import GalleryDigest
from mien.gallery.storage.sealing import (
    PersonTexts,
    Seal,
    negative_bound,
    person_bound,
    photo_bound,
)

KEY = bytes(range(32))
GALLERY = "00112233445566778899aabbccddeeff"
MOMENT = "2026-01-01T00:00:00+00:00"
NONCE = bytes.fromhex("a0a1a2a3a4a5a6a7a8a9aaab")
TEXTS = PersonTexts("Émilie", "émilie", "by letter", "photos")
PHOTO = photo_bound("0123456789ab", "ba9876543210", "c" * 16, 0.75, MOMENT, "")
NEGATIVE = negative_bound("0123456789ab", "ba9876543210", None, "c" * 16, MOMENT)
PERSON = person_bound("ba9876543210", MOMENT)
DIGEST = GalleryDigest(2**255 + 1, (1, 2, 3, 4), 5, bytes(range(32)))


def derived(use):
    """HKDF with SHA-256 (RFC 5869), written out: of 32 bytes, one block."""
    middle = hmac.digest(GALLERY.encode(), KEY, "sha256")
    return hmac.digest(middle, f"Mien gallery, rows, 2, {use}".encode() + b"\1", "sha256")


def encrypted(data, *texts):
    """AES-256-GCM with each text and its length as associated data, written out."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    associated = "".join(f"{len(text)}:{text}," for text in texts).encode()
    return NONCE + AESGCM(derived("rows")).encrypt(NONCE, data, associated)


@pytest.fixture
def seal(monkeypatch):
    monkeypatch.setattr(secrets, "token_bytes", lambda _: NONCE)
    return Seal(KEY, GALLERY)


ROWS = [
    (b"template", "photo", PHOTO),
    (b"thumbnail", "thumbnail", PHOTO),
    (b"template", "negative", NEGATIVE),
]


@pytest.mark.parametrize(("data", "what", "bound"), ROWS)
def test_bytes_are_bound_to_gallery_row_person_contract_and_quality(seal, data, what, bound):
    found = seal.encrypt(data, what, bound)
    assert found == encrypted(data, "Mien gallery, rows, 2", what, GALLERY, *bound)
    assert seal.decrypt(found, what, bound) == data
    for place in range(len(bound)):
        other = (*bound[:place], bound[place] + "x", *bound[place + 1 :])
        with pytest.raises(GalleryLocked):
            seal.decrypt(found, what, other)
    for other_seal, other_what in (
        (Seal(KEY, GALLERY[::-1]), what),
        (Seal(bytes(32), GALLERY), what),
        (seal, "other"),
    ):
        with pytest.raises(GalleryLocked):
            other_seal.decrypt(found, other_what, bound)


def test_what_a_row_is_bound_to():
    assert PHOTO == (
        "0123456789ab", "ba9876543210", "c" * 16, "0x1.8000000000000p-1", MOMENT, "",
    )  # fmt: skip
    assert NEGATIVE == ("0123456789ab", "ba9876543210", "", "c" * 16, MOMENT)
    assert PERSON == ("ba9876543210", MOMENT)


GOLDEN = {
    "photo": "a0a1a2a3a4a5a6a7a8a9aaaba5993450d55b717a655da4e574f5a596b219b1d6c236ad43",
    "person": (
        "a0a1a2a3a4a5a6a7a8a9aaab8ade9aa9d4536976044954e40d684de161e2300bec69ad88aaa4d69d"
        "5ac00e5dde7a1d986cfdb12c7251a27d38e21c1e7a7524c0abdac5c5b0e69ae7b3f2459d8b523e5c"
        "2a1ade0ee82b2ef7bd0452ff"
    ),
    "photo texts": (
        "a0a1a2a3a4a5a6a7a8a9aaab8ade3f46df5c6379070d1ea249cd82ea6ee83f08a823ebccaebb9097"
        "59d21c5eca3e57de28ebbf256058b73903a45a583c336286ed9c8383f6a0dca1f5b403db4c73d8b9"
        "75c0fa3523715e2e8fa08fb93ea02cfdaa76218dcbec8bb67b75d8a0ee86abc211e18c64b188787f"
        "c9a8e0f823b2d73c7cf62f560a4b24594b437bfb2366c93f558281fe7643763f52896861"
    ),
    "lock": "oKGio6SlpqeoqaqrvJU8TiThnOpht9ttp+iSP2QkiFg=",
    "digest": (
        "oKGio6SlpqeoqaqrUfxZILk6BR9ha3jEL6vkjAiOWW7ORY2qyN328T+0ejmsWDG4To3ZRgY+0V9lwjw/"
        "WlUE4Iv65eeQxrrHk9JlvioV+pVV4psfSQA7D9aFqZ4WiQbWhlsPovvduYVPQO6X1r+R+S3csltfl4VY"
        "22awpyo+SaykY781"
    ),
    "index": "c99bd7abf3ad0e50dd9ae74a4ea5235d",
    "export": "a0a1a2a3a4a5a6a7a8a9aaab9c710c7273b8895d6dd6219dad944a5df656b1",
}


def made(seal):
    photo = seal.sealed_texts(("f" * 64, "a.jpg"), "photo texts", PHOTO)
    return {
        "photo": seal.encrypt(b"template", "photo", PHOTO).hex(),
        "person": seal.sealed_texts(TEXTS, "person", PERSON).hex(),
        "photo texts": photo.hex(),
        "lock": seal.lock(),
        "digest": stored_text(DIGEST, seal),
        "index": seal.index("émilie"),
        "export": seal.user_cipher.encrypt(b"zip", "gallery export").hex(),
    }


def test_golden_ciphertext(seal):
    assert made(seal) == GOLDEN


def test_golden_ciphertext_is_read():
    seal = Seal(KEY, GALLERY)
    assert seal.decrypt(bytes.fromhex(GOLDEN["photo"]), "photo", PHOTO) == b"template"
    sealed = bytes.fromhex(GOLDEN["person"])
    assert seal.texts(sealed, ["", "", "", ""], "person", PERSON) == list(TEXTS)
    sealed = bytes.fromhex(GOLDEN["photo texts"])
    assert seal.texts(sealed, ["", ""], "photo texts", PHOTO) == ["f" * 64, "a.jpg"]
    assert seal.decrypt(base64.b64decode(GOLDEN["lock"]), "lock", ()) == b"mien"
    stored = seal.decrypt(base64.b64decode(GOLDEN["digest"]), "digest", ())
    assert GalleryDigest.unpacked(stored) == DIGEST
    assert Cipher(KEY).decrypt(bytes.fromhex(GOLDEN["export"]), "gallery export") == b"zip"


def test_texts_are_json_filled_up_with_spaces(seal):
    text = '["Émilie", "émilie", "by letter", "photos"]'.encode()
    plain = text + b" " * (64 - len(text))
    assert seal.sealed_texts(TEXTS, "person", PERSON) == encrypted(
        plain, "Mien gallery, rows, 2", "person", GALLERY, *PERSON
    )


def test_names_are_searched_by_a_keyed_digest(seal):
    expected = hashlib.blake2b("émilie".encode(), key=derived("names"), digest_size=16)
    assert seal.index("émilie") == expected.hexdigest()
    assert seal.index("") == ""
    assert seal.digest_key == derived("digests")
    plain = Seal(None, GALLERY)
    assert (plain.index("émilie"), plain.digest_key, plain.lock()) == ("émilie", b"", "none")


def test_texts_that_are_not_encrypted_are_refused(seal):
    with pytest.raises(GalleryLocked, match="person ba9876543210 cannot be decrypted"):
        seal.texts(None, ["Eve", "eve", "", ""], "person", PERSON)
    with pytest.raises(GalleryLocked):
        seal.texts(seal.sealed_texts(["a"], "person", PERSON), [""] * 4, "person", PERSON)
