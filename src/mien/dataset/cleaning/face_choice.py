"""Which face of a photo is the person: the one that agrees with the person's other photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mien.policy.similarity_limits import CleaningLimits

ROUNDS = 10

_MOST_REFERENCES = 2000
_BLOCK = 1024


def prominence(boxes: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Return (F,) in [0, 1]: how much each face looks like the subject by size and place alone.

    Side of the box over that of the largest, times exp(-(d / 0.35)²) with d the distance of its
    centre from the photo's centre over half the diagonal: a subject is large and central.

    Args:
        boxes: (F, 4) float32 xyxy.
        width: of the photo, in the same pixels.
        height: of the photo.
    """
    sides = np.sqrt(np.clip(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), 1e-6, None))
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 - np.array([width, height], np.float32) / 2
    away = np.linalg.norm(centre, axis=1) / (np.hypot(width, height) / 2)
    result: NDArray[np.float32] = np.asarray(
        sides / sides.max() * np.exp(-((away / 0.35) ** 2)), np.float32
    )
    return result


def choose(
    people: NDArray[np.int64],
    starts: NDArray[np.int64],
    templates: NDArray[np.float32],
    prior: NDArray[np.float32],
    limits: CleaningLimits | None,
) -> NDArray[np.int64]:
    """Return (N,) the row of the face chosen in each of N photos.

    First each face gets the mean, over the person's other photos, of its cosine to the most
    similar face there; the best face of each photo is picked. Then the mean is taken over the
    picked faces only, and the picking repeated until nothing changes. Photos that show one face
    pull the others along; `prior` breaks ties, and decides for a person with one photo. Last, a
    face that is like another person gives way to one that is not and agrees as well: a friend who
    is in every photo, but has photos of their own.

    Args:
        people: (N,) number of the person of each photo, 0 to P-1.
        starts: (N + 1,) the faces of photo i are rows starts[i] to starts[i + 1]; at least one.
        templates: (K, D) float32 unit rows, one a face.
        prior: (K,) in [0, 1], by size and place.
        limits: of the embedder. None where they are not calibrated: then size and place weigh one
            standard deviation of the cosines between people here, and no face gives way.
    """
    weight = _spread(people, starts, templates) if limits is None else limits.size_weight
    search = _Search(people, starts, templates, prior, np.float32(weight))
    order = np.argsort(people, kind="stable")
    bounds = np.flatnonzero(np.r_[True, np.diff(people[order]) > 0, True])
    for begin, end in pairwise(bounds):
        search.agree(order[begin:end])
    if limits is not None:
        search.give_way(limits)
    return search.face


def _spread(
    people: NDArray[np.int64], starts: NDArray[np.int64], templates: NDArray[np.float32]
) -> float:
    """Return the standard deviation of the cosines between faces of different people's photos.

    1 where there is one person: size and place decide.
    """
    owner = np.repeat(people, np.diff(starts))
    step = -(-len(owner) // _MOST_REFERENCES)
    owner, sample = owner[::step], templates[::step]
    apart = owner[:, None] != owner[None]
    return float((sample @ sample.T)[apart].std()) if apart.any() else 1.0


@dataclass(eq=False)
class _Search:
    """The state of the search.

    Attributes beside the arguments of `choose`: `face`, the row picked in each photo; `support`,
    each face's mean cosine to the faces picked in the other photos; `reach`, the same to the most
    similar face of each other photo, picked or not.
    """

    people: NDArray[np.int64]
    starts: NDArray[np.int64]
    templates: NDArray[np.float32]
    prior: NDArray[np.float32]
    weight: np.float32
    face: NDArray[np.int64] = field(init=False)
    support: NDArray[np.float32] = field(init=False)
    reach: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self.face = self.starts[:-1].copy()
        self.support = np.zeros(len(self.templates), np.float32)
        self.reach = np.zeros(len(self.templates), np.float32)

    def rows(self, photo: int) -> NDArray[np.int64]:
        return np.arange(self.starts[photo], self.starts[photo + 1])

    def pick(self, photo: int) -> None:
        own = self.rows(photo)
        self.face[photo] = own[np.argmax(self.support[own] + self.weight * self.prior[own])]

    def agree(self, photos: NDArray[np.int64]) -> None:
        """Pick the faces of one person's photos."""
        if len(photos) == 1:
            self.pick(int(photos[0]))
            return
        rows = [self.rows(photo) for photo in photos]
        # Many photos are represented by some of them, those with one face first.
        few = sorted(range(len(photos)), key=lambda i: (len(rows[i]), i))[:_MOST_REFERENCES]
        counted = np.zeros(len(photos), np.bool_)
        counted[few] = True
        for i, best in enumerate(_best_in_each(rows, few, self.templates)):
            self.support[rows[i]] = self.reach[rows[i]] = best
            self.pick(int(photos[i]))
        for _ in range(ROUNDS):
            before = self.face[photos].copy()
            picked = self.templates[before]
            total = picked[few].sum(axis=0)
            for i, own in enumerate(rows):
                others = total - picked[i] if counted[i] else total
                self.support[own] = self.templates[own] @ others / (len(few) - int(counted[i]))
                self.pick(int(photos[i]))
            if np.array_equal(before, self.face[photos]):
                break

    def give_way(self, limits: CleaningLimits) -> None:
        """In photos of several faces, pass over those that are somebody else of the dataset."""
        crowded = np.flatnonzero(np.diff(self.starts) > 1)
        sums = np.zeros((int(self.people.max()) + 1, self.templates.shape[1]), np.float32)
        np.add.at(sums, self.people, self.templates[self.face])
        prototypes = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
        for begin in range(0, len(crowded), _BLOCK):
            block = crowded[begin : begin + _BLOCK]
            rows = np.concatenate([self.rows(photo) for photo in block])
            owner = np.repeat(self.people[block], np.diff(self.starts)[block])
            similar = self.templates[rows] @ prototypes.T
            similar[np.arange(len(rows)), owner] = -1
            other = np.zeros(len(self.templates), np.float64)
            other[rows] = similar.max(axis=1)
            for photo in block:
                if other[self.face[photo]] <= limits.somebody_else:
                    continue
                own = self.rows(photo)
                reach = self.reach[own]
                above = other[own] - limits.somebody_else
                claim = np.maximum(other[own] - reach, above / 2)
                penalty = np.where(above > 0, np.clip(claim, 0, None), 0.0)
                # Only a face that could be the person steps in: prominent, or supported.
                prominent = self.prior[own] >= self.prior[own].max() / 2
                penalty += ~prominent & (reach < limits.plausible)
                score = reach + self.weight * self.prior[own] - penalty
                self.face[photo] = own[np.argmax(score)]


def _best_in_each(
    rows: Sequence[NDArray[np.int64]], few: Sequence[int], templates: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    """Return, for the faces of each photo, the mean of the best cosine in each other photo."""
    reference = np.concatenate([rows[i] for i in few])
    offsets = np.cumsum([0] + [len(rows[i]) for i in few])[:-1]
    column = {photo: j for j, photo in enumerate(few)}
    result = []
    for i, own in enumerate(rows):
        best = np.maximum.reduceat(templates[own] @ templates[reference].T, offsets, axis=1)
        if i in column:
            best = np.delete(best, column[i], axis=1)
        result.append(best.mean(axis=1))
    return result
