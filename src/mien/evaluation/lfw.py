"""Verification on Labeled Faces in the Wild by its own rules.

Source: G. B. Huang et al., "Labeled Faces in the Wild", UMass TR 07-49 (2007). The embedder was
trained on other photos, so the results are of the kind "unrestricted, labelled outside data".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import NothingToMeasure, PhotoError
from mien.evaluation.lfw_photos import lfw_photos
from mien.evaluation.pairs import Pairs, PhotoId
from mien.measures import (
    OperatingPoint,
    Roc,
    best_threshold,
    equal_error_rate,
    folded_accuracy,
    roc,
    tar_at_far,
    wilson,
)
from mien.photo import decode_photo, encode_jpeg
from mien.types import Detections, Embeddings, Interval, Photo, Progress, silent

MISSED = -1.0
"""Similarity of a pair in which a photo shows no face: below that of any two faces."""

FARS = (1e-1, 1e-2, 1e-3)
"""False accept rates at which the true accept rate is told."""

Faces = Callable[[Photo], tuple[Detections, NDArray[np.uint8], Embeddings]]
"""Finds the faces of a photo: where, their crops, their embeddings. Called from many threads."""


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """The face of one photo: (D,) float32 of length 1, and its crop as a JPEG if it was wanted."""

    vector: NDArray[np.float32]
    crop: bytes | None


@dataclass(frozen=True, slots=True, eq=False)
class LfwResult:
    """Verification on the pairs of one file.

    Attributes:
        pairs: in the file's order.
        scores: (N,) float64, cosine similarities; `MISSED` where a photo shows no face.
        judged_at: (N,) float64, the threshold each pair is judged at.
        accuracy: mean over the folds; its interval is Wilson's over all pairs.
        standard_error: of that mean over the folds; 0 for one fold.
        folds: accuracy of each fold.
        rule: where the thresholds come from, a sentence.
        curve: ROC over all pairs.
        at_far: the ROC at `FARS`, and the true accept rates' Wilson intervals.
        equal_error: the equal error rate.
        photos: number of photos compared.
        missed: photos without a usable face, by file name.
        crops: JPEG crops by photo, where they were wanted.
        contract: how the embeddings were made.
    """

    pairs: Pairs
    scores: NDArray[np.float64]
    judged_at: NDArray[np.float64]
    accuracy: Interval
    standard_error: float
    folds: tuple[float, ...]
    rule: str
    curve: Roc
    at_far: tuple[tuple[OperatingPoint, Interval], ...]
    equal_error: float
    photos: int
    missed: tuple[str, ...]
    crops: dict[PhotoId, bytes]
    contract: str

    @property
    def same(self) -> NDArray[np.bool_]:
        """(N,) whether the pair is one person."""
        return np.array([pair.same for pair in self.pairs.pairs], np.bool_)

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """(N,) whether the pair is judged wrongly."""
        judged: NDArray[np.bool_] = (self.scores >= self.judged_at) != self.same
        return judged


def evaluate_lfw(
    faces: Faces,
    root: Path | str,
    pairs: Pairs,
    *,
    choose_on: Pairs | None = None,
    keep_crops: bool = False,
    workers: int = 2,
    progress: Progress = silent,
) -> LfwResult:
    """Compare the pairs of LFW.

    The person of a photo is the face nearest its centre, as LFW's photos are made. View 2 is
    judged fold by fold at the threshold best on the other folds; View 1 (no folds) at the one best
    on `choose_on`, or else at its own best, which flatters.

    Args:
        faces: the road from a photo to its embeddings.
        root: the archive or its folder, see `lfw_photos`.
        pairs: what to compare.
        choose_on: pairs that the threshold is chosen on instead.
        keep_crops: whether the result shall have the crops, to show them.
        workers: threads that call `faces`.
        progress: told of each photo.

    Raises:
        SourceNotFound: nothing is at `root`.
        UnusableSource: it is not LFW, or lacks a photo of the pairs.
        NothingToMeasure: none of the photos shows a face.
    """
    wanted = pairs.photos() | (choose_on.photos() if choose_on else frozenset())
    portraits: dict[PhotoId, Portrait] = {}
    contract = ""
    embedded = _portraits(
        faces, root, wanted, keep_crops=keep_crops, workers=workers, progress=progress
    )
    for photo, found in embedded:
        if found is not None:
            portraits[photo], contract = found
    if not portraits:
        raise NothingToMeasure("no face was found in any photo of the pairs")
    scores = _scores(pairs, portraits)
    same = np.array([pair.same for pair in pairs.pairs], np.bool_)
    judged_at, rule = _thresholds(pairs, scores, same, choose_on, portraits)
    right = (scores >= judged_at) == same
    folds, error = _folds(pairs, right)
    genuine, impostor = scores[same], scores[~same]
    at_far = [tar_at_far(genuine, impostor, far) for far in FARS]
    return LfwResult(
        pairs=pairs,
        scores=scores,
        judged_at=judged_at,
        accuracy=wilson(int(right.sum()), len(right)),
        standard_error=error,
        folds=folds,
        rule=rule,
        curve=roc(genuine, impostor),
        at_far=tuple((p, wilson(round(p.tar * len(genuine)), len(genuine))) for p in at_far),
        equal_error=equal_error_rate(genuine, impostor),
        photos=len(pairs.photos()),
        missed=tuple(sorted(p.file_name for p in pairs.photos() - portraits.keys())),
        crops={p: found.crop for p, found in portraits.items() if found.crop is not None},
        contract=contract,
    )


def _folds(pairs: Pairs, right: NDArray[np.bool_]) -> tuple[tuple[float, ...], float]:
    """Return the accuracy of each fold, and the standard error of their mean."""
    fold_of = np.array([pair.fold for pair in pairs.pairs])
    folds = tuple(float(right[fold_of == fold].mean()) for fold in range(pairs.folds))
    spread = float(np.std(folds, ddof=1) / np.sqrt(len(folds))) if len(folds) > 1 else 0.0
    return folds, spread


def centre_face(photo: Photo, detections: Detections) -> int:
    """Return the index of the face whose box's middle is nearest the photo's; F > 0."""
    middles = (detections.boxes[:, :2] + detections.boxes[:, 2:]) / 2
    centre = np.array([photo.width / 2, photo.height / 2])
    return int(np.argmin(np.sum((middles - centre) ** 2, axis=1)))


def _portraits(
    faces: Faces,
    root: Path | str,
    wanted: Collection[PhotoId],
    *,
    keep_crops: bool,
    workers: int,
    progress: Progress,
) -> Iterator[tuple[PhotoId, tuple[Portrait, str] | None]]:
    """Yield each photo's face and its contract, or None where it shows none."""
    waiting: deque[tuple[PhotoId, Future[tuple[Portrait, str] | None]]] = deque()
    done = 0
    with ThreadPoolExecutor(workers) as pool:
        for photo, data in lfw_photos(root, wanted):
            work = pool.submit(_portrait, faces, photo.file_name, data, keep_crops)
            waiting.append((photo, work))
            # Only so many photos are in memory as keep the workers busy.
            while len(waiting) > 4 * workers:
                first, result = waiting.popleft()
                yield first, result.result()
                done += 1
                progress(done, len(wanted), "embedding photos")
        for first, result in waiting:
            yield first, result.result()
            done += 1
            progress(done, len(wanted), "embedding photos")


