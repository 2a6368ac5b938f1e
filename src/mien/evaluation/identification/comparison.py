"""Two recognizers on the same photos: is one better, or was it only luckier?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset
from mien.errors import ContractMismatch, NothingToMeasure
from mien.evaluation.identification.probes import gallery_index
from mien.evaluation.identification.search import STRANGER, Search, search
from mien.measures import bootstrap_mean, mcnemar
from mien.types import Head, Interval

LEVEL = 0.05
"""A difference is taken for one when chance alone gives it less often than this."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of two recognizers on the same photos.

    Attributes:
        what: the measure.
        first: rate of the first recognizer.
        second: rate of the second.
        difference: second less first, its interval from resampling whole people.
        only_first: photos that are so by the first alone.
        only_second: by the second alone.
        p: two-sided, of McNemar's exact test.
        more_is_better: whether a higher rate is the better one.
    """

    what: str
    first: float
    second: float
    difference: Interval
    only_first: int
    only_second: int
    p: float
    more_is_better: bool

    @property
    def verdict(self) -> str:
        """`first`, `second` or `none`: which is better by both the test and the interval."""
        apart = self.difference.low > 0 or self.difference.high < 0
        if self.p >= LEVEL or not apart:
            return "none"
        return "second" if (self.difference.value > 0) == self.more_is_better else "first"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two recognizers on the same photos.

    Attributes:
        probes: held-out photos of people that both know.
        people: who they are of.
        strangers: photos of people that neither knows.
        rows: the measures.
    """

    probes: int
    people: int
    strangers: int
    rows: tuple[Difference, ...]


def compare_recognizers(
    first: Head, second: Head, dataset: Dataset, second_dataset: Dataset | None = None
) -> Comparison:
    """Compare two recognizers on a dataset's held-out photos.

    Args:
        first: a recognizer's head.
        second: another's.
        dataset: the photos.
        second_dataset: the same photos embedded for the second, where its embedder is another;
            photos are matched by their entries' ids.

    Raises:
        ContractMismatch: a dataset was embedded in another way than its recognizer.
        NothingToMeasure: no held-out photo is of a person that both know.
    """
    datasets = (dataset, second_dataset or dataset)
    for head, faces in zip((first, second), datasets, strict=True):
        if head.contract != faces.contract:
            raise ContractMismatch(
                f"a recognizer's faces were embedded in another way ({head.contract}) than the"
                f" dataset's ({faces.contract})",
                hint="Build the dataset with either embedder and give the second with --and.",
            )
    rows = _shared(*datasets)
    mates = [
        gallery_index(faces, head)[faces.labels[own]]
        for head, faces, own in zip((first, second), datasets, rows, strict=True)
    ]
    known = (mates[0] != STRANGER) & (mates[1] != STRANGER)
    strange = (mates[0] == STRANGER) & (mates[1] == STRANGER)
    entries = [dataset.rows[row] for row in rows[0]]
    held = np.array([e.split == "validation" and not e.leak for e in entries], np.bool_)
    used = np.array([e.used and not e.leak for e in entries], np.bool_)
    probes, others = known & held, strange & used
    if not probes.any():
        raise NothingToMeasure("no held-out photo is of a person that both recognizers know")
    found, named = [], []
    for head, faces, own, mate in zip((first, second), datasets, rows, mates, strict=True):
        found.append(search(head, faces.embeddings[own[probes]], mate[probes]))
        named.append(_named(head, search(head, faces.embeddings[own[others]], mate[others])))
    labels = dataset.labels[rows[0]]
    right = [f.correct & _named(h, f) for h, f in zip((first, second), found, strict=True)]
    wrong = [~f.correct & _named(h, f) for h, f in zip((first, second), found, strict=True)]
    table = [
        _difference("rank-1", found[0].correct, found[1].correct, labels[probes]),
        _difference("named right", right[0], right[1], labels[probes]),
        _difference("named wrong", wrong[0], wrong[1], labels[probes], more_is_better=False),
    ]
    if others.any():
        table.append(
            _difference("strangers named", named[0], named[1], labels[others], more_is_better=False)
        )
    count = len(np.unique(labels[probes]))
    return Comparison(int(probes.sum()), count, int(others.sum()), tuple(table))


def _shared(first: Dataset, second: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of the photos that both datasets have."""
    place = {entry.id: entry.row for entry in second.rows}
    own = np.array([entry.row for entry in first.rows if entry.id in place], np.int64)
    theirs = np.array([place[e.id] for e in first.rows if e.id in place], np.int64)
    if not len(own):
        raise NothingToMeasure(
            "the two datasets have no photo in common",
            hint="Build both from the same photos, with either embedder.",
        )
    return own, theirs


def _named(head: Head, found: Search) -> NDArray[np.bool_]:
    named: NDArray[np.bool_] = found.best >= np.float32(head.policy.threshold)
    return named


def _difference(
    what: str,
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    people: NDArray[np.int64],
    *,
    more_is_better: bool = True,
) -> Difference:
    apart = second.astype(np.float64) - first.astype(np.float64)
    return Difference(
        what=what,
        first=float(first.mean()),
        second=float(second.mean()),
        difference=bootstrap_mean(apart, people),
        only_first=int(np.sum(first & ~second)),
        only_second=int(np.sum(second & ~first)),
        p=mcnemar(first, second),
        more_is_better=more_is_better,
    )
