"""Strangers who are likely people of the gallery under another name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.measures.templates import nearest, unit_rows
from mien.models.statistics import EmbedderStatistics
from mien.policy.similarity_limits import same_person
from mien.text import Notice

_SELDOM = 0.02
"""Share of the false positives requested that may be left out as known people by mistake."""

_LISTED = 5


@dataclass(frozen=True, slots=True)
class LikelyKnown:
    """A stranger who looks like a person of the gallery.

    Attributes:
        stranger: the stranger's label.
        person: index of the person in the gallery.
        similarity: of the mean of the stranger's photos to that person's prototype.
    """

    stranger: Any
    person: int
    similarity: float


def find_likely_known(
    embeddings: NDArray[np.float32],
    people: ArrayLike | None,
    rows: NDArray[np.float32],
    counts: NDArray[np.int64],
    rate: float,
    statistics: EmbedderStatistics | None,
) -> tuple[LikelyKnown, ...]:
    """Return the strangers who are likely people of the gallery, most similar first.

    They look so much like one that a stranger as similar comes far less often than the rate
    requested. A few of them among the strangers would move the threshold far up, and hardly anyone
    would get a name. Where the embedder has no statistics none is found.

    Args:
        embeddings: (S, D) float32 unit rows of the strangers' photos.
        people: (S,) labels of any type, the person of each photo; None if all are different.
        rows: (P, D) float32 unit rows, the gallery.
        counts: (P,) int64, number of photos of each prototype.
        rate: FPIR requested, in (0, 1).
        statistics: of the embedder, or None.
    """
    limit = _limit(counts, rate, statistics)
    if limit is None or not len(embeddings):
        return ()
    labels = np.arange(len(embeddings)) if people is None else np.asarray(people)
    names, codes = np.unique(labels, return_inverse=True)
    sums = np.zeros((len(names), embeddings.shape[1]), np.float32)
    np.add.at(sums, codes, embeddings)
    similarity, person = nearest(unit_rows(sums), rows)
    found = [
        LikelyKnown(names[stranger].item(), int(person[stranger]), float(similarity[stranger]))
        for stranger in np.flatnonzero(similarity >= limit)
    ]
    return tuple(sorted(found, key=lambda one: -one.similarity))


def _limit(
    counts: NDArray[np.int64], rate: float, statistics: EmbedderStatistics | None
) -> float | None:
    """Return the similarity from which a stranger is likely a known person."""
    if statistics is None or statistics.impostors is None:
        return None
    grid = np.arange(0.0, 1.0, 1e-3)
    rates = statistics.impostors.false_positive_rates(grid, counts)
    seldom = rates <= _SELDOM * rate
    if seldom.any():
        return float(grid[int(np.argmax(seldom))])
    return same_person(statistics)


def likely_known_notice(found: Sequence[LikelyKnown], people: Sequence[str]) -> Notice:
    """Return the notice that names the strangers who were left out.

    Args:
        found: at least one.
        people: the P names of the gallery.
    """
    pairs = [f"{one.stranger} (as {people[one.person]})" for one in found[:_LISTED]]
    more = f" and {len(found) - _LISTED:,} more" if len(found) > _LISTED else ""
    return Notice(
        "strangers-likely-known",
        f"{len(found):,} of the strangers look so much like a person of this gallery that they are "
        f"likely the same under another name, and are left out: {', '.join(pairs)}{more}.",
        {
            "left_out": [
                {
                    "stranger": str(one.stranger),
                    "person": people[one.person],
                    "similarity": one.similarity,
                }
                for one in found
            ]
        },
    )
