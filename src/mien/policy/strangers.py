"""Similarities of strangers to the people of a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.measures import equal_shares
from mien.measures.templates import nearest_few


@dataclass(frozen=True, slots=True, eq=False)
class Strangers:
    """Similarities of strangers' photos to the most similar people of a gallery.

    Attributes:
        similarities: (S, K) float32, one row per photo: to the most similar people, best first.
        weights: (S,) float64 above 0; those of one stranger add up to 1.
        people: number of strangers.
        gallery: number of people that they were searched among.
        source: where the strangers come from, in words.
    """

    similarities: NDArray[np.float32]
    weights: NDArray[np.float64]
    people: int
    gallery: int
    source: str

    @property
    def similarity(self) -> NDArray[np.float32]:
        """(S,) float32, similarity of each photo to the most similar person."""
        return self.similarities[:, 0]


def search_strangers(
    embeddings: NDArray[np.float32],
    rows: NDArray[np.float32],
    source: str = "",
    *,
    people: ArrayLike | None = None,
) -> Strangers:
    """Search strangers in a gallery.

    Args:
        embeddings: (S, D) float32 unit rows, one per photo.
        rows: (P, D) float32 unit rows, the gallery.
        source: where the strangers come from, in words.
        people: (S,) labels of any type, the person of each photo; each stranger has the same
            weight, however many photos show that person. None if all are different people.

    Raises:
        ValueError: the lengths differ.
    """
    similarities, _ = nearest_few(embeddings, rows)
    weights = np.ones(len(embeddings)) if people is None else equal_shares(people)
    if len(weights) != len(similarities):
        raise ValueError(f"{len(similarities)} photos of strangers and {len(weights)} labels")
    count = round(float(weights.sum()))
    return Strangers(similarities, weights, count, len(rows), source or "a cohort")


def stacked_similarities(groups: Sequence[Strangers]) -> NDArray[np.float32]:
    """Return (S, K) float32 similarities of all groups; -2 where a group has fewer of them."""
    width = max((group.similarities.shape[1] for group in groups), default=1)
    rows = [
        np.pad(
            group.similarities,
            ((0, 0), (0, width - group.similarities.shape[1])),
            constant_values=np.float32(-2),
        )
        for group in groups
    ]
    return np.concatenate([np.zeros((0, width), np.float32), *rows])
