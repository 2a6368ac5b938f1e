"""Which files of a tree are photos of whom: a folder a person, under any wrapping folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from mien.names import folder_person
from mien.photo import SUFFIXES

_ARCHIVES = frozenset({".zip", ".tar", ".tgz", ".gz", ".rar", ".7z", ".bz2", ".xz"})
_SYSTEM = frozenset({"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin"})


@dataclass(frozen=True, slots=True)
class Item:
    """A photo that a source says is of a person.

    Attributes:
        source: label of the source.
        person: name, as the source gives it.
        photo: path in the source, with `/`.
    """

    source: str
    person: str
    photo: str


@dataclass(frozen=True)
class Survey:
    """What a source holds.

    Attributes:
        items: its photos, in the order they are read.
        skipped: how many files were passed over, by reason.
    """

    items: tuple[Item, ...]
    skipped: Counter[str] = field(default_factory=Counter)


def survey_tree(source: str, paths: Iterable[str], skipped: Counter[str] | None = None) -> Survey:
    """Say whose photos the files of a tree are.

    Folders that wrap everything are taken off; the first folder that is left names the person,
    and folders below it are theirs too.

    Args:
        source: label for the items.
        paths: files, relative to the tree's root, with `/`.
        skipped: counts to add to.
    """
    counts: Counter[str] = Counter() if skipped is None else skipped
    photos: list[tuple[str, tuple[str, ...]]] = []
    for path in paths:
        parts = PurePosixPath(path).parts
        reason = _why_not(parts)
        if reason:
            counts[reason] += 1
        else:
            photos.append((path, parts[:-1]))
    depth = _wrapping([folders for _, folders in photos])
    items = []
    for path, folders in photos:
        person = folder_person(folders[depth]) if len(folders) > depth else ""
        if person:
            items.append(Item(source, person, path))
        else:
            counts["photo that lies in no person's folder"] += 1
    return Survey(tuple(items), counts)


def _why_not(parts: tuple[str, ...]) -> str:
    if any(part.startswith(".") or part.lower() in _SYSTEM for part in parts):
        return "hidden or system file"
    suffix = PurePosixPath(parts[-1]).suffix.lower()
    if suffix in _ARCHIVES:
        return "archive inside, not unpacked"
    if suffix not in SUFFIXES:
        return "not a photo"
    return ""


def _wrapping(folders: Sequence[tuple[str, ...]]) -> int:
    """Return how many folders wrap the people's folders.

    A folder wraps when everything lies in it, and more of that in two or more folders below it
    than directly: one person's folder with a subfolder or two of extras is not taken apart
    unless it holds no photo itself.
    """
    depth = 0
    inside = [parts for parts in folders if parts]
    while inside and len({parts[depth] for parts in inside}) == 1:
        below = [parts for parts in inside if len(parts) > depth + 1]
        direct = len(inside) - len(below)
        several = len({parts[depth + 1] for parts in below}) > 1
        if not below or (direct and not (several and direct < len(below))):
            break
        depth += 1
        inside = below
    return depth
