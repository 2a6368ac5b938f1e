"""Every photo of a dataset compared with every other: verification at low false accept rates.

The similarities are counted block by block in fine bins and never kept: memory does not grow with
their number. A second pass keeps the impostors that matter to the rates, for the intervals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset
from mien.errors import NothingToMeasure
from mien.measures import (
    OperatingPoint,
    PairScores,
    RejectPoint,
    Roc,
    ScoreCounts,
    crossing_of,
    error_versus_reject,
    point_at_far,
    roc_of_counts,
    tar_over_people,
)
from mien.measures.histogram import edges
from mien.types import Interval, Progress, silent

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
"""False accept rates at which the true accept rate is told."""

REJECT_AT = 1e-3
"""False accept rate of the threshold that the error against reject is told at."""

MIN_IMPOSTORS = 10
"""A rate that fewer impostors than this stand for is not told."""

MAX_IMPOSTORS_KEPT = 3_000_000
"""Impostors that are kept for the intervals, at most."""

BLOCK = 512
"""Rows of a block: with 100,000 photos its similarities are 200 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class RateAtFar:
    """The true accept rate at one false accept rate.

    Attributes:
        far: asked for.
        point: of the curve.
        interval: of the true accept rate, from resampling whole people and finding the threshold
            anew; None where more impostors would have to be kept than `MAX_IMPOSTORS_KEPT`.
    """

    far: float
    point: OperatingPoint
    interval: Interval | None


