"""People's names: as they are shown, as they are compared, and as a folder may be called."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_SLUG_SIDE = 60


def readable(path: str) -> str:
    """Return a file's path with U+FFFD for bytes that are not UTF-8, so that it can be written."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def clean_name(text: str) -> str:
    """Return a name as it is shown: NFC, control characters gone, runs of space made one.

    The result may be empty.
    """
    whole = readable(text)
    shown = "".join(
        " " if char.isspace() else char
        for char in unicodedata.normalize("NFC", whole)
        if char.isspace() or unicodedata.category(char) != "Cc"
    )
    return " ".join(shown.split())


def folder_person(folder: str) -> str:
    """Return the person a folder is named after: `Narendra_Modi` is Narendra Modi."""
    return clean_name(folder.replace("_", " "))


def name_key(name: str) -> str:
    """Return what two spellings of one name have in common; empty where nothing can be seen.

    Case, width and `_` do not count, nor do format characters: they cannot be seen, and two people
    of one name could not be told apart.
    """
    same = unicodedata.normalize("NFKC", folder_person(name).casefold())
    return clean_name("".join(char for char in same if unicodedata.category(char) != "Cf"))


def slug(name: str) -> str:
    """Return a folder name for a person that every file system takes, different for each name.

    A plain ASCII name is its own slug with `_` for spaces; any other keeps what is plain in it
    and gets a piece of a digest.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    kept = re.sub(r"[^A-Za-z0-9.-]+", "_", plain).strip("._-")[:_SLUG_SIDE].rstrip("._-")
    faithful = kept.replace("_", " ") == name and not _RESERVED.fullmatch(kept)
    if faithful:
        return kept
    digest = hashlib.sha256(name_key(name).encode("utf-8", "replace")).hexdigest()[:8]
    return f"{kept or 'person'}-{digest}"
