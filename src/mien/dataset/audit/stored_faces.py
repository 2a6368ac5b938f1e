"""Load the faces of a stored dataset as input of the cleaning functions."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.dataset.cleaning.doubts import Faces
from mien.dataset.extract import thumb_of
from mien.dataset.storage.entries import Entry
from mien.dataset.storage.ledger import LEDGER, Ledger
from mien.dataset.storage.opened_dataset import Dataset
from mien.dataset.storage.records import THUMB_SIDE
from mien.types import Progress, silent


@dataclass(frozen=True, slots=True, eq=False)
class Thumbs:
    """Small grey copies of a dataset's pictures.

    Attributes:
        crops: (M, 32, 32) uint8, of the crops.
        photos: (M, 32, 32) uint8, of the whole photos; zeros where only crops are stored.
    """

    crops: NDArray[np.uint8]
    photos: NDArray[np.uint8]


def faces_of(dataset: Dataset, thumbs: Thumbs) -> Faces:
    """Return the faces of a dataset's rows, with their thumbs.

    A mirrored copy that leaks gets another digest than its original, so that it counts as another
    file.
    """
    rows = dataset.rows
    return Faces(
        ids=tuple(e.id for e in rows),
        people=tuple(e.person for e in rows),
        photos=tuple(e.photo for e in rows),
        sha256=tuple(e.sha256 + "-mirrored" * e.leak for e in rows),
        face=np.array([e.face for e in rows], np.int64),
        embeddings=dataset.embeddings,
        mirrored=dataset.mirrored,
        thumbs=thumbs.crops,
        photo_thumbs=thumbs.photos,
        size=np.array([e.size for e in rows], np.float32),
        blur=np.array([e.blur for e in rows], np.float32),
        yaw=np.array([e.yaw for e in rows], np.float32),
        quality=dataset.quality,
    )


def thumbs_of(dataset: Dataset, *, progress: Progress = silent) -> Thumbs:
    """Return the thumbs of a dataset's rows, from its ledger or else made of its crops."""
    if (dataset.path / LEDGER).is_file():
        found = _from_ledger(dataset)
        if found is not None:
            return found
    crops = np.zeros((len(dataset.rows), THUMB_SIDE, THUMB_SIDE), np.uint8)
    for row, entry in enumerate(dataset.rows):
        pixels = dataset.crop(entry)
        if pixels is not None:
            crops[row] = thumb_of(np.ascontiguousarray(pixels))
        progress(row + 1, len(dataset.rows), "crops")
    return Thumbs(crops, np.zeros_like(crops))


def _from_ledger(dataset: Dataset) -> Thumbs | None:
    with closing(Ledger(dataset.path)) as ledger:
        photos = {
            photo.sha256: (photo.thumb, [face.thumb for face in photo.faces])
            for photo in ledger.photos()
        }
    crops, whole = [], []
    for entry in dataset.rows:
        photo, faces = photos.get(entry.sha256, (None, []))
        if photo is None or entry.face >= len(faces):
            return None
        crops.append(_mirrored_if_leak(faces[entry.face], entry))
        whole.append(_mirrored_if_leak(photo, entry))
    return Thumbs(np.stack(crops), np.stack(whole))


def _mirrored_if_leak(thumb: NDArray[np.uint8], entry: Entry) -> NDArray[np.uint8]:
    return thumb[:, ::-1] if entry.leak else thumb
