"""Search results by group: rates, decisions, per person, per pair of people."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.identification.search import ProbeSearch, near_pairs
from mien.measures import rank_k
from mien.types import Head, Interval

PAIRS = 24
"""Maximum number of confusable pairs listed."""

PHOTO_COUNTS = ((1, 1), (2, 2), (3, 4), (5, 9), (10, 19), (20, 10**9))
"""Ranges of the number of training photos per person: first, last."""


@dataclass(frozen=True, slots=True)
class IdentificationRates:
    """Closed-set identification of a set of probes.

    Attributes:
        probes: number of probes.
        rank1: share of probes whose most similar person is the mate, with Wilson's interval.
        rank5: share of probes whose mate is among the five most similar people.
    """

    probes: int
    rank1: Interval
    rank5: Interval


@dataclass(frozen=True, slots=True)
class DecisionCounts:
    """Decisions on probes of known people at the policy's threshold.

    Attributes:
        right: probes that were given their own name.
        unknown: probes that were given no name.
        wrong: probes that were given another person's name.
    """

    right: int
    unknown: int
    wrong: int


@dataclass(frozen=True, slots=True)
class PersonResult:
    """Results of one person.

    Attributes:
        person: name.
        photos: number of training photos.
        probes: number of held-out photos.
        right: number of probes most similar to this person.
        named: number of these that are also given the name at the policy's threshold.
        similarity: mean similarity of the probes to the prototype.
        taken_for: most similar people of the other probes, most frequent first.
    """

    person: str
    photos: int
    probes: int
    right: int
    named: int
    similarity: float
    taken_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Confusable:
    """Two people with similar prototypes, or with probes taken for one another.

    Attributes:
        first: name of one person.
        second: name of the other.
        similarity: cosine between their prototypes.
        mistakes: number of probes of one that are most similar to the other.
    """

    first: str
    second: str
    similarity: float
    mistakes: int


def most_similar(found: ProbeSearch) -> NDArray[np.int64]:
    """Return (N,) int64, the most similar person of each probe; on a tie, not the mate."""
    return np.where(found.correct, found.mates, found.rivals)


def rates_of(ranks: NDArray[np.int64]) -> IdentificationRates:
    """Return the rates of mates with these ranks, (N,) int64."""
    return IdentificationRates(len(ranks), rank_k(ranks, 1), rank_k(ranks, 5))


def decisions_of(head: Head, found: ProbeSearch) -> DecisionCounts:
    """Return the decisions on probes of known people."""
    named = found.named(head.policy)
    right = int(np.sum(named & found.correct))
    unknown = int(np.sum(~named))
    return DecisionCounts(right, unknown, len(found) - right - unknown)


def by_photos_of(
    head: Head, found: ProbeSearch
) -> tuple[tuple[int, int, IdentificationRates], ...]:
    """Return the rates by the number of training photos: first, last, rates."""
    photos = head.photos[found.mates]
    rows = []
    for first, last in PHOTO_COUNTS:
        inside = (photos >= first) & (photos <= last)
        if inside.any():
            rows.append((first, last, rates_of(found.ranks[inside])))
    return tuple(rows)


def people_of(head: Head, found: ProbeSearch) -> tuple[PersonResult, ...]:
    """Return one row per person with a probe, lowest rank-1 rate first."""
    named = found.named(head.policy)
    given = most_similar(found)
    members: dict[int, list[int]] = defaultdict(list)
    for index, mate in enumerate(found.mates):
        members[int(mate)].append(index)
    rows = []
    for mate, indices in members.items():
        right = found.correct[indices]
        taken = Counter(head.people[given[i]] for i in indices if not found.correct[i])
        rows.append(
            PersonResult(
                person=head.people[mate],
                photos=int(head.photos[mate]),
                probes=len(indices),
                right=int(right.sum()),
                named=int((right & named[indices]).sum()),
                similarity=float(found.own[indices].mean()),
                taken_for=tuple(sorted(taken, key=lambda name: (-taken[name], name))),
            )
        )
    return tuple(sorted(rows, key=lambda r: (r.right / r.probes, r.named / r.probes, r.person)))


def confusable_of(head: Head, found: ProbeSearch) -> tuple[Confusable, ...]:
    """Return pairs of similar people, most mistakes first, then most similar first."""
    given = most_similar(found)
    mistakes = Counter(
        (int(min(mate, other)), int(max(mate, other)))
        for mate, other, right in zip(found.mates, given, found.correct, strict=True)
        if not right
    )
    pairs = {
        (a, b): alike for a, b, alike in near_pairs(head.prototypes, min(PAIRS, len(head.people)))
    }
    for a, b in mistakes:
        pairs[a, b] = float(head.prototypes[a] @ head.prototypes[b])
    rows = [
        Confusable(
            min(head.people[a], head.people[b]),
            max(head.people[a], head.people[b]),
            alike,
            mistakes[a, b],
        )
        for (a, b), alike in pairs.items()
    ]
    rows.sort(key=lambda row: (-row.mistakes, -row.similarity, row.first, row.second))
    return tuple(rows[:PAIRS])
