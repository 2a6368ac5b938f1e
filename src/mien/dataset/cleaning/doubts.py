"""The chosen faces, and what may be doubtful about them: the words of the cleaning stages."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Reason = Literal["duplicate", "near-duplicate", "mislabelled", "low-quality"]


@dataclass(frozen=True, eq=False)
class Faces:
    """The M chosen faces, in rows.

    Attributes:
        ids: of the entries.
        people: names.
        photos: paths, for evidence.
        sha256: of the photos.
        face: (M,) int64 index in the photo.
        embeddings: (M, D) float32.
        mirrored: (M, D) float32.
        thumbs: (M, 32, 32) uint8, of the crops.
        photo_thumbs: (M, 32, 32) uint8, of the whole photos.
        size: (M,) pixels between the eyes.
        blur: (M,) in [0, 1].
        yaw: (M,) degrees.
        quality: (M,) in [0, 1].
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
        """(M, D) unit rows: the mean of crop and mirrored crop."""
        both = self.embeddings + self.mirrored
        result: NDArray[np.float32] = both / np.linalg.norm(both, axis=1, keepdims=True)
        return result

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(M,) number of the person of each row."""
        return np.unique(np.array(self.people, dtype=object), return_inverse=True)[1].astype(
            np.int64
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of each number."""
        return tuple(sorted(set(self.people)))


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why an entry is set aside.

    Attributes:
        reason: the kind of doubt.
        evidence: in numbers and words.
        other: row of the entry to compare it with; -1 where there is none.
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
        evidence: in numbers and words.
        rows: the most similar entries, one of each.
    """

    people: tuple[str, str]
    similarity: float
    evidence: str
    rows: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Doubts:
    """What was found.

    Attributes:
        rows: the doubt about each doubtful row.
        groups: id of the first of its group, for each row that has near-duplicates.
        same: pairs of names, most similar first.
    """

    rows: dict[int, Doubt] = field(default_factory=dict)
    groups: dict[int, str] = field(default_factory=dict)
    same: tuple[SamePerson, ...] = ()
