"""The people of a gallery as arrays: prototypes to search, and what the threshold is set from.

Computed from the store when a gallery is opened, and per person when that person changes. It holds
nothing that could not be computed from the store again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.gallery.storage.rows import GalleryStore, Templates
from mien.measures.templates import both_views, photo_weights, sums_by_person, unit_rows


@dataclass(frozen=True, slots=True, eq=False)
class PersonMatrix:
    """The P people who have at least one photo, ordered by number.

    Attributes:
        numbers: (P,) int64, ascending: the store's numbers.
        prototypes: (P, D) float32 unit rows: the quality-weighted mean of each person's photos.
        probes: (P, D) float32 unit rows: the crop of each person's first photo.
        rest_prototypes: (P, D) float32 unit rows: the prototype without that photo; meaningless
            where it is the only one.
        photos: (P,) int64, number of photos.
    """

    numbers: NDArray[np.int64]
    prototypes: NDArray[np.float32]
    probes: NDArray[np.float32]
    rest_prototypes: NDArray[np.float32]
    photos: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    @classmethod
    def empty(cls, dimension: int) -> PersonMatrix:
        """Return a matrix without people (P = 0)."""
        rows, numbers = np.zeros((0, dimension), np.float32), np.zeros(0, np.int64)
        return cls(numbers, rows, rows, rows, numbers)

    @classmethod
    def from_store(cls, store: GalleryStore, dimension: int) -> PersonMatrix:
        """Return the matrix of all people in a store."""
        parts: list[PersonMatrix] = []
        waiting: list[Templates] = []
        for block in store.all_templates():
            # The photos of a block's last person may continue in the next block.
            last = block.numbers[-1]
            cut = int(np.searchsorted(block.numbers, last))
            waiting.append(_slice(block, slice(0, cut)))
            if cut:
                parts.append(_matrix_of(_joined(waiting), dimension))
                waiting = []
            waiting.append(_slice(block, slice(cut, None)))
        if waiting:
            parts.append(_matrix_of(_joined(waiting), dimension))
        return _stacked(parts, dimension)

    def with_person(self, number: int, templates: Templates) -> PersonMatrix:
        """Return a copy with one person's photos replaced; without the person where N = 0."""
        place = int(np.searchsorted(self.numbers, number))
        present = place < len(self) and self.numbers[place] == number
        before, after = slice(0, place), slice(place + bool(present), None)
        dimension = self.prototypes.shape[1]
        middle = [_matrix_of(templates, dimension)] if len(templates) else []
        return _stacked([self._rows(before), *middle, self._rows(after)], dimension)

    def _rows(self, rows: slice) -> PersonMatrix:
        return PersonMatrix(
            self.numbers[rows],
            self.prototypes[rows],
            self.probes[rows],
            self.rest_prototypes[rows],
            self.photos[rows],
        )

    def index(self, number: int) -> int | None:
        """Return the row of the person with a number; None where that person has no photo."""
        place = int(np.searchsorted(self.numbers, number))
        return place if place < len(self) and self.numbers[place] == number else None


def early_prototype(templates: Templates) -> tuple[NDArray[np.float32], int] | None:
    """Return the prototype of the earlier half of a person's photos, and their number.

    A new photo must agree with this prototype. If it were compared with all photos, one wrong photo
    that just passes would move the prototype, and the next wrong photo would pass more easily.

    Args:
        templates: of one person, in the order in which they were enrolled.

    Returns:
        (D,) float32 of length 1; None where N = 0.
    """
    if not len(templates):
        return None
    early = _slice(templates, slice(0, (len(templates) + 1) // 2))
    return _matrix_of(early, templates.faces.shape[1]).prototypes[0], len(early)


def _matrix_of(templates: Templates, dimension: int) -> PersonMatrix:
    numbers, first, labels = np.unique(templates.numbers, return_index=True, return_inverse=True)
    if not len(numbers):
        return PersonMatrix.empty(dimension)
    weights = photo_weights(templates.quality)
    views = both_views(templates.faces, templates.mirrored)
    sums = sums_by_person(views, weights, labels.astype(np.int64), len(numbers))
    rest = sums - views[first].astype(np.float64) * weights[first, None]
    return PersonMatrix(
        numbers=numbers,
        prototypes=unit_rows(sums).astype(np.float32),
        probes=templates.faces[first],
        rest_prototypes=unit_rows(rest).astype(np.float32),
        photos=np.bincount(labels, minlength=len(numbers)).astype(np.int64),
    )


def _slice(templates: Templates, rows: slice) -> Templates:
    return Templates(
        templates.faces[rows],
        templates.mirrored[rows],
        templates.quality[rows],
        templates.numbers[rows],
    )


def _joined(parts: list[Templates]) -> Templates:
    return Templates(
        np.concatenate([part.faces for part in parts]),
        np.concatenate([part.mirrored for part in parts]),
        np.concatenate([part.quality for part in parts]),
        np.concatenate([part.numbers for part in parts]),
    )


def _stacked(parts: list[PersonMatrix], dimension: int) -> PersonMatrix:
    parts = [PersonMatrix.empty(dimension), *parts]
    return PersonMatrix(
        np.concatenate([part.numbers for part in parts]),
        np.concatenate([part.prototypes for part in parts]),
        np.concatenate([part.probes for part in parts]),
        np.concatenate([part.rest_prototypes for part in parts]),
        np.concatenate([part.photos for part in parts]),
    )
