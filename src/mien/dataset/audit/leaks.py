"""What leaks from training into validation: photos that are on both sides of a split.

A figure measured on photos that were trained on says how well they are remembered, not how well
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
from mien.dataset.storage.manifest import Dataset, Entry
from mien.errors import EmptyDataset
from mien.measures import wilson
from mien.policy.similarity_limits import CleaningLimits
from mien.templates import both_views, nearest, photo_weights, sums_by_person, unit_rows
from mien.types import Interval, Progress, silent

KINDS: dict[Kind, str] = {
    "same-bytes": "the same bytes",
    "mirrored": "mirrored copies",
    "near-duplicate": "resized, recoloured or saved again",
    "crop": "cut from one photo in another way",
}
"""Kinds of leaks, gravest first, and what they are called."""

PHOTOS = ((1, 1), (2, 2), (3, 4), (5, 9), (10, 10**9))
"""Kinds of people: by their number of photos, first and last."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A validation photo that is a training photo again.

    Attributes:
        validation: the one.
        train: the other.
        kind: how they are the same picture.
        evidence: in numbers and words.
    """

    validation: Entry
    train: Entry
    kind: Kind
    evidence: str


@dataclass(frozen=True, slots=True)
class KindOfPerson:
    """What a figure is made of, for people with so many photos.

    Attributes:
        first: least number of photos.
        last: greatest.
        validation: validation photos of such people.
        leaking: of them, training photos again.
        rank1: of all their validation photos.
        rank1_clean: of those that are new to training.
    """

    first: int
    last: int
    validation: int
    leaking: int
    rank1: Interval
    rank1_clean: Interval


@dataclass(frozen=True, slots=True)
class LeakAudit:
    """What leaks from training into validation.

    Attributes:
        train: number of training photos.
        validation: number of validation photos.
        leaks: one for each validation photo that leaks, gravest kind first.
        counts: how many leak by each kind.
        rank1: share of validation photos whose nearest person is the right one, each person's
            training photos averaged.
        rank1_clean: the same without those that leak.
        people: by the kind of person, fewest photos first.
        by_similarity: whether faces were compared; where the embedder is not calibrated only
            photos of the same bytes are found.
    """

    train: int
    validation: int
    leaks: tuple[Leak, ...]
    counts: dict[Kind, int]
    rank1: Interval
    rank1_clean: Interval
    people: tuple[KindOfPerson, ...]
    by_similarity: bool


def audit(
    dataset: Dataset, sides: NDArray[np.bool_] | None = None, *, progress: Progress = silent
) -> LeakAudit:
    """Find the validation photos of a dataset that are training photos again.

    Args:
        dataset: the photos.
        sides: (M,) bool, True for training, where the split is another than the dataset's own.
        progress: told of the crops, where they must be read.

    Raises:
        EmptyDataset: one side has no photo.
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
    right = _right(dataset, train, rows)
    return LeakAudit(
        train=int(train.sum()),
        validation=len(rows),
        leaks=leaks,
        counts=dict(Counter(leak.kind for leak in leaks)),
        rank1=_share(right),
        rank1_clean=_share(right[~leaking]),
        people=_kinds(dataset, rows, leaking, right),
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


def _right(
    dataset: Dataset, train: NDArray[np.bool_], rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return whether each validation photo is nearest to its own person's training mean."""
    views = both_views(dataset.embeddings[train], dataset.mirrored[train])
    weights = photo_weights(dataset.quality[train])
    names, labels = np.unique(dataset.labels[train], return_inverse=True)
    sums = sums_by_person(views, weights, labels.astype(np.int64), len(names))
    _, index = nearest(dataset.embeddings[rows], unit_rows(sums).astype(np.float32))
    right: NDArray[np.bool_] = names[index] == dataset.labels[rows]
    return right


def _kinds(
    dataset: Dataset,
    rows: NDArray[np.int64],
    leaking: NDArray[np.bool_],
    right: NDArray[np.bool_],
) -> tuple[KindOfPerson, ...]:
    # A mirrored copy is no photo of its own.
    own = [entry.row for entry in dataset.rows if not entry.leak]
    photos = np.bincount(dataset.labels[own], minlength=len(dataset.people))
    photos = photos[dataset.labels[rows]]
    found = []
    for first, last in PHOTOS:
        inside = (photos >= first) & (photos <= last)
        if inside.any():
            found.append(
                KindOfPerson(
                    first=first,
                    last=last,
                    validation=int(inside.sum()),
                    leaking=int((inside & leaking).sum()),
                    rank1=_share(right[inside]),
                    rank1_clean=_share(right[inside & ~leaking]),
                )
            )
    return tuple(found)


def _share(right: NDArray[np.bool_]) -> Interval:
    return wilson(int(right.sum()), len(right))
