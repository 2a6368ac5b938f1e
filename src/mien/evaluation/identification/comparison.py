"""Comparison of two recognizers on the same photos, with significance tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset
from mien.errors import ContractMismatch, NothingToMeasure
from mien.evaluation.identification.probes import gallery_index
from mien.evaluation.identification.search import STRANGER, search
from mien.evaluation.result_parts import html_table
from mien.measures import bootstrap_mean, mcnemar
from mien.text import count, percent
from mien.types import Head, Interval

LEVEL = 0.05
"""Significance level of McNemar's test."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of two recognizers on the same photos.

    Attributes:
        what: name of the measure.
        first: rate of the first recognizer.
        second: rate of the second recognizer.
        difference: second minus first, with an interval from resampling people.
        only_first: number of photos counted for the first recognizer only.
        only_second: number of photos counted for the second recognizer only.
        p: two-sided p-value of McNemar's exact test.
        more_is_better: whether a higher rate is better.
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
        """Which recognizer is better by both test and interval: `first`, `second` or `none`."""
        apart = self.difference.low > 0 or self.difference.high < 0
        if self.p >= LEVEL or not apart:
            return "none"
        return "second" if (self.difference.value > 0) == self.more_is_better else "first"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two recognizers on the same photos.

    Attributes:
        probes: number of held-out photos of people that both recognizers know.
        people: number of these people.
        strangers: number of photos of people that neither knows.
        rows: the measures.
    """

    probes: int
    people: int
    strangers: int
    rows: tuple[Difference, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what `mien evaluate compare --json` prints; rates lie in [0, 1]."""
        return {
            "probes": self.probes,
            "people": self.people,
            "strangers": self.strangers,
            "measures": [
                {
                    "what": row.what,
                    "first": row.first,
                    "second": row.second,
                    "difference": row.difference.value,
                    "difference_interval": [row.difference.low, row.difference.high],
                    "only_first": row.only_first,
                    "only_second": row.only_second,
                    "p": row.p,
                    "better": row.verdict,
                }
                for row in self.rows
            ],
        }

    def __repr__(self) -> str:
        people = count(self.people, "person", "people")
        verdicts = ", ".join(f"{row.what}: {row.verdict}" for row in self.rows)
        return f"<Comparison on {count(self.probes, 'photo')} of {people}; better {verdicts}>"

    def _repr_html_(self) -> str:
        rows = [
            (
                row.what,
                percent(row.first),
                percent(row.second),
                f"{100 * row.difference.low:+.2f} to {100 * row.difference.high:+.2f}",
                f"{row.only_first}:{row.only_second}",
                f"{row.p:.3f}",
                {"first": "A", "second": "B", "none": "not shown"}[row.verdict],
            )
            for row in self.rows
        ]
        people = count(self.people, "person", "people")
        title = f"Two recognizers on {count(self.probes, 'photo')} of {people}"
        columns = ("", "A", "B", "B - A, 95 %", "only", "p", "better")
        return html_table(title, columns, rows)


def compare_recognizers(
    first: Head, second: Head, dataset: Dataset, second_dataset: Dataset | None = None
) -> Comparison:
    """Compare two recognizers on a dataset's held-out photos: `mien evaluate compare`.

    Args:
        first: head of the first recognizer.
        second: head of the second recognizer.
        dataset: the photos.
        second_dataset: the same photos embedded for the second recognizer, if its embedder
            differs; photos are matched by the ids of their entries.

    Raises:
        ContractMismatch: a dataset and its recognizer were made with different embedders.
        NothingToMeasure: no held-out photo is of a person that both know.
    """
    datasets = (dataset, second_dataset or dataset)
    for head, faces in zip((first, second), datasets, strict=True):
        if head.contract != faces.contract:
            raise ContractMismatch(
                f"a recognizer has embeddings of contract {head.contract}, its dataset of"
                f" contract {faces.contract}",
                hint="Build the dataset with either embedder and give both datasets.",
                code="comparison-of-two-embedders",
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
        named.append(search(head, faces.embeddings[own[others]], mate[others]).named(head.policy))
    labels = dataset.labels[rows[0]]
    right = [f.correct & f.named(h.policy) for h, f in zip((first, second), found, strict=True)]
    wrong = [~f.correct & f.named(h.policy) for h, f in zip((first, second), found, strict=True)]
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
    """Return the rows, in either dataset, of the photos that both have."""
    place = {entry.id: entry.row for entry in second.rows}
    own = np.array([entry.row for entry in first.rows if entry.id in place], np.int64)
    theirs = np.array([place[e.id] for e in first.rows if e.id in place], np.int64)
    if not len(own):
        raise NothingToMeasure(
            "the two datasets have no photo in common",
            hint="Build both from the same photos, with either embedder.",
        )
    return own, theirs


def _difference(
    what: str,
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    people: NDArray[np.int64],
    *,
    more_is_better: bool = True,
) -> Difference:
    change = second.astype(np.float64) - first.astype(np.float64)
    return Difference(
        what=what,
        first=float(first.mean()),
        second=float(second.mean()),
        difference=bootstrap_mean(change, people),
        only_first=int(np.sum(first & ~second)),
        only_second=int(np.sum(second & ~first)),
        p=mcnemar(first, second),
        more_is_better=more_is_better,
    )
