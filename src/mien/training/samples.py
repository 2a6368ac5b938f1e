"""What is learned from: embeddings of photos, whose they are and how good they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

LEAST_WEIGHT = 0.1
"""Of a photo in its person's prototype; the best photo has 1."""

Floats = TypeVar("Floats", np.float32, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Photos of people as points on the sphere.

    Attributes:
        faces: (N, D) float32 unit rows, of the crops.
        mirrored: (N, D) float32 unit rows, of the mirrored crops.
        weights: (N,) float32 above 0, how much each photo counts for its person.
        labels: (N,) int64 in [0, people); everyone has at least one photo.
        people: how many people there are.
    """

    faces: NDArray[np.float32]
    mirrored: NDArray[np.float32]
    weights: NDArray[np.float32]
    labels: NDArray[np.int64]
    people: int

    @classmethod
    def of(
        cls,
        faces: NDArray[np.float32],
        mirrored: NDArray[np.float32],
        quality: NDArray[np.float32],
        labels: NDArray[np.int64],
        people: int,
    ) -> Samples:
        """Return samples whose weights follow the photos' quality in [0, 1].

        Raises:
            ValueError: when shapes or types do not fit or somebody has no photo.
        """
        if not faces.dtype == mirrored.dtype == np.float32 or faces.shape != mirrored.shape:
            raise ValueError("embeddings are float32, one mirrored row for each")
        if not len(faces) == len(quality) == len(labels):
            raise ValueError("every photo has one embedding, quality and label")
        if np.any(np.bincount(labels, minlength=people) == 0):
            raise ValueError("somebody has no photo")
        weights = np.clip(quality, LEAST_WEIGHT, 1).astype(np.float32)
        return cls(faces, mirrored, weights, labels, people)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> NDArray[np.int64]:
        """(P,) how many photos each person has."""
        return np.bincount(self.labels, minlength=self.people).astype(np.int64)

    @property
    def means(self) -> NDArray[np.float32]:
        """(N, D) unit rows: each photo's mean of crop and mirrored crop."""
        return unit_rows(self.faces + self.mirrored)

    def take(self, rows: NDArray[np.bool_]) -> Samples:
        """Return some of the photos; the people and their numbers stay."""
        return Samples(
            self.faces[rows], self.mirrored[rows], self.weights[rows], self.labels[rows],
            self.people,
        )  # fmt: skip

    def without(self, gone: NDArray[np.bool_]) -> Samples:
        """Return the photos of the others, renumbered; `gone` is (P,) bool."""
        number = np.cumsum(~gone) - 1
        kept = self.take(~gone[self.labels])
        return Samples(
            kept.faces, kept.mirrored, kept.weights, number[kept.labels], int(np.sum(~gone))
        )


def unit_rows(rows: NDArray[Floats]) -> NDArray[Floats]:
    """Return the rows scaled to length 1; a row of zeros becomes the first axis."""
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
    """Return each face's highest similarity to the rows, and to which row it is.

    Args:
        faces: (N, D) unit rows.
        rows: (P, D) unit rows, P > 0; P > 1 where `own` is given.
        own: (N,) a row that is left out for each face, or None.
    """
    best = np.empty(len(faces), np.float32)
    index = np.empty(len(faces), np.int64)
    for start in range(0, len(faces), 1024):  # bounds the memory, whatever N and P are
        part = slice(start, start + 1024)
        scores = faces[part] @ rows.T
        if own is not None:
            scores[np.arange(len(scores)), own[part]] = -2
        index[part] = np.argmax(scores, axis=1)
        best[part] = scores[np.arange(len(scores)), index[part]]
    return best, index
