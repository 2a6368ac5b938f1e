"""Templates: one unit row per person, made of that person's photos, and search among them."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = TypeVar("Floats", np.float32, np.float64)

MIN_WEIGHT = 0.1
"""Lowest weight of a photo in its person's template; the highest is 1."""


FEW = 50
"""Most similar people whose odds count in a fit: those of all the others are next to nothing."""


def photo_weights(quality: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weight of each photo in its person's template, from its quality in [0, 1]."""
    return np.clip(quality, MIN_WEIGHT, 1).astype(np.float32)


def both_views(faces: NDArray[np.float32], mirrored: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (N, D) unit rows: the mean of crop and mirrored crop, per photo."""
    return unit_rows(faces + mirrored)


def unit_rows(rows: NDArray[Floats]) -> NDArray[Floats]:
    """Return the rows scaled to length 1; a row of zeros becomes the first unit vector."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True).astype(rows.dtype)
    scaled: NDArray[Floats] = np.zeros_like(rows)
    np.divide(rows, lengths, out=scaled, where=lengths > 0)
    scaled[lengths[:, 0] == 0, 0] = 1
    return scaled


def sums_by_person(
    rows: NDArray[np.float32], weights: NDArray[np.float32], labels: NDArray[np.int64], people: int
) -> NDArray[np.float64]:
    """Return (P, D) float64: the weighted sum of each person's rows."""
    totals = np.zeros((people, rows.shape[1]))
    np.add.at(totals, labels, rows.astype(np.float64) * weights[:, None])
    return totals


def nearest(
    faces: NDArray[np.float32], rows: NDArray[np.float32], own: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return each face's highest similarity to the rows, and the index of that row.

    Args:
        faces: (N, D) unit rows.
        rows: (P, D) unit rows, P > 0; P > 1 if `own` is given.
        own: (N,) int64, index of a row to leave out for each face; or None.
    """
    best = np.empty(len(faces), np.float32)
    index = np.empty(len(faces), np.int64)
    for start in range(0, len(faces), 1024):  # in blocks, to bound memory
        part = slice(start, start + 1024)
        scores = faces[part] @ rows.T
        if own is not None:
            scores[np.arange(len(scores)), own[part]] = -2
        index[part] = np.argmax(scores, axis=1)
        best[part] = scores[np.arange(len(scores)), index[part]]
    return best, index


def nearest_few(
    faces: NDArray[np.float32],
    rows: NDArray[np.float32],
    own: NDArray[np.int64] | None = None,
    *,
    few: int = FEW,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return each face's highest similarities to the rows, best first, and the best row.

    Args:
        faces: (N, D) unit rows.
        rows: (P, D) unit rows, P > 0; P > 1 if `own` is given.
        own: (N,) int64, index of a row to leave out for each face; or None.
        few: how many similarities at most.

    Returns:
        (N, K) float32, K = min(P, few), and (N,) int64. A row left out has the similarity -2.
    """
    size = min(len(rows), few)
    best = np.empty((len(faces), size), np.float32)
    index = np.empty(len(faces), np.int64)
    for start in range(0, len(faces), 1024):  # in blocks, to bound memory
        part = slice(start, start + 1024)
        scores = faces[part] @ rows.T
        if own is not None:
            scores[np.arange(len(scores)), own[part]] = -2
        index[part] = np.argmax(scores, axis=1)
        if size < len(rows):
            scores = -np.partition(-scores, size - 1, axis=1)[:, :size]
        best[part] = -np.sort(-scores, axis=1)
    return best, index
