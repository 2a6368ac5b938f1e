"""Encryption with AES-256-GCM, and the keys that users keep in files.

What the bytes belong to is authenticated along with them (as associated data), so that they do not
decrypt elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
import secrets
import shlex
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import GalleryLocked, OutputError
from mien.files import create_private_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
KEY_VARIABLE = "MIEN_KEY"

_log = logging.getLogger("mien")

_NONCE = 12
_LONGEST_KEY_FILE = 4096
_HOW = (
    f"Give its key, which `find_key` reads from a key file or from {KEY_VARIABLE}. "
    "It cannot be read without the key."
)


class Cipher:
    """Encrypts bytes before they are written and decrypts them after they are read.

    Args:
        key: 32 bytes; None for a cipher that leaves bytes as they are.

    Raises:
        GalleryLocked: the key has another length, or the package `cryptography` is not installed.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._aead = None if key is None else _aesgcm(key)

    @property
    def encrypts(self) -> bool:
        """Whether bytes are encrypted."""
        return self._aead is not None

    def encrypt(self, data: bytes, place: str, bound: bytes = b"") -> bytes:
        """Return nonce, ciphertext and tag; `data` itself where there is no key.

        Args:
            data: to write.
            place: where it is written to.
            bound: authenticated with it, and needed again to decrypt; `place` where empty.
        """
        if self._aead is None:
            return data
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._aead.encrypt(nonce, data, bound or place.encode())

    def decrypt(self, data: bytes, place: str, bound: bytes = b"") -> bytes:
        """Return the bytes that `encrypt` was given.

        Args:
            data: what it returned.
            place: as it was given.
            bound: as it was given.

        Raises:
            GalleryLocked: they were encrypted with another key or for another place, or changed.
        """
        if self._aead is None:
            return data
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        try:
            return self._aead.decrypt(data[:_NONCE], data[_NONCE:], bound or place.encode())
        except (InvalidTag, ValueError) as error:
            raise changed(place) from error


def _aesgcm(key: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise GalleryLocked(
            f"a key has {KEY_BYTES} bytes, this one {len(key)}", hint=_HOW, code="gallery-locked"
        )
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415
    except ImportError as error:
        raise GalleryLocked(
            "an encrypted gallery needs the package cryptography",
            hint="Install it: pip install 'mien[encryption]'.",
        ) from error
    return AESGCM(key)


def changed(place: str) -> GalleryLocked:
    """Return the error for data that does not decrypt where it stands."""
    return GalleryLocked(
        f"{place} cannot be decrypted: another key, or it was changed",
        hint=_HOW,
        code="gallery-locked",
    )


def key_missing(what: str) -> GalleryLocked:
    """Return the error for a gallery that is encrypted while no key is given."""
    return GalleryLocked(f"{what} is encrypted", hint=_HOW, code="gallery-locked")


def key_unused(folder: Path) -> GalleryLocked:
    """Return the error for a key of a gallery that is not encrypted."""
    return GalleryLocked(
        f"{folder} is not encrypted, and a key was given",
        hint="Open it without a key, or encrypt it with `Gallery.rotate_key` first.",
        code="gallery-not-encrypted",
        data={"folder": str(folder)},
    )


def new_key() -> bytes:
    """Return a random key."""
    return secrets.token_bytes(KEY_BYTES)


def key_text(key: bytes) -> str:
    """Return the text of a key, as a key file and `MIEN_KEY` hold it."""
    return base64.urlsafe_b64encode(key).decode()


def parse_key(text: str, where: str) -> bytes:
    """Return the key of a text that `key_text` wrote.

    Args:
        text: of a key file or of `MIEN_KEY`.
        where: what to call its source in an error.

    Raises:
        GalleryLocked: it is not a key.
    """
    try:
        key = base64.b64decode(text.strip(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _invalid_key(where) from error
    if len(key) != KEY_BYTES:
        raise _invalid_key(where)
    return key


def _invalid_key(where: str) -> GalleryLocked:
    return GalleryLocked(
        f"{where} holds no key",
        hint="A key is 32 bytes in base64, as `key_text(new_key())` returns it.",
        code="key-malformed",
    )


def find_key(file: Path | None = None) -> bytes | None:
    """Return the key in a file, else the one in `MIEN_KEY`, else None.

    Raises:
        GalleryLocked: the file cannot be read, others may read it, or there is no key in it or in
            `MIEN_KEY`.
    """
    if file is not None:
        try:
            with file.open(encoding="utf-8") as opened:
                _check_private(file, opened.fileno())
                return parse_key(opened.read(_LONGEST_KEY_FILE), str(file))
        except (OSError, UnicodeDecodeError) as error:
            raise GalleryLocked(
                f"the key file {file} cannot be read: {getattr(error, 'strerror', error)}",
                hint=_HOW,
                code="gallery-locked",
            ) from error
    text = os.environ.get(KEY_VARIABLE, "")
    return parse_key(text, KEY_VARIABLE) if text.strip() else None


def _check_private(file: Path, handle: int) -> None:
    """Check that only the owner of a key file may read it.

    With Docker and Kubernetes, secrets are mounted as files of root, often readable by all, which
    the process cannot change: that is a warning. So is a system without permissions of files.

    Raises:
        GalleryLocked: others may read the file.
    """
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):  # a pipe, as from a shell's <(…)
        return
    if sys.platform == "win32":
        _log.warning("%s: check that no other user may read this key file", file)
    elif found.st_mode & 0o077:
        is_mounted = bool(os.fstatvfs(handle).f_flag & os.ST_RDONLY)
        if found.st_uid == 0 and (os.geteuid() != 0 or is_mounted):
            _log.warning("%s: others than its owner may read this key file", file)
            return
        raise GalleryLocked(
            f"others than its owner may read the key file {file}",
            hint=f"Take it from them: chmod 600 {shlex.quote(str(file))}",
            code="key-file-open",
            data={"file": str(file)},
        )


def write_new_key(file: Path) -> bytes:
    """Make a random key, write it to a file that only its owner may read, and return it.

    Raises:
        OutputError: the file exists already, or cannot be written.
    """
    key = new_key()
    try:
        create_private_file(file, f"{key_text(key)}\n".encode())
    except OSError as error:
        raise OutputError(
            f"cannot write the key file {file}: {error.strerror}",
            hint="Give the name of a new file in a folder that you may write to.",
        ) from error
    return key
