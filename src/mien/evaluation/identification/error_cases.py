"""The photos worth looking at: named wrongly, nearly so, and strangers given a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset, Entry
from mien.evaluation.identification.breakdown import named_as
from mien.evaluation.identification.held_out import PeopleResult
from mien.evaluation.identification.probes import ProbeSet
from mien.evaluation.identification.search import Search
from mien.text import count
from mien.types import Head

NARROW = 0.05
"""A photo is doubtful when this much less similarity would have lost it its name."""


@dataclass(frozen=True, slots=True, eq=False)
class ErrorCase:
    """One photo and what the recognizer makes of it.

    Attributes:
        record: the photo.
        source: the dataset it is from.
        true: its person by the label.
        nearest: the most similar person.
        similarity: to that person.
        probability: that it is that person.
        named: whether the policy gives it that name.
        own: similarity to its own person; None for a stranger.
        rank: of its own person; 0 for a stranger.
        evidence: what else is known, a sentence each.
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
    """Return the held-out photos nearest to somebody else, most surely wrong first."""
    found = result.found
    rows = np.flatnonzero(~found.correct)
    order = np.argsort(-found.best[rows], kind="stable")
    return _error_cases(result.head, result.probes, found, rows[order])


def borderline_cases(result: PeopleResult) -> list[ErrorCase]:
    """Return the photos nearest to the right person, but hardly or not enough, worst first."""
    found = result.found
    threshold = np.float32(result.head.policy.threshold)
    margin = found.own - np.maximum(found.rival_similarities, threshold)
    rows = np.flatnonzero(found.correct & (margin < NARROW))
    return _error_cases(
        result.head, result.probes, found, rows[np.argsort(margin[rows], kind="stable")]
    )


def stranger_cases(result: PeopleResult) -> list[ErrorCase]:
    """Return the strangers who are given a name, most surely first."""
    if result.stranger_probes is None or result.strangers_found is None:
        return []
    found = result.strangers_found
    rows = np.flatnonzero(found.best >= np.float32(result.head.policy.threshold))
    order = np.argsort(-found.best[rows], kind="stable")
    return _error_cases(result.head, result.stranger_probes, found, rows[order])


def _error_cases(
    head: Head, probes: ProbeSet, found: Search, rows: NDArray[np.int64]
) -> list[ErrorCase]:
    if not len(rows):
        return []
    known = found.ranks > 0
    nearest = np.where(known, named_as(found), found.people[:, 0])
    chances = head.calibration.probability(found.best)
    return [
        ErrorCase(
            record=probes.records[row],
            source=probes.source,
            true=probes.records[row].person,
            nearest=head.people[nearest[row]],
            similarity=float(found.best[row]),
            probability=float(chances[row]),
            named=bool(found.best[row] >= np.float32(head.policy.threshold)),
            own=float(found.own[row]) if known[row] else None,
            rank=int(found.ranks[row]),
            evidence=tuple(_evidence(head, probes, found, int(row))),
        )
        for row in rows
    ]


def _evidence(head: Head, probes: ProbeSet, found: Search, row: int) -> Sequence[str]:
    record, lines = probes.records[row], []
    if record.reason:
        lines.append(
            f"set aside: {record.reason}" + (f", {record.evidence}" * bool(record.evidence))
        )
    if record.faces > 1:
        lines.append(f"the photo shows {count(record.faces, 'face')}")
    threshold = head.policy.threshold
    if found.ranks[row] > 1 and found.best[row] >= threshold > found.own[row]:
        lines.append("the label may be wrong: sure of the other name, unsure of this one")
    if found.ranks[row] and head.photos[found.mates[row]] == 1:
        lines.append("learned from a single photo")
    if found.ranks[row] > 1:
        own, other = head.prototypes[[found.mates[row], found.rivals[row]]]
        if float(own @ other) >= threshold:
            lines.append("both names look like one person: perhaps it is")
    return lines
