"""Apply keep, drop, same and different decisions to a dataset, and store them for later builds."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from mien.dataset.build import refresh
from mien.dataset.storage.decisions import append_decisions, read_decisions
from mien.dataset.storage.entries import Entry
from mien.dataset.storage.ledger import LEDGER
from mien.dataset.storage.opened_dataset import MANIFEST, Dataset
from mien.errors import NoFace, UnknownEntry
from mien.names import name_key
from mien.types import Progress, silent

_MAX_SUGGESTIONS = 3
"""Number of similar names in a hint."""


def decide(
    folder: Path | str,
    verb: Literal["keep", "drop"],
    names: Sequence[str],
    *,
    progress: Progress = silent,
) -> Dataset:
    """Keep or drop entries, now and in every later build.

    Args:
        folder: the dataset's folder.
        verb: `keep` uses an entry even if it is doubtful, `drop` sets it aside.
        names: ids of entries, or their photos' paths as in the manifest.
        progress: called while the dataset is written again.

    Raises:
        UnknownEntry: the dataset has no such entry, or several.
        NoFace: an entry to keep has no face.
    """
    dataset = Dataset.open(folder)
    entries = [_find_entry(dataset, name) for name in names]
    for entry in entries:
        if verb == "keep" and entry.face < 0:
            raise NoFace(
                f"{entry.id} ({entry.photo}) has no face to keep",
                hint="Give a photo in which the face is found.",
            )
    subjects = [(entry.id, "", f"{entry.person}: {entry.photo}") for entry in entries]
    append_decisions(dataset.path, verb, subjects)
    return _rebuild(dataset, progress)


def decide_people(
    folder: Path | str,
    verb: Literal["same", "different"],
    names: tuple[str, str],
    *,
    progress: Progress = silent,
) -> Dataset:
    """Declare that two names are one person, or two people, now and in every later build.

    Raises:
        UnknownEntry: the dataset has no such person, or the names are the same.
    """
    dataset = Dataset.open(folder)
    # A name merged into another is not in the entries any more, but can be separated again.
    known = {**read_decisions(dataset.path).names}
    known.update((name_key(e.person), e.person) for e in dataset.entries)
    for name in names:
        if name_key(name) not in known:
            hint = suggest_names(folder, name, known.values())
            raise UnknownEntry(f"{folder}: no person is called {name}", hint=hint)
    first, second = (known[name_key(name)] for name in names)
    if first == second:
        raise UnknownEntry(f"{first} is one name already", hint="Give two different names.")
    append_decisions(dataset.path, verb, [(first, second, "")])
    return _rebuild(dataset, progress)


def current_name(dataset: Dataset, name: str) -> str:
    """Return the name that a person has in a dataset, given any name declared to be theirs.

    Empty where no person has that name, and where the names are merged only by the next build.
    """
    first = read_decisions(dataset.path).merged()

    def root(other: str) -> str:
        return first.get(name_key(other), name_key(other))

    matches = {e.person for e in dataset.entries if root(e.person) == root(name)}
    return matches.pop() if len(matches) == 1 else ""


def suggest_names(folder: Path | str, name: str, people: Iterable[str]) -> str:
    """Return a hint for a name that no person has: similar names, or where all names are listed."""
    names_by_key: dict[str, list[str]] = {}
    for person in sorted(people):
        whole = name_key(person)
        for key in {whole, *whole.split()}:  # A first name alone matches the whole name too.
            names_by_key.setdefault(key, []).append(person)
    keys = difflib.get_close_matches(name_key(name), names_by_key, n=_MAX_SUGGESTIONS)
    close = list(dict.fromkeys(person for key in keys for person in names_by_key[key]))
    if close:
        return f"Did you mean {' or '.join(close[:_MAX_SUGGESTIONS])}?"
    return f"The column person of {Path(folder) / MANIFEST} has the names."


def _rebuild(dataset: Dataset, progress: Progress) -> Dataset:
    """Apply the decisions; without a ledger they take effect at the next build."""
    if not (dataset.path / LEDGER).is_file():
        return dataset
    return refresh(dataset.path, progress=progress)


def _find_entry(dataset: Dataset, name: str) -> Entry:
    genuine = [e for e in dataset.entries if not e.leak]
    found = [e for e in genuine if e.id == name] or [e for e in genuine if e.photo == name]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(e.id for e in found[:5])
        raise UnknownEntry(f"{name}: several entries have this photo", hint=f"Give an id: {ids}")
    raise UnknownEntry(
        f"{dataset.path}: no entry {name}",
        hint="The file manifest.csv lists the ids.",
        code="entry-unknown",
    )
