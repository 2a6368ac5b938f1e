"""Assign the photos of a tree to people: a folder per person, inside any wrapping folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from posixpath import splitext

from mien.names import folder_person
from mien.photo import SUFFIXES

_ARCHIVES = frozenset({".zip", ".tar", ".tgz", ".gz", ".rar", ".7z", ".bz2", ".xz"})
_SYSTEM = frozenset({"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin"})


@dataclass(frozen=True, slots=True)
class Item:
    """A photo that a source assigns to a person.

    Attributes:
        source: label of the source.
        person: name, as in the source.
        photo: path in the source, with `/`.
    """

    source: str
    person: str
    photo: str


@dataclass(frozen=True)
class Survey:
    """The photos of a source.

    Attributes:
        items: in the order in which they are read.
        skipped: number of skipped files, by reason.
    """

    items: tuple[Item, ...]
    skipped: Counter[str] = field(default_factory=Counter)


def survey_tree(source: str, paths: Iterable[str], skipped: Counter[str] | None = None) -> Survey:
    """Assign the photos of a tree to people.

    Folders that contain everything are ignored. The first folder below them names the person, and
    the folders in it belong to that person too.

    Args:
        source: label of the items.
        paths: files, relative to the tree's root, with `/`.
        skipped: counts of skipped files to add to; new ones where None.
    """
    counts: Counter[str] = Counter() if skipped is None else skipped
    photos: list[tuple[str, tuple[str, ...]]] = []
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}  # one tuple per folder, not per photo
    for path in paths:
        parts = parts_of(path)
        reason = skip_reason(parts)
        if reason:
            counts[reason] += 1
        else:
            photos.append((path, shared.setdefault(parts[:-1], parts[:-1])))
    depth = _wrapping_depth([folders for _, folders in photos])
    people = {
        folders: folder_person(folders[depth]) if len(folders) > depth else "" for folders in shared
    }
    items = []
    for path, folders in photos:
        if person := people[folders]:
            items.append(Item(source, person, path))
        else:
            counts["photo that lies in no person's folder"] += 1
    return Survey(tuple(items), counts)


def parts_of(path: str) -> tuple[str, ...]:
    """Return the parts of a relative path; `pathlib` would keep each in memory for good."""
    return tuple(part for part in path.split("/") if part not in {"", "."})


def skip_reason(parts: tuple[str, ...]) -> str:
    """Return why a file with these parts of its path is skipped; empty for a photo."""
    if not parts or any(part.startswith(".") or part.lower() in _SYSTEM for part in parts):
        return "hidden or system file"
    suffix = splitext(parts[-1])[1].lower()
    if suffix in _ARCHIVES:
        return "archive inside, not unpacked"
    if suffix not in SUFFIXES:
        return "not a photo"
    return ""


def _wrapping_depth(folders: Sequence[tuple[str, ...]]) -> int:
    """Return how many levels of folders wrap the people's folders.

    A folder wraps others if all photos are in it, and if none is directly in it, or if it has two
    or more subfolders with more photos than are directly in it. So a single person's folder with
    a few photos in subfolders is that person's.
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
