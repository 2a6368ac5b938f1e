"""Strangers: how similar people who are not in a gallery are to the people who are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.measures import equal_shares
from mien.templates import nearest


@dataclass(frozen=True, slots=True, eq=False)
class Strangers:
    """How similar strangers are to the most similar person of a gallery.

    Attributes:
        similarity: (S,) float32, one a face.
        weights: (S,) float64 above 0; those of one stranger add up to 1.
        people: how many strangers they are.
        gallery: how many people they were searched among.
        source: who they are, in words.
    """

    similarity: NDArray[np.float32]
    weights: NDArray[np.float64]
    people: int
    gallery: int
    source: str


def cohort(
    embeddings: NDArray[np.float32],
    rows: NDArray[np.float32],
    source: str = "",
    *,
    people: ArrayLike | None = None,
) -> Strangers:
    """Search people who are not in the gallery in it.

    Args:
        embeddings: (S, D) float32 unit rows, one a photo.
        rows: (P, D) float32 the head.
        source: who they are.
        people: (S,) labels of any kind, who each photo is of: each stranger weighs one, whatever
            the number of their photos. None where each photo is of another.
    """
    similarity, _ = nearest(embeddings, rows)
    weights = np.ones(len(embeddings)) if people is None else equal_shares(people)
    if weights.shape != similarity.shape:
        raise ValueError(f"{len(similarity)} photos of strangers and {len(weights)} labels")
    count = round(float(weights.sum()))
    return Strangers(similarity, weights, count, len(rows), source or "a cohort")
