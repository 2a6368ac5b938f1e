"""Value types of cleaning: the chosen faces, and the doubts about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.measures.templates import both_views, sums_by_person

Reason = Literal["duplicate", "near-duplicate", "mislabelled", "low-quality"]


@dataclass(frozen=True, eq=False)
class Faces:
    """The M chosen faces, one per row.

    Attributes:
        ids: ids of the entries.
        people: names.
        photos: paths, for evidence.
        sha256: hex digests of the photos.
        face: (M,) int64 index of the face in its photo.
        embeddings: (M, D) float32 unit rows.
        mirrored: (M, D) float32 unit rows, of the mirrored crops.
        thumbs: (M, 32, 32) uint8, grey copies of the crops.
        photo_thumbs: (M, 32, 32) uint8, grey copies of the whole photos.
        size: (M,) float32 pixels between the eyes.
        blur: (M,) float32 in [0, 1].
        yaw: (M,) float32 degrees.
        quality: (M,) float32 in [0, 1].
    """

    ids: tuple[str, ...]
    people: tuple[str, ...]
    photos: tuple[str, ...]
    sha256: tuple[str, ...]
    face: NDArray[np.int64]
    embeddings: NDArray[np.float32]
    mirrored: NDArray[np.float32]
    thumbs: NDArray[np.uint8]
    photo_thumbs: NDArray[np.uint8]
    size: NDArray[np.float32]
    blur: NDArray[np.float32]
    yaw: NDArray[np.float32]
    quality: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def templates(self) -> NDArray[np.float32]:
        """(M, D) float32 unit rows: the mean of crop and mirrored crop."""
        return both_views(self.embeddings, self.mirrored)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(M,) int64 index into `names`."""
        return np.unique(np.array(self.people, dtype=object), return_inverse=True)[1].astype(
            np.int64
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The people's names, sorted, each once."""
        return tuple(sorted(set(self.people)))

    def sums_by_person(
        self, rows: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return each person's sum of templates, (P, D) float64, and number of rows, (P,).

        Args:
            rows: (M,) bool: rows to sum.
        """
        labels, people = self.labels[rows], len(self.names)
        weights = np.ones(len(labels), np.float32)
        sums = sums_by_person(self.templates[rows], weights, labels, people)
        return sums, np.bincount(labels, minlength=people)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why an entry is set aside.

    Attributes:
        reason: the kind of doubt.
        evidence: the reason in numbers and words.
        other: row of the entry to compare with; -1 for none.
    """

    reason: Reason
    evidence: str
    other: int = -1


@dataclass(frozen=True, slots=True)
class SamePerson:
    """Two names that are likely one person.

    Attributes:
        people: the two names.
        similarity: cosine of their prototypes.
        evidence: the reason in numbers and words.
        rows: the most similar pair of entries, one of each name.
    """

    people: tuple[str, str]
    similarity: float
    evidence: str
    rows: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Doubts:
    """The findings of cleaning.

    Attributes:
        rows: the doubt about each doubtful row.
        groups: for each row with near-duplicates, the id of the first entry of its group.
        same: pairs of names that are likely one person, most similar first.
    """

    rows: dict[int, Doubt] = field(default_factory=dict)
    groups: dict[int, str] = field(default_factory=dict)
    same: tuple[SamePerson, ...] = ()