@dataclass(frozen=True, slots=True, eq=False)
class AllPairsResult:
    """Verification over all pairs of photos.

    Attributes:
        photos: how many were compared.
        people: how many people they are of.
        genuine: similarities of pairs of one person, counted.
        impostor: of pairs of two people, counted.
        curve: ROC; against `fnmr` the DET.
        at_far: the true accept rates at those of `FARS` that there are impostors enough for.
        equal_error: the equal error rate.
        rejects: FNMR at `REJECT_AT` when the photos of least quality are refused; a pair has the
            quality of its worse photo.
        contract: how the embeddings were made.
        dataset_digest: of the dataset.
    """

    photos: int
    people: int
    genuine: ScoreCounts
    impostor: ScoreCounts
    curve: Roc
    at_far: tuple[RateAtFar, ...]
    equal_error: float
    rejects: tuple[RejectPoint, ...]
    contract: str
    dataset_digest: str


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """N photos in the order of their people.

    Attributes:
        vectors: (N, D) float32 unit rows.
        labels: (N,) int64, rising.
        last: (N,) int64, the row behind the last photo of the same person.
        quality: (N,) float32 in [0, 1].
        names: N names of people.
    """

    vectors: NDArray[np.float32]
    labels: NDArray[np.int64]
    last: NDArray[np.int64]
    quality: NDArray[np.float32]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some rows compared with all from the first of them on; each pair once.

    Attributes:
        start: the first row.
        scores: (B, N - start) float32; only what lies above the diagonal counts.
        own: row and column of the pairs of one person.
    """

    start: int
    scores: NDArray[np.float32]
    own: tuple[NDArray[np.int64], NDArray[np.int64]]

    def each_once(self) -> Iterator[NDArray[np.float32]]:
        """Yield the scores of all pairs, each once, in pieces."""
        size = len(self.scores)
        yield self.scores[:, :size][_above(size)]
        yield self.scores[:, size:]


@cache
def _above(size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows, columns = np.triu_indices(size, 1)
    return rows, columns


def evaluate_all_pairs(
    dataset: Dataset, *, every: bool = False, progress: Progress = silent
) -> AllPairsResult:
    """Compare every photo of a dataset with every other.

    Mirrored copies (`--flip-singletons`) are left out, and so are photos set aside unless
    `every` is given.

    Args:
        dataset: of at least two people, one of them with two photos.
        every: also the photos that were set aside as doubtful.
        progress: told of the blocks.

    Raises:
        NothingToMeasure: there is no pair of one person, or none of two people.
    """
    photos = photos_of(dataset, every=every)
    counts = np.bincount(photos.labels)
    genuine, everything = ScoreCounts(), ScoreCounts()
    for block in blocks_of(photos, progress, "comparing"):
        genuine.add(block.scores[block.own])
        for piece in block.each_once():
            everything.add(piece)
    impostor = ScoreCounts(everything.counts - genuine.counts)
    if not genuine.total or not impostor.total:
        raise NothingToMeasure(
            "there are no two photos of one person, or only one person",
            hint="All pairs need two people at least, and one of them with two photos.",
        )
    curve = roc_of_counts(edges(), genuine.counts, impostor.counts)
    fars = [far for far in FARS if far * impostor.total >= MIN_IMPOSTORS] or [FARS[0]]
    with_interval = [far for far in fars if 2 * far * impostor.total <= MAX_IMPOSTORS_KEPT]
    intervals: dict[float, Interval] = {}
    if with_interval:
        least = _threshold_that_keeps(curve, 2 * max(with_interval))
        pairs = kept_pairs(photos, counts, least, progress)
        intervals = dict(zip(with_interval, tar_over_people(pairs, with_interval), strict=True))
    return AllPairsResult(
        photos=len(photos.labels),
        people=len(counts),
        genuine=genuine,
        impostor=impostor,
        curve=curve,
        at_far=tuple(RateAtFar(f, point_at_far(curve, f), intervals.get(f)) for f in fars),
        equal_error=crossing_of(curve),
        rejects=_rejects(photos, point_at_far(curve, REJECT_AT).threshold),
        contract=dataset.contract,
        dataset_digest=dataset.digest,
    )


def _threshold_that_keeps(curve: Roc, far: float) -> float:
    """Return the lowest threshold of at most this FAR, or the highest that lets an impostor in.

    Not that of `point_at_far`: where people are far apart no impostor is above that one.
    """
    lowest = int(np.searchsorted(curve.fmr, far, side="right")) - 1
    lets_in = int(np.searchsorted(curve.fmr, 0.0, side="right"))
    return float(curve.thresholds[max(lowest, lets_in)])


def photos_of(dataset: Dataset, *, every: bool = False) -> Photos:
    """Return the photos that are compared, in the order of their people."""
    leaks = np.array([entry.leak for entry in dataset.rows], np.bool_)
    rows = np.flatnonzero(~leaks if every else ~leaks & dataset.usable)
    rows = rows[np.argsort(dataset.labels[rows], kind="stable")]
    _, labels = np.unique(dataset.labels[rows], return_inverse=True)
    last = np.searchsorted(labels, labels, side="right")
    return Photos(
        dataset.embeddings[rows],
        labels.astype(np.int64),
        last.astype(np.int64),
        dataset.quality[rows],
        tuple(dataset.rows[row].person for row in rows),
    )


def blocks_of(photos: Photos, progress: Progress, what: str) -> Iterator[Block]:
    """Yield blocks of rows compared with all from their first on; `what` names the work."""
    count = len(photos.labels)
    for start in range(0, count, BLOCK):
        scores = photos.vectors[start : start + BLOCK] @ photos.vectors[start:].T
        rows = np.arange(start, start + len(scores))
        # The photos of the same person that follow a row stand right behind it.
        following = photos.last[rows] - rows - 1
        first = np.repeat(np.arange(len(rows)), following)
        within = np.arange(len(first)) - np.repeat(np.cumsum(following) - following, following)
        yield Block(start, scores, (first, first + 1 + within))
        progress(min(start + BLOCK, count), count, what)


def kept_pairs(
    photos: Photos, counts: NDArray[np.int64], least: float, progress: Progress
) -> PairScores:
    """Return all genuine scores and the impostors' from `least` on, which may be none."""
    own, whose, others, both = [], [], [], []
    for block in blocks_of(photos, progress, "intervals"):
        rows, columns = block.own
        own.append(block.scores[rows, columns])
        whose.append(photos.labels[rows + block.start])
        block.scores[rows, columns] = -2
        block.scores[:, : len(block.scores)][np.tril_indices(len(block.scores))] = -2
        high = np.nonzero(block.scores >= np.float32(least))
        others.append(block.scores[high])
        both.append(np.stack([photos.labels[side + block.start] for side in high], axis=1))
    return PairScores(
        people=len(counts),
        genuine=np.concatenate(own).astype(np.float64),
        genuine_person=np.concatenate(whose),
        impostor=np.concatenate(others).astype(np.float64),
        impostor_people=np.concatenate(both),
        photos=counts.astype(np.int64),
    )


def _rejects(photos: Photos, threshold: float) -> tuple[RejectPoint, ...]:
    scores, worse = [], []
    starts = np.flatnonzero(np.diff(photos.labels, prepend=-1))
    for start in starts:
        own = slice(start, photos.last[start])
        first, second = np.triu_indices(int(photos.last[start] - start), 1)
        scores.append((photos.vectors[own] @ photos.vectors[own].T)[first, second])
        quality = photos.quality[own]
        worse.append(np.minimum(quality[first], quality[second]))
    return error_versus_reject(np.concatenate(scores) < threshold, np.concatenate(worse))
