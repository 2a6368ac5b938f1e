"""Open sources by their specs: a path, `lfw` or `lfw:PATH`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mien.dataset.sources.archives import TarSource, ZipSource
from mien.dataset.sources.folders import FolderSource
from mien.dataset.sources.lfw import fetch_lfw
from mien.dataset.sources.lists import ListSource
from mien.dataset.sources.merge import make_labels_distinct
from mien.dataset.sources.source import Source, source_hint, source_not_found
from mien.errors import UnusableSource
from mien.files import is_folder, path_exists
from mien.types import Progress, silent


def open_sources(
    specs: Sequence[str], progress: Progress = silent, max_members: int | None = None
) -> list[Source]:
    """Open sources, each with a unique label.

    Args:
        specs: paths of folders, archives or lists, `lfw`, or `lfw:PATH`.
        progress: called while `lfw` is downloaded.
        max_members: an archive with more is refused; None for `archives.MAX_MEMBERS`.

    Raises:
        SourceNotFound: there is no such file or folder.
        UnusableSource: the file is not of a supported kind.
    """
    sources = [_open(spec, progress, max_members) for spec in specs]
    make_labels_distinct(sources)
    return sources


def _open(spec: str, progress: Progress, max_members: int | None) -> Source:
    if spec == "lfw":
        return TarSource(fetch_lfw(progress), "lfw", max_members)
    if spec.startswith("lfw:"):
        return _open_path(Path(spec.removeprefix("lfw:")).expanduser(), "lfw", max_members)
    return _open_path(Path(spec).expanduser(), "", max_members)


def _open_path(path: Path, label: str, max_members: int | None) -> Source:
    name = path.name.lower()
    if is_folder(path):
        return FolderSource(path, label)
    if not path_exists(path):
        raise source_not_found(path)
    if name.endswith(".zip"):
        return ZipSource(path, label, max_members)
    if name.endswith((".tar", ".tgz", ".tar.gz")):
        return TarSource(path, label, max_members)
    if name.endswith(".csv"):
        return ListSource(path, label)
    raise UnusableSource(f"{path}: not a source of photos of people", hint=source_hint())
