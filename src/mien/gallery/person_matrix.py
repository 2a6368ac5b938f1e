"""Everybody's photos as a few arrays: what a gallery is searched and judged by.

A projection of the store: made of it when a gallery is opened, and for one person anew when that
person changes. Nothing is in it that the store could not give again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.gallery.storage.rows import GalleryStore, Templates
from mien.templates import both_views, photo_weights, sums_by_person, unit_rows


@dataclass(frozen=True, slots=True, eq=False)
class PersonMatrix:
    """The P people who have at least one photo, by number.

    Attributes:
        numbers: (P,) int64, rising: the store's numbers.
        prototypes: (P, D) float32 unit rows: the quality-weighted mean of each person's photos.
        probes: (P, D) float32 unit rows: the crop of each person's first photo.
        rests: (P, D) float32 unit rows: the prototype without that photo; meaningless where it is
            the only one.
        photos: (P,) int64, how many there are.
    """

    numbers: NDArray[np.int64]
    prototypes: NDArray[np.float32]
    probes: NDArray[np.float32]
    rests: NDArray[np.float32]
    photos: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    @classmethod
    def empty(cls, dimension: int) -> PersonMatrix:
        """Return that of nobody."""
        rows, numbers = np.zeros((0, dimension), np.float32), np.zeros(0, np.int64)
        return cls(numbers, rows, rows, rows, numbers)

    @classmethod
    def of(cls, store: GalleryStore, dimension: int) -> PersonMatrix:
        """Return that of a whole store."""
        parts: list[PersonMatrix] = []
        waiting: list[Templates] = []
        for block in store.all_templates():
            # The last person of a block may go on in the next one.
            last = block.numbers[-1]
            cut = int(np.searchsorted(block.numbers, last))
            waiting.append(_part(block, slice(0, cut)))
            if cut:
                parts.append(_project(_joined(waiting), dimension))
                waiting = []
            waiting.append(_part(block, slice(cut, None)))
        if waiting:
            parts.append(_project(_joined(waiting), dimension))
        return _stacked(parts, dimension)

    def with_person(self, number: int, templates: Templates) -> PersonMatrix:
        """Return it with one person's photos being these; without the person where none is."""
        place = int(np.searchsorted(self.numbers, number))
        there = place < len(self) and self.numbers[place] == number
        before, after = slice(0, place), slice(place + bool(there), None)
        dimension = self.prototypes.shape[1]
        middle = [_project(templates, dimension)] if len(templates) else []
        return _stacked([self._take(before), *middle, self._take(after)], dimension)

    def _take(self, rows: slice) -> PersonMatrix:
        return PersonMatrix(
            self.numbers[rows], self.prototypes[rows], self.probes[rows], self.rests[rows],
            self.photos[rows],
        )  # fmt: skip

    def index(self, number: int) -> int | None:
        """Return the row of a person, or None where that person has no photo."""
        place = int(np.searchsorted(self.numbers, number))
        return place if place < len(self) and self.numbers[place] == number else None


def early_prototype(templates: Templates) -> tuple[NDArray[np.float32], int] | None:
    """Return the prototype of the earlier half of somebody's photos, and how many those are.

    A newcomer is judged by what was there well before it: were it judged by all photos, one wrong
    photo that just passes would make way for the next, and a folder of somebody else for itself.

    Args:
        templates: of one person, in the order they came.

    Returns:
        (D,) float32 of length 1; None without photos.
    """
    if not len(templates):
        return None
    elder = _part(templates, slice(0, (len(templates) + 1) // 2))
    return _project(elder, templates.faces.shape[1]).prototypes[0], len(elder)


def _project(templates: Templates, dimension: int) -> PersonMatrix:
    numbers, first, labels = np.unique(templates.numbers, return_index=True, return_inverse=True)
    if not len(numbers):
        return PersonMatrix.empty(dimension)
    weights = photo_weights(templates.quality)
    views = both_views(templates.faces, templates.mirrored)
    sums = sums_by_person(views, weights, labels.astype(np.int64), len(numbers))
    rests = sums - views[first].astype(np.float64) * weights[first, None]
    return PersonMatrix(
        numbers=numbers,
        prototypes=unit_rows(sums).astype(np.float32),
        probes=templates.faces[first],
        rests=unit_rows(rests).astype(np.float32),
        photos=np.bincount(labels, minlength=len(numbers)).astype(np.int64),
    )


def _part(templates: Templates, rows: slice) -> Templates:
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
        np.concatenate([part.rests for part in parts]),
        np.concatenate([part.photos for part in parts]),
    )
