"""Where photos of people come from: folders, lists, archives and LFW."""

from __future__ import annotations

import csv
import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISREG

from mien.dataset.sources.layout import Item, Survey, survey_tree
from mien.errors import BrokenPhoto, PhotoNotFound, PhotoTooLarge, SourceNotFound, UnusableSource
from mien.names import clean_name, name_key
from mien.photo import MAX_BYTES

Load = Callable[[], bytes]
"""Returns a photo's bytes; raises PhotoError where they cannot be had."""


class Source(ABC):
    """A named collection of photos of people.

    Attributes:
        label: short name of the source, as the manifest has it.
        location: where it is, for the dataset's card.
    """

    def __init__(self, label: str, location: Path | str) -> None:
        self.label = label
        self.location = location

    @abstractmethod
    def survey(self) -> Survey:
        """Return what the source holds, without decoding a photo.

        Raises:
            DatasetError: the source cannot be used.
        """

    @abstractmethod
    def read(self, items: Sequence[Item]) -> Iterator[tuple[Item, Load]]:
        """Yield each of the items with the means to read it, at most a few in memory."""


class FolderSource(Source):
    """A folder of folders, one a person."""

    def __init__(self, path: Path, label: str = "") -> None:
        super().__init__(label or clean_name(path.resolve().name) or "photos", path)
        self._root = path

    def survey(self) -> Survey:
        """Walk the tree; links are followed, each real folder once."""
        skipped: Counter[str] = Counter()
        return survey_tree(self.label, sorted(_walk(self._root, skipped)), skipped)

    def read(self, items: Sequence[Item]) -> Iterator[tuple[Item, Load]]:
        """Yield in the order given; the reading is left to the caller's thread."""
        for item in items:
            yield item, _loader(self._root / item.photo, item.photo)


class ListSource(Source):
    """A CSV file with the columns `path` (relative to it) and `person`."""

    def __init__(self, path: Path, label: str = "") -> None:
        super().__init__(label or clean_name(path.stem), path)
        self._path = path

    def survey(self) -> Survey:
        """Read the list; a line without a path or a person is counted and passed over."""
        skipped: Counter[str] = Counter()
        items: dict[tuple[str, str], Item] = {}
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
                if not {"path", "person"} <= columns.keys():
                    raise UnusableSource(
                        f"{self._path}: the list has no columns `path` and `person`",
                        hint="Its first line must read: path,person",
                    )
                for row in reader:
                    path = (row[columns["path"]] or "").strip()
                    person = clean_name(row[columns["person"]] or "")
                    if not path or not person:
                        skipped["line without a path or a person"] += 1
                    elif (path, name_key(person)) in items:
                        skipped["line that repeats another"] += 1
                    else:
                        items[path, name_key(person)] = Item(self.label, person, path)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise UnusableSource(
                f"{self._path}: cannot be read as a list: {error}",
                hint="Save it as CSV in UTF-8 with the columns path,person.",
            ) from error
        return Survey(tuple(items.values()), skipped)

    def read(self, items: Sequence[Item]) -> Iterator[tuple[Item, Load]]:
        """Yield in the order given; the reading is left to the caller's thread."""
        for item in items:
            yield item, _loader(self._path.parent / item.photo, item.photo)


def _walk(root: Path, skipped: Counter[str]) -> Iterator[str]:
    seen: set[tuple[int, int]] = set()

    def unreadable(_error: OSError) -> None:
        skipped["folder that cannot be read"] += 1

    for folder, folders, files in os.walk(root, onerror=unreadable, followlinks=True):
        stat = Path(folder).stat()
        if (stat.st_dev, stat.st_ino) in seen:
            folders.clear()
            skipped["folder that links back to another"] += 1
            continue
        seen.add((stat.st_dev, stat.st_ino))
        folders.sort()
        for name in files:
            path = Path(folder, name)
            if path.is_file():
                yield path.relative_to(root).as_posix()
            else:
                skipped["not a file"] += 1


def _loader(path: Path, name: str) -> Load:
    def load() -> bytes:
        try:
            found = path.stat()
            if not S_ISREG(found.st_mode):
                raise PhotoNotFound(f"{name}: is not a file")
            if found.st_size > MAX_BYTES:
                raise too_large(name, found.st_size)
            return path.read_bytes()
        except FileNotFoundError as error:
            raise PhotoNotFound(f"{name}: there is no such file") from error
        except OSError as error:
            raise BrokenPhoto(f"{name}: cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise PhotoNotFound(f"{name}: not a path of a file") from error

    return load


def too_large(name: str, size: int) -> PhotoTooLarge:
    """Return the error for a photo of more bytes than are read."""
    return PhotoTooLarge(
        f"{name}: {size:,} bytes are more than the limit of {MAX_BYTES:,}",
        hint="Save it smaller.",
    )


def source_hint() -> str:
    """Return the sentence that says what a source may be."""
    return (
        "A source is a folder of folders (one a person), a .zip, .tar or .tgz of that, a .csv "
        "with the columns path,person, or lfw[:PATH]."
    )


def missing(path: Path) -> SourceNotFound:
    """Return the error for a source that is not there."""
    return SourceNotFound(f"{path}: there is no such file or folder", hint=source_hint())


def distinct_labels(sources: Sequence[Source]) -> None:
    """Give sources with the same label numbers, so that each label means one source."""
    taken: Counter[str] = Counter()
    for source in sources:
        taken[source.label] += 1
        if taken[source.label] > 1:
            source.label = f"{source.label} {taken[source.label]}"


@dataclass(frozen=True)
class Merged:
    """The photos of all sources, with one spelling for each person.

    Attributes:
        items: of all sources, in their order.
        merged: names that came from two or more sources and are one person.
        skipped: counts of files passed over, by source label and reason.
    """

    items: tuple[Item, ...]
    merged: tuple[str, ...]
    skipped: dict[str, dict[str, int]]


def merge(surveys: Mapping[str, Survey], *, keep_apart: bool = False) -> Merged:
    """Merge sources: equal names, compared by `name_key`, are one person.

    Args:
        surveys: by the source's label.
        keep_apart: names that are in several sources get the source appended instead.
    """
    spellings: dict[str, Counter[str]] = {}
    where: dict[str, set[str]] = {}
    for survey in surveys.values():
        for item in survey.items:
            key = name_key(item.person)
            spellings.setdefault(key, Counter())[item.person] += 1
            where.setdefault(key, set()).add(item.source)
    # The most frequent spelling is shown; of equals the first in order, so that it is stable.
    shown = {key: min(names, key=lambda n: (-names[n], n)) for key, names in spellings.items()}
    common = {key for key, labels in where.items() if len(labels) > 1}

    def named(item: Item) -> Item:
        key = name_key(item.person)
        apart = keep_apart and key in common
        return replace(item, person=f"{shown[key]} ({item.source})" if apart else shown[key])

    return Merged(
        items=tuple(named(item) for survey in surveys.values() for item in survey.items),
        merged=() if keep_apart else tuple(sorted(shown[key] for key in common)),
        skipped={label: dict(survey.skipped) for label, survey in surveys.items()},
    )
