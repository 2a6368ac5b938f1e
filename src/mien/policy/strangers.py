"""Strangers: how similar people who are not in a gallery are to the people who are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    embeddings: NDArray[np.float32], rows: NDArray[np.float32], source: str = ""
) -> Strangers:
    """Search people who are not in the gallery in it.

    Args:
        embeddings: (S, D) float32 unit rows, one photo of each stranger.
        rows: (P, D) float32 the head.
        source: who they are.
    """
    similarity, _ = nearest(embeddings, rows)
    count = len(embeddings)
    return Strangers(similarity, np.ones(count), count, len(rows), source or "a cohort")