def _portrait(faces: Faces, name: str, data: bytes, keep_crop: bool) -> tuple[Portrait, str] | None:
    try:
        photo = decode_photo(data, name=name)
    except PhotoError:
        return None
    detections, crops, embeddings = faces(photo)
    if not len(detections):
        return None
    index = centre_face(photo, detections)
    crop = encode_jpeg(crops[index], quality=80) if keep_crop else None
    return Portrait(embeddings.vectors[index].copy(), crop), embeddings.contract


def _scores(pairs: Pairs, portraits: dict[PhotoId, Portrait]) -> NDArray[np.float64]:
    scores = np.full(len(pairs.pairs), MISSED)
    for index, pair in enumerate(pairs.pairs):
        first, second = portraits.get(pair.first), portraits.get(pair.second)
        if first is not None and second is not None:
            scores[index] = float(first.vector @ second.vector)
    return scores


def _thresholds(
    pairs: Pairs,
    scores: NDArray[np.float64],
    same: NDArray[np.bool_],
    choose_on: Pairs | None,
    portraits: dict[PhotoId, Portrait],
) -> tuple[NDArray[np.float64], str]:
    """Return the threshold each pair is judged at, and the rule it came by."""
    if choose_on is not None:
        others = [pair.same for pair in choose_on.pairs]
        threshold, _ = best_threshold(_scores(choose_on, portraits), others)
        rule = f"one threshold, best on {len(others):,} other pairs"
        return np.full(len(scores), threshold), rule
    fold_of = np.array([pair.fold for pair in pairs.pairs])
    by_fold = np.array(folded_accuracy(scores, same, fold_of).thresholds)
    if pairs.folds > 1:
        return by_fold[fold_of], "each fold at the threshold best on the other folds"
    return by_fold[fold_of], "the threshold best on these very pairs, which flatters"
