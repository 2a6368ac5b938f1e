"""The user's word on doubtful entries: noted, and applied at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from mien.dataset.build import refresh
from mien.dataset.storage.decisions import append_decisions, read_decisions
from mien.dataset.storage.ledger import LEDGER
from mien.dataset.storage.manifest import MANIFEST, Dataset, Entry
from mien.errors import NoFace, UnknownEntry
from mien.names import name_key
from mien.types import Progress, silent

_CLOSE = 3
"""How many names somebody is asked about."""


def decide(
    folder: Path | str,
    verb: Literal["keep", "drop"],
    wanted: Sequence[str],
    *,
    progress: Progress = silent,
) -> Dataset:
    """Keep or drop entries, now and in every build to come.

    Args:
        folder: of the dataset.
        verb: `keep` uses an entry whatever is doubtful about it, `drop` sets it aside.
        wanted: ids of entries, or their photos' paths as the manifest has them.
        progress: told while the dataset is made again.

    Raises:
        UnknownEntry: the dataset has no such entry, or several.
        NoFace: to be kept, but it has no face.
    """
    dataset = Dataset.open(folder)
    entries = [_find(dataset, name) for name in wanted]
    for entry in entries:
        if verb == "keep" and entry.face < 0:
            raise NoFace(
                f"{entry.id} ({entry.photo}) has no face to keep",
                hint="Give a photo in which the face is found.",
            )
    notes = [(entry.id, "", f"{entry.person}: {entry.photo}") for entry in entries]
    append_decisions(dataset.path, verb, notes)
    return _again(dataset, progress)


def decide_people(
    folder: Path | str,
    verb: Literal["same", "different"],
    names: tuple[str, str],
    *,
    progress: Progress = silent,
) -> Dataset:
    """Say that two names are one person, or two people, now and in every build to come.

    Raises:
        UnknownEntry: the dataset has no such person, or the names are the same.
    """
    dataset = Dataset.open(folder)
    # A name that was merged into another is no longer in the entries, and can be taken out again.
    known = {**read_decisions(dataset.path).names}
    known.update((name_key(e.person), e.person) for e in dataset.entries)
    for name in names:
        if name_key(name) not in known:
            hint = who_is_meant(folder, name, known.values())
            raise UnknownEntry(f"{folder}: nobody there is called {name}", hint=hint)
    first, second = (known[name_key(name)] for name in names)
    if first == second:
        raise UnknownEntry(f"{first} is one name already", hint="Give two different names.")
    append_decisions(dataset.path, verb, [(first, second, "")])
    return _again(dataset, progress)


def goes_by(dataset: Dataset, name: str) -> str:
    """Return what somebody is called in a dataset, by any name declared theirs.

    Empty where nobody is, and where the names wait for the next build to be made one.
    """
    first = read_decisions(dataset.path).merged()

    def root(other: str) -> str:
        return first.get(name_key(other), name_key(other))

    called = {e.person for e in dataset.entries if root(e.person) == root(name)}
    return called.pop() if len(called) == 1 else ""


def who_is_meant(folder: Path | str, name: str, people: Iterable[str]) -> str:
    """Return a hint for who asked for a name that nobody has: names like it, or where all are."""
    called: dict[str, list[str]] = {}
    for person in sorted(people):
        whole = name_key(person)
        for key in {whole, *whole.split()}:  # A first name alone is like the whole name too.
            called.setdefault(key, []).append(person)
    keys = difflib.get_close_matches(name_key(name), called, n=_CLOSE)
    close = list(dict.fromkeys(person for key in keys for person in called[key]))
    if close:
        return f"Did you mean {' or '.join(close[:_CLOSE])}?"
    return f"The column person of {Path(folder) / MANIFEST} has the names."


def _again(dataset: Dataset, progress: Progress) -> Dataset:
    """Apply the decisions; without a ledger they wait for the next build."""
    if not (dataset.path / LEDGER).is_file():
        return dataset
    return refresh(dataset.path, progress=progress)


def _find(dataset: Dataset, name: str) -> Entry:
    genuine = [e for e in dataset.entries if not e.leak]
    found = [e for e in genuine if e.id == name] or [e for e in genuine if e.photo == name]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(e.id for e in found[:5])
        raise UnknownEntry(f"{name}: several entries have this photo", hint=f"Give an id: {ids}")
    raise UnknownEntry(
        f"{dataset.path}: no entry {name}",
        hint="Ids are in manifest.csv; `mien dataset review` shows the doubtful entries.",
    )
