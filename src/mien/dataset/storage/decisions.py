"""The user's decisions about entries and people: `decisions.csv`, which every build applies."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from mien.dataset.storage.cells import from_cell, to_cell
from mien.errors import NotADataset, OutputError
from mien.files import locked, replace_file
from mien.names import clean_name, name_key

DECISIONS = "decisions.csv"
_LOCK = ".decisions.lock"

Verb = Literal["keep", "drop", "same", "different"]

_FIELDS = ("when", "decision", "what", "other", "note")


@dataclass(frozen=True)
class Decisions:
    """The latest decision on each entry and on each pair of people.

    Attributes:
        entries: `keep` or `drop`, by entry id.
        pairs: `same` or `different`, by the two names' keys, sorted.
        names: the names in pairs as they were written, by key.
    """

    entries: dict[str, Verb] = field(default_factory=dict)
    pairs: dict[tuple[str, str], Verb] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def merged(self) -> dict[str, str]:
        """Return, for the key of each name that is merged into another, that other name's key."""
        first: dict[str, str] = {}

        def root(key: str) -> str:
            while key in first:
                key = first[key]
            return key

        for (a, b), verb in self.pairs.items():
            if verb == "same" and root(a) != root(b):
                first[max(root(a), root(b))] = min(root(a), root(b))
        return {key: root(key) for key in first}

    def different(self, a: str, b: str) -> bool:
        """Return whether the user declared that two names are two people."""
        return self.pairs.get(pair_key(a, b)) == "different"


def pair_key(a: str, b: str) -> tuple[str, str]:
    """Return the key of a pair of names, independent of their order."""
    first, second = sorted((name_key(a), name_key(b)))
    return first, second


def read_decisions(folder: Path) -> Decisions:
    """Return the decisions stored in a dataset's folder; empty where there is no file.

    Raises:
        NotADataset: the file cannot be read or has an unknown decision.
    """
    path = folder / DECISIONS
    decisions = Decisions()
    if not path.is_file():
        return decisions
    try:
        for number, row in enumerate(_rows(path), 2):
            _add(decisions, row, number)
    except (OSError, ValueError, KeyError, AttributeError, csv.Error) as error:
        raise NotADataset(
            f"{path}: cannot be understood: {error}",
            hint="Mend the file, or delete the line: when,decision,what,other,note",
        ) from error
    return decisions


def _add(decisions: Decisions, row: dict[str, str], number: int) -> None:
    match row["decision"].strip():
        case "keep" | "drop" as verb:
            decisions.entries[row["what"].strip()] = verb
        case "same" | "different" as verb:
            decisions.pairs[pair_key(row["what"], row["other"])] = verb
            for name in (row["what"], row["other"]):
                decisions.names[name_key(name)] = clean_name(name)
        case unknown:
            raise ValueError(f"line {number}: unknown decision {unknown!r}")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [
            {name: from_cell(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
            for row in csv.DictReader(file)
        ]


def append_decisions(folder: Path, verb: Verb, subjects: Iterable[tuple[str, str, str]]) -> None:
    """Append decisions to a dataset's `decisions.csv`, all or none, and sync it to the disk.

    Args:
        folder: the dataset's folder.
        verb: the decision.
        subjects: per decision the entry id or name, the other name (or ""), and a note for people
            who read the file.

    Raises:
        OutputError: the file cannot be written.
    """
    path = folder / DECISIONS
    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        with locked(folder / _LOCK):  # two commands at once: no decision is lost
            before = path.read_bytes() if path.is_file() else b""
            lines: list[Sequence[str]] = [] if before else [_FIELDS]
            lines += [(now, verb, *map(to_cell, subject)) for subject in subjects]
            text = io.StringIO(newline="")
            csv.writer(text, lineterminator="\n").writerows(lines)
            end = b"\n" if before and not before.endswith(b"\n") else b""
            replace_file(path, before + end + text.getvalue().encode(), private=True)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written: {error.strerror or error}",
            hint="Give a folder that can be written to, on a disk with room.",
        ) from error
