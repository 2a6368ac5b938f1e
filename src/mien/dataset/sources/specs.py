"""What the user writes for a source, turned into the source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mien.dataset.sources.archives import TarSource, ZipSource
from mien.dataset.sources.folders import (
    FolderSource,
    ListSource,
    Source,
    distinct_labels,
    missing,
    source_hint,
)
from mien.dataset.sources.lfw import fetch_lfw
from mien.errors import UnusableSource
from mien.types import Progress, silent


def open_sources(specs: Sequence[str], progress: Progress = silent) -> list[Source]:
    """Return the sources named, each with a label of its own.

    Args:
        specs: paths of folders, archives or lists, `lfw`, or `lfw:PATH`.
        progress: told while `lfw` is fetched.

    Raises:
        SourceNotFound: nothing is there.
        UnusableSource: what is there is no source.
    """
    sources = [_open(spec, progress) for spec in specs]
    distinct_labels(sources)
    return sources


def _open(spec: str, progress: Progress) -> Source:
    if spec == "lfw":
        return TarSource(fetch_lfw(progress), "lfw")
    if spec.startswith("lfw:"):
        return _at(Path(spec.removeprefix("lfw:")).expanduser(), "lfw")
    return _at(Path(spec).expanduser(), "")


def _at(path: Path, label: str) -> Source:
    name = path.name.lower()
    if path.is_dir():
        return FolderSource(path, label)
    if not path.exists():
        raise missing(path)
    if name.endswith(".zip"):
        return ZipSource(path, label)
    if name.endswith((".tar", ".tgz", ".tar.gz")):
        return TarSource(path, label)
    if name.endswith(".csv"):
        return ListSource(path, label)
    raise UnusableSource(f"{path}: not a source of people's photos", hint=source_hint())
