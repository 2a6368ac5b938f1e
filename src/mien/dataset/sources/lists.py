"""Source: a CSV file that names the person of each photo."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from mien.dataset.sources.layout import Item, Survey
from mien.dataset.sources.source import Load, Source, file_loader
from mien.errors import UnusableSource
from mien.names import clean_name, name_key


class ListSource(Source):
    """A CSV file with the columns `path` (relative to it) and `person`."""

    def __init__(self, path: Path, label: str = "") -> None:
        super().__init__(label or clean_name(path.stem), path)
        self._path = path

    def survey(self) -> Survey:
        """Read the list; a line without a path or a person is counted as skipped."""
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
        """Yield the items in the order given; a file is read when its function is called."""
        for item in items:
            yield item, file_loader(self._path.parent / item.photo, item.photo)
