"""Embed one face per photo, with several threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.errors import PhotoError
from mien.matching import PhotoEmbedder
from mien.photo import decode_photo, encode_jpeg
from mien.types import Detections, Photo, Progress, silent

Which = Callable[[Photo, Detections], int]
"""Returns the index of the face to compare; the photo has F > 0 faces."""

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedFace:
    """The embedding of one face.

    Attributes:
        vector: (D,) float32 of length 1.
        contract: contract id of the embedding.
        crop: the aligned crop as a JPEG, if requested; else None.
    """

    vector: NDArray[np.float32]
    contract: str
    crop: bytes | None


def centre_face(photo: Photo, detections: Detections) -> int:
    """Return the index of the face whose box is centred nearest the photo's centre; F > 0."""
    middles = (detections.boxes[:, :2] + detections.boxes[:, 2:]) / 2
    centre = np.array([photo.width / 2, photo.height / 2])
    return int(np.argmin(np.sum((middles - centre) ** 2, axis=1)))


def largest_face(photo: Photo, detections: Detections) -> int:  # noqa: ARG001
    """Return the index of the face with the largest box; F > 0."""
    return detections.largest()


def embed_photos(
    engine: PhotoEmbedder,
    photos: Iterable[tuple[Key, str, bytes]],
    *,
    total: int,
    which: Which,
    keep_crops: bool = False,
    workers: int = 2,
    progress: Progress = silent,
) -> Iterator[tuple[Key, EmbeddedFace | None]]:
    """Yield the embedded face of each photo, in order; None if it shows none or is unreadable.

    Args:
        engine: embeds photos; called from several threads.
        photos: key, name and bytes of each photo.
        total: number of photos.
        which: selects the face of a photo.
        keep_crops: whether to keep the crops.
        workers: number of threads.
        progress: called after each photo.
    """
    waiting: deque[tuple[Key, Future[EmbeddedFace | None]]] = deque()
    done = 0
    with ThreadPoolExecutor(workers) as pool:
        for key, name, data in photos:
            waiting.append((key, pool.submit(_embed_one, engine, which, name, data, keep_crops)))
            # Limits the photos in memory to what keeps the workers busy.
            while len(waiting) > 4 * workers:
                first, result = waiting.popleft()
                yield first, result.result()
                done += 1
                progress(done, total, "embedding photos")
        for first, result in waiting:
            yield first, result.result()
            done += 1
            progress(done, total, "embedding photos")


def _embed_one(
    engine: PhotoEmbedder, which: Which, name: str, data: bytes, keep_crop: bool
) -> EmbeddedFace | None:
    try:
        photo = decode_photo(data, name=name)
    except PhotoError:
        return None
    found = engine.embed_photo(photo)
    if not len(found.detections):
        return None
    index = which(photo, found.detections)
    crop = encode_jpeg(found.crops[index], quality=80) if keep_crop else None
    return EmbeddedFace(found.embeddings.vectors[index].copy(), found.embeddings.contract, crop)
