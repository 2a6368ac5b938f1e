"""The dataset's folder, written so that a reader sees the old result or the new one.

Crops come first: their names hold a piece of their digest, so that old and new lie side by side.
The other files are staged in `.next`; `.next/dataset.json`, written last, makes them valid (see
`mien.dataset.storage.manifest.resolve`); then each moves to its place, `dataset.json` last. One
that is killed in between leaves a valid result, and the next one finishes the move.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.dataset.storage.ledger import ALIGNED, Ledger
from mien.dataset.storage.manifest import CARD, NEXT, Entry
from mien.errors import OutputError
from mien.files import replace_file
from mien.names import slug
from mien.types import Progress, silent

CROPS = "crops"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn the system's refusals into OutputError.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written: {error.strerror or error}",
            hint="Give a folder that can be written to, on a disk with room.",
        ) from error


def write_crops(
    folder: Path,
    entries: Sequence[Entry],
    ledger: Ledger,
    *,
    kind: str = ALIGNED,
    progress: Progress = silent,
) -> list[Entry]:
    """Write the crop of each entry that is not there yet, and return entries that name theirs.

    Args:
        folder: of the dataset.
        entries: with or without a face.
        ledger: holds the crops.
        kind: `aligned`, or the name of the course's crops, which are called like the aligned
            ones and need these to be written first.
        progress: told now and then.
    """
    root = CROPS if kind == ALIGNED else kind
    result = []
    with writing(folder):
        for i, entry in enumerate(entries):
            jpeg = ledger.crop(entry.sha256, entry.face, kind) if entry.face >= 0 else b""
            named = entry
            if jpeg:
                if kind == ALIGNED:
                    name = f"{entry.id}-{hashlib.sha256(jpeg).hexdigest()[:6]}.jpg"
                    named = replace(entry, crop=f"{root}/{slug(entry.person)}/{name}")
                _put(folder / root / PurePosixPath(named.crop).relative_to(CROPS), jpeg)
            result.append(named)
            progress(i + 1, len(entries), f"writing {root}")
    return result


def _put(path: Path, data: bytes) -> None:
    """Write a file whole; not synced one by one: a lost crop is written again."""
    if path.is_file() and path.stat().st_size == len(data):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)


def array_bytes(array: NDArray[np.float32]) -> bytes:
    """Return the bytes of a `.npy` file."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def publish(folder: Path, card: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Make a result the valid one.

    Args:
        folder: of the dataset.
        card: what `dataset.json` is to hold.
        files: all others, by name.
    """
    with writing(folder):
        staged = folder / NEXT
        shutil.rmtree(staged, ignore_errors=True)
        for name, data in files.items():
            replace_file(staged / name, data)
        text = json.dumps(card, ensure_ascii=False, indent=2, allow_nan=False)
        replace_file(staged / CARD, text.encode("utf-8", "replace"))
    settle(folder)


def settle(folder: Path) -> None:
    """Finish what an interrupted writer left: move a valid result to its place, or drop a half."""
    staged = folder / NEXT
    with writing(folder):
        if (staged / CARD).is_file():
            for path in sorted(staged.iterdir(), key=lambda path: path.name == CARD):
                path.replace(folder / path.name)
        if staged.exists():
            shutil.rmtree(staged)


def remove_stale_crops(folder: Path, root: str, entries: Sequence[Entry]) -> None:
    """Remove crops that no entry has any more."""
    wanted = {Path(entry.crop).name for entry in entries if entry.crop}
    with writing(folder):
        for person in (folder / root).glob("*"):
            for path in person.glob("*"):
                if path.name not in wanted:
                    path.unlink()
            if person.is_dir() and not any(person.iterdir()):
                person.rmdir()
