"""Choose the face of the person in each photo: the one most similar to their other photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mien.policy.similarity_limits import CleaningLimits

MAX_ROUNDS = 10

_MOST_REFERENCES = 2000
_BLOCK = 1024


def prominence(boxes: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Return (F,) float32 in [0, 1]: how large and central each face is, as a subject usually is.

    Side of the box over that of the largest, times exp(-(d / 0.35)²) with d the distance of its
    centre from the photo's centre over half the diagonal.

    Args:
        boxes: (F, 4) float32 xyxy.
        width: width of the photo, in the same pixels.
        height: height of the photo.
    """
    sides = np.sqrt(np.clip(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), 1e-6, None))
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 - np.array([width, height], np.float32) / 2
    away = np.linalg.norm(centre, axis=1) / (np.hypot(width, height) / 2)
    result: NDArray[np.float32] = np.asarray(
        sides / sides.max() * np.exp(-((away / 0.35) ** 2)), np.float32
    )
    return result


def choose_faces(
    people: NDArray[np.int64],
    starts: NDArray[np.int64],
    templates: NDArray[np.float32],
    prior: NDArray[np.float32],
    limits: CleaningLimits | None,
) -> NDArray[np.int64]:
    """Return (N,) int64: the row of the face chosen in each of N photos.

    First each face gets the mean, over the person's other photos, of its cosine to the most
    similar face there; the best face of each photo is picked. Then the mean is taken over the
    picked faces only, and the picks are repeated until they do not change. Photos with a single
    face thus decide for the others; `prior` breaks ties, and decides for a person with one photo.
    Last, a face that is similar to another person of the dataset is replaced by one that is not
    and that also fits: so a friend who is in every photo, but has photos of their own, is not
    chosen.

    Args:
        people: (N,) int64 number of the person of each photo, 0 to P-1.
        starts: (N + 1,) int64: the faces of photo i are rows starts[i] to starts[i + 1]; at least
            one.
        templates: (K, D) float32 unit rows, one per face.
        prior: (K,) float32 in [0, 1], by size and place.
        limits: similarity limits of the embedder. None where it is not calibrated: then the weight
            of `prior` is one standard deviation of the cosines between these people, and no face
            is replaced.
    """
    weight = _spread(people, starts, templates) if limits is None else limits.size_weight
    search = _Search(people, starts, templates, prior, np.float32(weight))
    order = np.argsort(people, kind="stable")
    bounds = np.flatnonzero(np.r_[True, np.diff(people[order]) > 0, True])
    for begin, end in pairwise(bounds):
        search.pick_by_agreement(order[begin:end])
    if limits is not None:
        search.avoid_other_people(limits)
    return search.face


def _spread(
    people: NDArray[np.int64], starts: NDArray[np.int64], templates: NDArray[np.float32]
) -> float:
    """Return the standard deviation of the cosines between faces in different people's photos.

    1 for a single person: then size and place decide.
    """
    owner = np.repeat(people, np.diff(starts))
    step = -(-len(owner) // _MOST_REFERENCES)
    owner, sample = owner[::step], templates[::step]
    apart = owner[:, None] != owner[None]
    return float((sample @ sample.T)[apart].std()) if apart.any() else 1.0


@dataclass(eq=False)
class _Search:
    """The state of the search.

    Attributes:
        people, starts, templates, prior: arguments of `choose_faces`.
        weight: of `prior`, in cosine.
        face: the row picked in each photo.
        support: each face's mean cosine to the faces picked in the person's other photos.
        best_support: the same to the most similar face of each other photo, picked or not.
    """

    people: NDArray[np.int64]
    starts: NDArray[np.int64]
    templates: NDArray[np.float32]
    prior: NDArray[np.float32]
    weight: np.float32
    face: NDArray[np.int64] = field(init=False)
    support: NDArray[np.float32] = field(init=False)
    best_support: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self.face = self.starts[:-1].copy()
        self.support = np.zeros(len(self.templates), np.float32)
        self.best_support = np.zeros(len(self.templates), np.float32)

    def rows(self, photo: int) -> NDArray[np.int64]:
        return np.arange(self.starts[photo], self.starts[photo + 1])

    def pick(self, photo: int) -> None:
        own = self.rows(photo)
        self.face[photo] = own[np.argmax(self.support[own] + self.weight * self.prior[own])]

    def pick_by_agreement(self, photos: NDArray[np.int64]) -> None:
        """Pick the faces in one person's photos that are most similar to each other."""
        if len(photos) == 1:
            self.pick(int(photos[0]))
            return
        rows = [self.rows(photo) for photo in photos]
        # Of many photos only some are compared with, those with one face first.
        references = sorted(range(len(photos)), key=lambda i: (len(rows[i]), i))[:_MOST_REFERENCES]
        counted = np.zeros(len(photos), np.bool_)
        counted[references] = True
        for i, best in enumerate(_best_in_each(rows, references, self.templates)):
            self.support[rows[i]] = self.best_support[rows[i]] = best
            self.pick(int(photos[i]))
        for _ in range(MAX_ROUNDS):
            before = self.face[photos].copy()
            picked = self.templates[before]
            total = picked[references].sum(axis=0)
            for i, own in enumerate(rows):
                others = total - picked[i] if counted[i] else total
                self.support[own] = (
                    self.templates[own] @ others / (len(references) - int(counted[i]))
                )
                self.pick(int(photos[i]))
            if np.array_equal(before, self.face[photos]):
                break

    def avoid_other_people(self, limits: CleaningLimits) -> None:
        """In photos with several faces, replace a pick that is another person of the dataset."""
        several = np.flatnonzero(np.diff(self.starts) > 1)
        sums = np.zeros((int(self.people.max()) + 1, self.templates.shape[1]), np.float32)
        np.add.at(sums, self.people, self.templates[self.face])
        prototypes = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
        for begin in range(0, len(several), _BLOCK):
            block = several[begin : begin + _BLOCK]
            rows = np.concatenate([self.rows(photo) for photo in block])
            owner = np.repeat(self.people[block], np.diff(self.starts)[block])
            similar = self.templates[rows] @ prototypes.T
            similar[np.arange(len(rows)), owner] = -1
            other = np.zeros(len(self.templates), np.float64)
            other[rows] = similar.max(axis=1)
            for photo in block:
                if other[self.face[photo]] <= limits.other_person:
                    continue
                own = self.rows(photo)
                best = self.best_support[own]
                above = other[own] - limits.other_person
                excess = np.maximum(other[own] - best, above / 2)
                penalty = np.where(above > 0, np.clip(excess, 0, None), 0.0)
                # Pick only a face that may be the person: one that is prominent or has support.
                prominent = self.prior[own] >= self.prior[own].max() / 2
                penalty += ~prominent & (best < limits.plausible)
                score = best + self.weight * self.prior[own] - penalty
                self.face[photo] = own[np.argmax(score)]


def _best_in_each(
    rows: Sequence[NDArray[np.int64]], references: Sequence[int], templates: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    """Return, per photo and face, the mean over the other photos of the best cosine there."""
    reference_rows = np.concatenate([rows[i] for i in references])
    offsets = np.cumsum([0] + [len(rows[i]) for i in references])[:-1]
    column = {photo: j for j, photo in enumerate(references)}
    result = []
    for i, own in enumerate(rows):
        best = np.maximum.reduceat(templates[own] @ templates[reference_rows].T, offsets, axis=1)
        if i in column:
            best = np.delete(best, column[i], axis=1)
        result.append(best.mean(axis=1))
    return result
