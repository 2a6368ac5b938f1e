"""Verification over all pairs of photos of a dataset, for low false accept rates.

Similarities are counted in fine bins, block by block, and not kept: memory does not grow with
their number. A second pass keeps the highest impostor scores, for the confidence intervals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset
from mien.dataset.storage.dataset_argument import DatasetOrPath, open_dataset
from mien.errors import NothingToMeasure
from mien.evaluation.result_parts import ends, html_table
from mien.measures import (
    OperatingPoint,
    PairScores,
    RejectPoint,
    Roc,
    ScoreCounts,
    curve_equal_error_rate,
    error_versus_reject,
    point_at_far,
    roc_of_counts,
    tar_over_people,
)
from mien.measures.histogram import edges
from mien.text import count, percent, span
from mien.types import Interval, Progress, silent

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
"""False accept rates at which the true accept rate is reported."""

REJECT_AT = 1e-3
"""False accept rate whose threshold is used for the error-versus-reject curve."""

MIN_IMPOSTORS = 10
"""A false accept rate is reported only if at least this many impostor pairs are above it."""

MAX_IMPOSTORS_KEPT = 3_000_000
"""Maximum number of impostor scores kept for the intervals."""

BLOCK = 512
"""Rows per block: with 100,000 photos the similarities of a block take 200 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class RateAtFar:
    """The true accept rate at one false accept rate.

    Attributes:
        far: the false accept rate requested.
        point: the point of the ROC.
        interval: of the true accept rate, from resampling people, with the threshold chosen again
            in each resample; None if it would need more impostors than `MAX_IMPOSTORS_KEPT`.
    """

    far: float
    point: OperatingPoint
    interval: Interval | None


@dataclass(frozen=True, slots=True, eq=False)
class AllPairsResult:
    """Verification over all pairs of photos.

    Attributes:
        photos: number of photos compared.
        people: number of people they show.
        genuine: counted similarities of pairs of one person.
        impostor: counted similarities of pairs of two people.
        curve: ROC; its `fnmr` against `fmr` is the DET curve.
        at_far: true accept rates at those of `FARS` for which there are enough impostors.
        equal_error: equal error rate, in [0, 1].
        rejects: FNMR at `REJECT_AT` when the pairs of lowest quality are rejected; the quality of
            a pair is that of its worse photo.
        contract: contract id of the embeddings.
        dataset_digest: digest of the dataset.
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

    def to_dict(self) -> dict[str, Any]:
        """Return what `mien evaluate all-pairs --json` prints; rates lie in [0, 1].

        The intervals come from resampling people; None where they were not computed.
        """
        return {
            "photos": self.photos,
            "people": self.people,
            "genuine": self.genuine.total,
            "impostor": self.impostor.total,
            "at_far": [
                {
                    "far": at.far,
                    "tar": at.point.tar,
                    "tar_interval": ends(at.interval) if at.interval else None,
                    "threshold": at.point.threshold,
                }
                for at in self.at_far
            ],
            "equal_error_rate": self.equal_error,
            "error_against_reject": [
                {"rejected": p.rejected, "quality": p.quality, "fnmr": p.error.value}
                for p in self.rejects
            ],
            "dataset": self.dataset_digest,
            "contract": self.contract,
        }

    def __repr__(self) -> str:
        last = self.at_far[-1]
        return (
            f"<AllPairsResult {self.photos:,} photos of {count(self.people, 'person', 'people')},"
            f" TAR {percent(last.point.tar)} at FAR {last.far:g}>"
        )

    def _repr_html_(self) -> str:
        rows = [
            (
                f"{at.far:g}",
                percent(at.point.tar),
                span(at.interval) if at.interval else "",
                f"{at.point.threshold:.4f}",
            )
            for at in self.at_far
        ]
        people = count(self.people, "person", "people")
        title = f"All pairs of {count(self.photos, 'photo')} of {people}"
        return html_table(title, ("FAR", "TAR", "95 % interval over people", "threshold"), rows)


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """N photos, sorted by person.

    Attributes:
        vectors: (N, D) float32 unit rows.
        labels: (N,) int64, number of the person, ascending.
        last: (N,) int64, one past the last row of the same person.
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
    """Similarities of B rows to all rows from the first of them on.

    Attributes:
        start: the first row.
        scores: (B, N - start) float32; only entries above the diagonal are used.
        own: rows and columns of the pairs of one person.
    """

    start: int
    scores: NDArray[np.float32]
    own: tuple[NDArray[np.int64], NDArray[np.int64]]

    def scores_once(self) -> Iterator[NDArray[np.float32]]:
        """Yield the scores of all pairs of the block in pieces, each pair once."""
        size = len(self.scores)
        yield self.scores[:, :size][_above(size)]
        yield self.scores[:, size:]


