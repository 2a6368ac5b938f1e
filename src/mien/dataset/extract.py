"""Extract faces from photos, in threads: read, detect, align, embed, measure quality."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.dataset.sources.layout import Item
from mien.dataset.sources.source import Load
from mien.dataset.storage.ledger import Ledger
from mien.dataset.storage.records import THUMB_SIDE, FaceRecord, MarginCrop, Occurrence, PhotoRecord
from mien.engine import FaceEngine
from mien.errors import PhotoError
from mien.names import readable
from mien.photo import decode_photo, encode_jpeg
from mien.quality import measure
from mien.session import usable_cores
from mien.types import Photo, Progress, silent

VERSION = 2
"""Version of what is stored per photo; raised when that changes, so that photos are read again."""

_COMMIT_PHOTOS = 64
_COMMIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Result:
    """What was found in one photo: a record, an error, or only a digest that is known already."""

    item: Item
    sha256: str
    error: str = ""
    record: PhotoRecord | None = None


def extract(
    photos: Iterable[tuple[Item, Load]],
    engine: FaceEngine,
    ledger: Ledger,
    *,
    margin: MarginCrop | None = None,
    jobs: int = 0,
    total: int | None = None,
    progress: Progress = silent,
) -> Iterator[Occurrence]:
    """Extract the faces of photos that are not in the ledger yet, and yield each photo's digest.

    Args:
        photos: each photo with a function that reads its bytes.
        engine: detects, aligns and embeds; called from `jobs` threads.
        ledger: stores the results; committed every few photos.
        margin: also store crops with this margin, beside the aligned ones.
        jobs: threads; 0 for as many as there are cores.
        total: how many photos there are, for `progress`.
        progress: called after each photo.

    A photo that cannot be read is yielded with its error and does not stop the others. Only a few
    photos are in memory at a time.
    """
    jobs = jobs or usable_cores()
    kind = margin.name if margin else ""
    known = ledger.known(kind)
    pending: deque[Future[_Result]] = deque()
    done, last = 0, time.monotonic()

    def store(result: _Result) -> Occurrence:
        nonlocal done, last
        if result.record and result.sha256 not in known:
            ledger.add(result.record, kind)
            known.add(result.sha256)
        done += 1
        if done % _COMMIT_PHOTOS == 0 or time.monotonic() - last > _COMMIT_SECONDS:
            ledger.commit()
            last = time.monotonic()
        progress(done, total, "photos")
        item = result.item
        photo, error = readable(item.photo), readable(result.error)
        return Occurrence(item.source, item.person, photo, result.sha256, error)

    pool = ThreadPoolExecutor(jobs, thread_name_prefix="mien-extract")
    try:
        for item, load in photos:
            pending.append(pool.submit(_read_and_extract, item, load, engine, margin, known))
            # A few pending photos keep the threads busy; more would only use memory.
            while len(pending) > 2 * jobs + 2:
                yield store(pending.popleft().result())
        while pending:
            yield store(pending.popleft().result())
    finally:
        pool.shutdown(cancel_futures=True)
        ledger.commit()


def _read_and_extract(
    item: Item, load: Load, engine: FaceEngine, margin: MarginCrop | None, known: set[str]
) -> _Result:
    try:
        data = load()
    except PhotoError as error:
        return _Result(item, "", str(error))
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 in known:
        return _Result(item, sha256)
    try:
        photo = decode_photo(data, name=item.photo, long_side=engine.max_long_side)
    except PhotoError as error:
        return _Result(item, sha256, str(error))
    return _Result(item, sha256, record=extract_photo(photo, engine, margin))


def extract_photo(
    photo: Photo, engine: FaceEngine, margin: MarginCrop | None = None
) -> PhotoRecord:
    """Return the faces of one photo with embeddings, quality, crops and thumbs."""
    detections = engine.detect(photo)
    faces: list[FaceRecord] = []
    if len(detections):
        crops = engine.align(photo, detections)
        vectors = engine.embed(np.concatenate([crops, crops[:, :, ::-1]])).vectors
        for i, crop in enumerate(crops):
            points = detections.points[i]
            faces.append(
                FaceRecord(
                    box=tuple(float(side) / photo.scale for side in detections.boxes[i]),
                    points=tuple(
                        (float(x) / photo.scale, float(y) / photo.scale) for x, y in points
                    ),
                    score=float(detections.scores[i]),
                    quality=measure(points, crop, scale=photo.scale),
                    embedding=vectors[i],
                    mirrored=vectors[len(crops) + i],
                    crop=encode_jpeg(crop),
                    thumb=thumb_of(crop),
                    margin_crop=_margin_crop(photo, detections.boxes[i], margin) if margin else b"",
                )
            )
    width, height = (round(side / photo.scale) for side in (photo.width, photo.height))
    return PhotoRecord(photo.sha256, width, height, thumb_of(photo.pixels), tuple(faces))


def thumb_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a (32, 32) uint8 grey copy of a picture; each pixel is the mean of its area."""
    small = (
        Image.fromarray(pixels).convert("L").resize((THUMB_SIDE, THUMB_SIDE), Image.Resampling.BOX)
    )
    return np.asarray(small)


def _margin_crop(photo: Photo, box: NDArray[np.float32], margin: MarginCrop) -> bytes:
    """Return the crop of a box with half the margin on each side, resized to a square, as JPEG.

    The same crop as `align_dataset_mtcnn` of the facenet project, which the original course used.
    """
    half = margin.margin * photo.scale / 2
    left, top = (int(max(side - half, 0)) for side in box[:2])
    right = int(min(float(box[2]) + half, photo.width))
    bottom = int(min(float(box[3]) + half, photo.height))
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    part = Image.fromarray(photo.pixels[top:bottom, left:right])
    square = part.resize((margin.size, margin.size), Image.Resampling.BILINEAR)
    return encode_jpeg(np.asarray(square))
