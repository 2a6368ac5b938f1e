"""Names of people: normal form for display, key for comparison, folder name."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_SLUG_LENGTH = 60


def readable(path: str) -> str:
    """Return a path as valid Unicode: bytes that are not UTF-8 become U+FFFD."""
    try:
        raw = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a character, as JSON can write it
        raw = path.encode("utf-8", "surrogatepass")
    return raw.decode("utf-8", "replace")


def clean_name(text: str) -> str:
    """Return a name for display: NFC, without control characters, runs of spaces collapsed.

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
    """Return the person that a folder is named after: `Narendra_Modi` is Narendra Modi."""
    return clean_name(folder.replace("_", " "))


def name_key(name: str) -> str:
    """Return the key by which names are compared: two spellings of one name have the same key.

    Case, width and `_` are ignored. So are format characters: they are invisible, and two names
    that differ only in them look the same. Empty where the name has no visible character.
    """
    same = unicodedata.normalize("NFKC", folder_person(name).casefold())
    return clean_name("".join(char for char in same if unicodedata.category(char) != "Cf"))


def slug(name: str) -> str:
    """Return a folder name for a person that is valid on every file system and unique per name.

    A plain ASCII name is its own slug, with `_` for spaces. Of any other name the plain characters
    are kept, and the first 8 hex digits of a digest are appended.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    kept = re.sub(r"[^A-Za-z0-9.-]+", "_", plain).strip("._-")[:_SLUG_LENGTH].rstrip("._-")
    reversible = kept.replace("_", " ") == name and not _RESERVED.fullmatch(kept)
    if reversible:
        return kept
    digest = hashlib.sha256(name_key(name).encode("utf-8", "replace")).hexdigest()[:8]
    return f"{kept or 'person'}-{digest}"
