"""Error cases: photos named wrongly, borderline photos, and strangers given a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset, Entry
from mien.evaluation.identification.breakdown import most_similar
from mien.evaluation.identification.held_out import PeopleResult
from mien.evaluation.identification.probes import ProbeSet
from mien.evaluation.identification.search import ProbeSearch
from mien.text import count
from mien.types import Head

NARROW = 0.05
"""A photo is borderline if a similarity lower by this would change the answer."""


@dataclass(frozen=True, slots=True, eq=False)
class ErrorCase:
    """One photo and the recognizer's answer.

    Attributes:
        record: the photo.
        source: the dataset that it is from.
        true: name of its person, by the label.
        nearest: name of the most similar person.
        similarity: cosine to that person.
        probability: that the photo shows that person, in [0, 1].
        named: whether the policy gives it that name.
        own: cosine to its own person; None for a stranger.
        rank: rank of its own person; 0 for a stranger.
        evidence: other facts about the photo, one sentence per fact.
    """

    record: Entry
    source: Dataset
    true: str
    nearest: str
    similarity: float
    probability: float
    named: bool
    own: float | None
    rank: int
    evidence: tuple[str, ...]


def wrong_cases(result: PeopleResult) -> list[ErrorCase]:
    """Return held-out photos most similar to another person, highest similarity first."""
    found = result.found
    rows = np.flatnonzero(~found.correct)
    order = np.argsort(-found.best[rows], kind="stable")
    return _error_cases(result.head, result.probes, found, rows[order])


def borderline_cases(result: PeopleResult) -> list[ErrorCase]:
    """Return photos with the right rank 1 that are unknown, or nearly so, smallest margin first."""
    found = result.found
    threshold = np.float32(result.head.policy.threshold)
    margin = found.own - np.maximum(found.rival_similarities, threshold)
    rows = np.flatnonzero(found.correct & (margin < NARROW))
    return _error_cases(
        result.head, result.probes, found, rows[np.argsort(margin[rows], kind="stable")]
    )


def stranger_cases(result: PeopleResult) -> list[ErrorCase]:
    """Return photos of strangers that are given a name, highest similarity first."""
    if result.stranger_probes is None or result.strangers_found is None:
        return []
    found = result.strangers_found
    rows = np.flatnonzero(found.named(result.head.policy))
    order = np.argsort(-found.best[rows], kind="stable")
    return _error_cases(result.head, result.stranger_probes, found, rows[order])


def _error_cases(
    head: Head, probes: ProbeSet, found: ProbeSearch, rows: NDArray[np.int64]
) -> list[ErrorCase]:
    if not len(rows):
        return []
    known = found.ranks > 0
    nearest = np.where(known, most_similar(found), found.people[:, 0])
    named = found.named(head.policy)
    return [
        ErrorCase(
            record=probes.records[row],
            source=probes.source,
            true=probes.records[row].person,
            nearest=head.people[nearest[row]],
            similarity=float(found.best[row]),
            probability=float(found.probability[row]),
            named=bool(named[row]),
            own=float(found.own[row]) if known[row] else None,
            rank=int(found.ranks[row]),
            evidence=tuple(_evidence(head, probes, found, int(row))),
        )
        for row in rows
    ]


def _evidence(head: Head, probes: ProbeSet, found: ProbeSearch, row: int) -> Sequence[str]:
    record, lines = probes.records[row], []
    if record.reason:
        lines.append(
            f"set aside: {record.reason}" + (f", {record.evidence}" * bool(record.evidence))
        )
    if record.faces > 1:
        lines.append(f"the photo shows {count(record.faces, 'face')}")
    threshold = head.policy.threshold
    if found.ranks[row] > 1 and found.best[row] >= threshold > found.own[row]:
        lines.append("the label may be wrong: named as the other person, but not as this one")
    if found.ranks[row] and head.photos[found.mates[row]] == 1:
        lines.append("one training photo")
    if found.ranks[row] > 1:
        own, other = head.prototypes[[found.mates[row], found.rivals[row]]]
        if float(own @ other) >= threshold:
            lines.append("the two names may be one person: their prototypes reach the threshold")
    return lines
