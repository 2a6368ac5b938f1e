"""Find leaks from training into validation: photos that are on both sides of a split.

A rate measured on photos of the training set shows how well the photos are remembered, not how well
their people are recognised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.dataset.audit.stored_faces import faces_of, thumbs_of
from mien.dataset.cleaning.duplicates import CopyPair, Kind, find_pairs
from mien.dataset.cleaning.registration import recut_pairs
from mien.dataset.storage.entries import Entry
from mien.dataset.storage.opened_dataset import Dataset
from mien.errors import EmptyDataset
from mien.measures import wilson
from mien.measures.templates import both_views, nearest, photo_weights, sums_by_person, unit_rows
from mien.policy.similarity_limits import CleaningLimits
from mien.types import Interval, Progress, silent

KINDS: dict[Kind, str] = {
    "same-bytes": "the same bytes",
    "mirrored": "mirrored copies",
    "near-duplicate": "resized, recoloured or saved again",
    "crop": "cut from one photo in another way",
}
"""Kinds of leaks, the most certain first, and their names in reports."""

PHOTO_COUNTS = ((1, 1), (2, 2), (3, 4), (5, 9), (10, 10**9))
"""Groups of people by their number of photos: lowest and highest number."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A validation photo that is a copy of a training photo.

    Attributes:
        validation: the validation photo.
        train: the training photo.
        kind: how they are the same picture.
        evidence: the reason in numbers and words.
    """

    validation: Entry
    train: Entry
    kind: Kind
    evidence: str


@dataclass(frozen=True, slots=True)
class PhotoCountGroup:
    """Leaks and rates of the people with a certain number of photos.

    Attributes:
        first: lowest number of photos.
        last: highest number of photos.
        validation: number of validation photos of these people.
        leaking: number of those that are copies of training photos.
        rank1: rank-1 rate of all their validation photos.
        rank1_clean: rank-1 rate of those that do not leak.
    """

    first: int
    last: int
    validation: int
    leaking: int
    rank1: Interval
    rank1_clean: Interval


@dataclass(frozen=True, slots=True)
class LeakAudit:
    """The leaks from training into validation, and rank-1 with and without them.

    Attributes:
        train: number of training photos.
        validation: number of validation photos.
        leaks: one per validation photo that leaks, in the order of `KINDS`.
        counts: number of leaks of each kind.
        rank1: share of validation photos that are nearest to the mean of their own person's
            training photos.
        rank1_clean: the same without photos that leak.
        people: the same by number of photos per person, fewest first.
        by_similarity: whether faces were compared; where the embedder is not calibrated only
            identical files are found.
    """

    train: int
    validation: int
    leaks: tuple[Leak, ...]
    counts: dict[Kind, int]
    rank1: Interval
    rank1_clean: Interval
    people: tuple[PhotoCountGroup, ...]
    by_similarity: bool


def audit(
    dataset: Dataset, sides: NDArray[np.bool_] | None = None, *, progress: Progress = silent
) -> LeakAudit:
    """Find the validation photos of a dataset that are copies of training photos.

    Args:
        dataset: the dataset to check.
        sides: (M,) bool, True for training: a split in place of the dataset's own.
        progress: called while crops are read, if they are.

    Raises:
        EmptyDataset: one side of the split has no photo.
    """
    train = dataset.train if sides is None else sides
    if train.all() or not train.any():
        raise EmptyDataset(
            f"{dataset.path}: all photos are on one side of the split",
            hint="A leak is from training into validation: both need photos.",
        )
    faces = faces_of(dataset, thumbs_of(dataset, progress=progress))
    limits = CleaningLimits.of(dataset.statistics)
    pairs = find_pairs(faces, limits)
    pairs += recut_pairs(faces, pairs, limits)
    leaks = _leaks(dataset, train, pairs)
    rows = np.flatnonzero(~train)
    leaking = np.isin(rows, [leak.validation.row for leak in leaks])
    right = _nearest_is_right(dataset, train, rows)
    return LeakAudit(
        train=int(train.sum()),
        validation=len(rows),
        leaks=leaks,
        counts=dict(Counter(leak.kind for leak in leaks)),
        rank1=_rate(right),
        rank1_clean=_rate(right[~leaking]),
        people=_by_photo_count(dataset, rows, leaking, right),
        by_similarity=limits is not None,
    )


def _leaks(
    dataset: Dataset, train: NDArray[np.bool_], pairs: Sequence[CopyPair]
) -> tuple[Leak, ...]:
    order = list(KINDS)
    originals = {(e.sha256, e.face, e.person): e for e in dataset.rows if not e.leak}
    best: dict[int, Leak] = {}
    for entry in dataset.rows:
        source = originals.get((entry.sha256, entry.face, entry.person))
        if entry.leak and source and train[source.row] and not train[entry.row]:
            best[entry.row] = Leak(entry, source, "mirrored", entry.evidence)
    for pair in pairs:
        a, b = pair.first, pair.second
        if train[a] == train[b]:
            continue
        held, learned = (b, a) if train[a] else (a, b)
        leak = Leak(dataset.rows[held], dataset.rows[learned], pair.kind, pair.evidence)
        known = best.get(held)
        if known is None or order.index(leak.kind) < order.index(known.kind):
            best[held] = leak
    found = [best[row] for row in sorted(best)]
    return tuple(sorted(found, key=lambda leak: order.index(leak.kind)))


def _nearest_is_right(
    dataset: Dataset, train: NDArray[np.bool_], rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return (n,) bool: whether the mean nearest to each validation photo is of its own person."""
    views = both_views(dataset.embeddings[train], dataset.mirrored[train])
    weights = photo_weights(dataset.quality[train])
    names, labels = np.unique(dataset.labels[train], return_inverse=True)
    sums = sums_by_person(views, weights, labels.astype(np.int64), len(names))
    _, index = nearest(dataset.embeddings[rows], unit_rows(sums).astype(np.float32))
    right: NDArray[np.bool_] = names[index] == dataset.labels[rows]
    return right


def _by_photo_count(
    dataset: Dataset,
    rows: NDArray[np.int64],
    leaking: NDArray[np.bool_],
    right: NDArray[np.bool_],
) -> tuple[PhotoCountGroup, ...]:
    # A mirrored copy is not counted as a photo.
    genuine = [entry.row for entry in dataset.rows if not entry.leak]
    photos = np.bincount(dataset.labels[genuine], minlength=len(dataset.people))
    photos = photos[dataset.labels[rows]]
    found = []
    for first, last in PHOTO_COUNTS:
        inside = (photos >= first) & (photos <= last)
        if inside.any():
            found.append(
                PhotoCountGroup(
                    first=first,
                    last=last,
                    validation=int(inside.sum()),
                    leaking=int((inside & leaking).sum()),
                    rank1=_rate(right[inside]),
                    rank1_clean=_rate(right[inside & ~leaking]),
                )
            )
    return tuple(found)


def _rate(right: NDArray[np.bool_]) -> Interval:
    return wilson(int(right.sum()), len(right))
