"""What is learned from: embeddings of photos, whose they are and how good they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.templates import both_views, photo_weights


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
        return cls(faces, mirrored, photo_weights(quality), labels, people)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> NDArray[np.int64]:
        """(P,) how many photos each person has."""
        return np.bincount(self.labels, minlength=self.people).astype(np.int64)

    @property
    def means(self) -> NDArray[np.float32]:
        """(N, D) unit rows: each photo's mean of crop and mirrored crop."""
        return both_views(self.faces, self.mirrored)

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
