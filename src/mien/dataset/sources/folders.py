"""Source: a folder with a folder per person."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from mien.dataset.sources.layout import Item, Survey, survey_tree
from mien.dataset.sources.source import Load, Source, file_loader
from mien.files import real_path
from mien.names import clean_name


class FolderSource(Source):
    """A folder with a folder per person."""

    def __init__(self, path: Path, label: str = "") -> None:
        super().__init__(label or clean_name(real_path(path).name) or "photos", path)
        self._root = path

    def survey(self) -> Survey:
        """Walk the tree; links are followed, but each real folder is visited once."""
        skipped: Counter[str] = Counter()
        return survey_tree(self.label, sorted(_walk(self._root, skipped)), skipped)

    def read(self, items: Sequence[Item]) -> Iterator[tuple[Item, Load]]:
        """Yield the items in the order given; a file is read when its function is called."""
        for item in items:
            yield item, file_loader(self._root / item.photo, item.photo)


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
