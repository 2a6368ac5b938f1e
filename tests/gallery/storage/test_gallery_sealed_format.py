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
    return hmac.digest(middle, f"mien gallery 2, {use}".encode() + b"\1", "sha256")


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
    assert found == encrypted(data, "mien gallery 2", what, GALLERY, *bound)
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
    "photo": "a0a1a2a3a4a5a6a7a8a9aaab8e068c22915e753e0bc817dbf66f73bac8e73532a25a8ee6",
    "person": (
        "a0a1a2a3a4a5a6a7a8a9aaaba14122db90566d32c70d09dd42a6ec657b11120d731d1637d044142c"
        "b9c143eeaba7ae70fffc19348bb1e9eaa050215bc5e886d1d394d08408aa0ca516810ff787522e24"
        "038c8a34722d871e9038c030"
    ),
    "photo texts": (
        "a0a1a2a3a4a5a6a7a8a9aaaba14187349b59673dc449439b0603236e741b1d0e37575073d45b5226"
        "bad351edbfe3e436bbea173d99b8fcae9b16671d83aec09795d296c24eec4ae350c749b165a98add"
        "9ddcb677a95aa46e81cdd1ad2d9609cf825f9a53485e35c688f368c95e3665c0cf8e45a52af96500"
        "ab175529e3d37d1d53b626d69b50b78aa9facccb56a20a9ac2a760b47045a00385dd3757"
    ),
    "lock": "oKGio6SlpqeoqaqrlwqEPPy9b7svHIWja9mKQFWHTlw=",
    "digest": (
        "oKGio6SlpqeoqaqremPhUv0/AVuiLyX9YGVFCBJ9e2hRMTYVsj00QNy1N4rZhYJQ3YxxXv/emsj9cAF6"
        "5cim8fO08KYoiiyFNqEv1APPqPG9/tddwyvBT9jo94oFvyPkrnK0fHhvB/W8xl7+Zg9f+/Oze5qkUK72"
        "tZjDoTP+bDjW2Ubr"
    ),
    "index": "b2bf15e1add0c2754a0ea44e93286026",
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
        plain, "mien gallery 2", "person", GALLERY, *PERSON
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
