"""Training samples: embeddings of photos, with labels and weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.measures.templates import both_views, photo_weights


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """N photos of people, as unit vectors.

    Attributes:
        faces: (N, D) float32 unit rows, of the crops.
        mirrored: (N, D) float32 unit rows, of the mirrored crops.
        weights: (N,) float32 above 0, weight of each photo in its person's prototype.
        labels: (N,) int64 in [0, people); each person has at least one photo.
        people: number of people.
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
        """Return samples with weights from the photos' quality in [0, 1].

        Raises:
            ValueError: shapes or types are wrong, or a person has no photo.
        """
        if not faces.dtype == mirrored.dtype == np.float32 or faces.shape != mirrored.shape:
            raise ValueError("embeddings must be float32, with one mirrored row per row")
        if not len(faces) == len(quality) == len(labels):
            raise ValueError("every photo must have one embedding, quality and label")
        if np.any(np.bincount(labels, minlength=people) == 0):
            raise ValueError("a person has no photo")
        return cls(faces, mirrored, photo_weights(quality), labels, people)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> NDArray[np.int64]:
        """(P,) int64, number of photos per person."""
        return np.bincount(self.labels, minlength=self.people).astype(np.int64)

    @property
    def means(self) -> NDArray[np.float32]:
        """(N, D) float32 unit rows: mean of crop and mirrored crop, per photo."""
        return both_views(self.faces, self.mirrored)

    def take(self, rows: NDArray[np.bool_]) -> Samples:
        """Return the photos in `rows`, (N,) bool; labels stay as they are."""
        return Samples(
            self.faces[rows], self.mirrored[rows], self.weights[rows], self.labels[rows],
            self.people,
        )  # fmt: skip

    def without(self, gone: NDArray[np.bool_]) -> Samples:
        """Return the photos of the people not in `gone`, (P,) bool, with new labels."""
        number = np.cumsum(~gone) - 1
        kept = self.take(~gone[self.labels])
        return Samples(
            kept.faces, kept.mirrored, kept.weights, number[kept.labels], int(np.sum(~gone))
        )
