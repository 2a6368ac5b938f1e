"""Similarities of strangers to the people of a gallery."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.measures import equal_shares
from mien.measures.templates import nearest


@dataclass(frozen=True, slots=True, eq=False)
class Strangers:
    """Similarities of strangers' photos to the most similar person of a gallery.

    Attributes:
        similarity: (S,) float32, one per photo.
        weights: (S,) float64 above 0; those of one stranger add up to 1.
        people: number of strangers.
        gallery: number of people that they were searched among.
        source: where the strangers come from, in words.
    """

    similarity: NDArray[np.float32]
    weights: NDArray[np.float64]
    people: int
    gallery: int
    source: str


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
    similarity, _ = nearest(embeddings, rows)
    weights = np.ones(len(embeddings)) if people is None else equal_shares(people)
    if weights.shape != similarity.shape:
        raise ValueError(f"{len(similarity)} photos of strangers and {len(weights)} labels")
    count = round(float(weights.sum()))
    return Strangers(similarity, weights, count, len(rows), source or "a cohort")