@cache
def _above(size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows, columns = np.triu_indices(size, 1)
    return rows, columns


def evaluate_all_pairs(
    dataset: DatasetOrPath, *, include_set_aside: bool = False, progress: Progress = silent
) -> AllPairsResult:
    """Compare every photo of a dataset with every other: `mien evaluate all-pairs`.

    Mirrored copies (`--flip-singletons`) are left out.

    Args:
        dataset: at least two people, one of them with two photos; or its folder.
        include_set_aside: also compare photos that were set aside.
        progress: called after each block.

    Raises:
        NotADataset: the folder holds no dataset.
        NothingToMeasure: there is no pair of one person, or none of two people.
    """
    dataset = open_dataset(dataset)
    photos = photos_of(dataset, include_set_aside=include_set_aside)
    counts = np.bincount(photos.labels)
    genuine, everything = ScoreCounts(), ScoreCounts()
    for block in blocks_of(photos, progress, "comparing"):
        genuine.add(block.scores[block.own])
        for piece in block.scores_once():
            everything.add(piece)
    impostor = ScoreCounts(everything.counts - genuine.counts)
    if not genuine.total or not impostor.total:
        raise NothingToMeasure(
            "there are no two photos of one person, or there is only one person",
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
        equal_error=curve_equal_error_rate(curve),
        rejects=_rejects(photos, point_at_far(curve, REJECT_AT).threshold),
        contract=dataset.contract,
        dataset_digest=dataset.digest,
    )


def _threshold_that_keeps(curve: Roc, far: float) -> float:
    """Return the lowest threshold with at most this FAR that accepts at least one impostor.

    The threshold of `point_at_far` may accept none, if people are far apart.
    """
    lowest = int(np.searchsorted(curve.fmr, far, side="right")) - 1
    lets_in = int(np.searchsorted(curve.fmr, 0.0, side="right"))
    return float(curve.thresholds[max(lowest, lets_in)])


def photos_of(dataset: Dataset, *, include_set_aside: bool = False) -> Photos:
    """Return the photos to compare, sorted by person."""
    leaks = np.array([entry.leak for entry in dataset.rows], np.bool_)
    rows = np.flatnonzero(~leaks if include_set_aside else ~leaks & dataset.usable)
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
    """Yield the similarities of all pairs, block by block; `what` is the name for progress."""
    count = len(photos.labels)
    for start in range(0, count, BLOCK):
        scores = photos.vectors[start : start + BLOCK] @ photos.vectors[start:].T
        rows = np.arange(start, start + len(scores))
        # Rows are sorted by person: the later photos of a row's person follow it directly.
        following = photos.last[rows] - rows - 1
        first = np.repeat(np.arange(len(rows)), following)
        within = np.arange(len(first)) - np.repeat(np.cumsum(following) - following, following)
        yield Block(start, scores, (first, first + 1 + within))
        progress(min(start + BLOCK, count), count, what)


def kept_pairs(
    photos: Photos, counts: NDArray[np.int64], least: float, progress: Progress
) -> PairScores:
    """Return all genuine scores, and the impostor scores of at least `least` (may be none)."""
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
