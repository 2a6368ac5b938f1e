"""Write a dataset's folder so that a reader sees the old result or the new one, never a mixture.

Crops are written first: their names hold part of their digest, so that old and new ones coexist.
The other files are staged in `.next`; `.next/dataset.json`, written last, makes them valid, see
`mien.dataset.storage.opened_dataset.resolve`. Then each is moved to its place, `dataset.json` last.
A writer that is killed in between leaves a valid result, and the next writer finishes the move.
Every file shows people's faces or what was computed of them: only its owner may read it.
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

from mien.dataset.storage.entries import Entry
from mien.dataset.storage.ledger import ALIGNED, Ledger
from mien.dataset.storage.opened_dataset import CARD, NEXT
from mien.errors import OutputError
from mien.files import close_to_others, make_private_folder, replace_file, sync_folder
from mien.names import slug
from mien.types import Progress, silent

CROPS = "crops"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Translate OSError into OutputError.

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
    """Write the missing crops of all entries, and return entries with the paths of their crops.

    Args:
        folder: the dataset's folder.
        entries: with or without a face.
        ledger: holds the crops.
        kind: `aligned`, or the name of crops with a margin. These have the same file names as the
            aligned ones, which must be written first.
        progress: called after each entry.
    """
    root = CROPS if kind == ALIGNED else kind
    result = []
    with writing(folder):
        make_private_folder(folder / root)
        for i, entry in enumerate(entries):
            jpeg = ledger.crop(entry.sha256, entry.face, kind) if entry.face >= 0 else b""
            named = entry
            if jpeg:
                if kind == ALIGNED:
                    name = f"{entry.id}-{hashlib.sha256(jpeg).hexdigest()[:6]}.jpg"
                    named = replace(entry, crop=f"{root}/{slug(entry.person)}/{name}")
                _write_crop(folder / root / PurePosixPath(named.crop).relative_to(CROPS), jpeg)
            result.append(named)
            progress(i + 1, len(entries), f"writing {root}")
    return result


def _write_crop(path: Path, data: bytes) -> None:
    """Write a crop unless it is there; without a sync, since a lost crop is written again."""
    if not path.is_file() or path.stat().st_size != len(data):
        replace_file(path, data, private=True, sync=False)
    else:
        close_to_others(path)


def array_bytes(array: NDArray[np.float32]) -> bytes:
    """Return the bytes of a `.npy` file."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def publish(folder: Path, card: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Replace a dataset's files as a whole.

    Args:
        folder: the dataset's folder.
        card: content of `dataset.json`.
        files: bytes of all other files, by name.
    """
    finish_move(folder)  # of an earlier writer: the two results must not be mixed
    staged = folder / NEXT
    with writing(folder):
        for name, data in files.items():
            replace_file(staged / name, data, private=True)
        text = json.dumps(card, ensure_ascii=False, indent=2, allow_nan=False)
        replace_file(staged / CARD, text.encode("utf-8", "replace"), private=True)
    finish_move(folder)


def finish_move(folder: Path) -> None:
    """Move a complete staged result to its place, or remove an incomplete one."""
    staged = folder / NEXT
    with writing(folder):
        if (staged / CARD).is_file():
            for path in sorted(staged.iterdir(), key=lambda path: path.name == CARD):
                path.replace(folder / path.name)
            sync_folder(folder)
        if staged.exists():
            shutil.rmtree(staged)


def remove_stale_crops(folder: Path, root: str, entries: Sequence[Entry]) -> None:
    """Remove crops that no entry names."""
    named = {Path(entry.crop).name for entry in entries if entry.crop}
    with writing(folder):
        for person in (folder / root).glob("*"):
            for path in person.glob("*"):
                if path.name not in named:
                    path.unlink()
            if person.is_dir() and not any(person.iterdir()):
                person.rmdir()
