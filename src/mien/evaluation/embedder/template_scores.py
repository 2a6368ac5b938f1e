"""Genuine and impostor comparisons: single photos against templates of other photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.measures.templates import both_views, unit_rows
from mien.types import Interval, Progress

PROBES = 3
"""Photos of a person that are compared, at most: people with many do not outweigh the others."""

MOST_PEOPLE = 4000
"""People whose photos are compared with all people's templates, at most."""

BINS = 4000
"""Bins from -1 to 1 that impostor similarities are counted in: 5e-4 wide."""

_ROUNDS = 200


@dataclass(frozen=True, slots=True, eq=False)
class PhotosByPerson:
    """N photos, each person's in a random order, one person after another.

    Attributes:
        faces: (N, D) float32 unit rows, of the crops.
        views: (N, D) float32 unit rows: each photo's mean of crop and mirrored crop.
        starts: (P + 1,) int64: person p has the rows starts[p] to starts[p + 1].
    """

    faces: NDArray[np.float32]
    views: NDArray[np.float32]
    starts: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        faces: NDArray[np.float32],
        mirrored: NDArray[np.float32],
        labels: NDArray[np.int64],
        generator: np.random.Generator,
    ) -> PhotosByPerson:
        """Return photos in the order of their people, shuffled within each."""
        order = generator.permutation(len(labels))
        order = order[np.argsort(labels[order], kind="stable")]
        starts = np.flatnonzero(np.diff(labels[order], prepend=-1, append=-1))
        views = both_views(faces[order], mirrored[order])
        return cls(faces[order], views, starts.astype(np.int64))

    @property
    def counts(self) -> NDArray[np.int64]:
        """(P,) number of photos of each person."""
        return np.diff(self.starts)


@dataclass(frozen=True, slots=True, eq=False)
class Genuine:
    """Similarities of photos to templates of other photos of the same person.

    Attributes:
        scores: (S,) float64.
        people: (S,) int64.
        weights: (S,) float64; those of one person add up to 1.
    """

    scores: NDArray[np.float64]
    people: NDArray[np.int64]
    weights: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Impostors:
    """Similarities of photos to templates of other people, counted.

    Attributes:
        counts: (P, `BINS`) int32, one row per person of the probes.
    """

    counts: NDArray[np.int32 | np.int64]

    @property
    def total(self) -> int:
        """Number of comparisons."""
        return int(self.counts.sum(dtype=np.int64))

    def together(self) -> Impostors:
        """Return it with all people in one row."""
        return Impostors(self.counts.sum(axis=0, keepdims=True, dtype=np.int64))


def genuine(photos: PhotosByPerson, size: int, generator: np.random.Generator) -> Genuine:
    """Compare up to `PROBES` photos of each person with templates of `size` other photos."""
    scores, people, weights = [], [], []
    for person in np.flatnonzero(photos.counts > size):
        start, end = photos.starts[person : person + 2]
        probes = range(start, min(end, start + PROBES))
        for probe in probes:
            others = np.delete(np.arange(start, end), probe - start)
            template = photos.views[generator.permutation(others)[:size]].sum(axis=0)
            scores.append(float(photos.faces[probe] @ template / np.linalg.norm(template)))
            people.append(int(person))
            weights.append(1 / len(probes))
    return Genuine(np.array(scores), np.array(people, np.int64), np.array(weights))


def impostors(
    photos: PhotosByPerson, size: int, generator: np.random.Generator, progress: Progress
) -> Impostors:
    """Compare up to `PROBES` photos of each person with every other person's template of `size`."""
    enrolled = np.flatnonzero(photos.counts >= size)
    sums = [photos.views[s : s + size].sum(axis=0) for s in photos.starts[enrolled]]
    templates = unit_rows(np.stack(sums)).astype(np.float32)
    asked = np.sort(generator.permutation(len(photos.counts))[:MOST_PEOPLE])
    counts = np.zeros((len(asked), BINS), np.int32)
    for row, person in enumerate(asked):
        start, end = photos.starts[person : person + 2]
        similar = photos.faces[start : min(end, start + PROBES)] @ templates.T
        others = similar[:, enrolled != person]
        bins = np.clip(((others + 1) * (BINS / 2)).astype(np.int64), 0, BINS - 1)
        counts[row] = np.bincount(bins.ravel(), minlength=BINS)
        progress(row + 1, len(asked), f"comparing strangers, templates of {size}")
    return Impostors(counts)


def reached(
    counts: NDArray[np.floating[Any] | np.integer[Any]], rates: Sequence[float]
) -> NDArray[np.float64]:
    """Return the similarity that each share of counted comparisons reaches.

    Args:
        counts: (..., `BINS`) comparisons per bin, or their sums in redrawn samples.
        rates: (R,) shares.

    Returns:
        (..., R) float64.
    """
    edges = np.arange(BINS + 1) * (2 / BINS) - 1
    above = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1].astype(np.float64)
    share = np.concatenate([above, np.zeros((*above.shape[:-1], 1))], axis=-1)
    share /= share[..., :1]
    flat = share.reshape(-1, BINS + 1)
    found = [np.interp(-np.asarray(rates), -row, edges) for row in flat]
    return np.stack(found).reshape(*share.shape[:-1], len(rates))


def below(scores: Genuine, rates: Sequence[float]) -> NDArray[np.float64]:
    """Return (R,) the similarity that each share of genuine comparisons stays below."""
    return _weighted(scores.scores, scores.weights, rates)


def reached_intervals(
    found: Impostors, rates: Sequence[float], generator: np.random.Generator
) -> tuple[Interval, ...]:
    """Return 95 % intervals of `reached`, the people of the probes redrawn."""
    size = len(found.counts)
    drawn = generator.multinomial(size, np.full(size, 1 / size), _ROUNDS)
    counts = found.counts.astype(np.float64)
    return _intervals(reached(counts.sum(axis=0), rates), reached(drawn @ counts, rates))


def below_intervals(
    scores: Genuine, rates: Sequence[float], generator: np.random.Generator
) -> tuple[Interval, ...]:
    """Return 95 % intervals of `below`, people redrawn."""
    people, rows = np.unique(scores.people, return_inverse=True)
    size = len(people)
    drawn = generator.multinomial(size, np.full(size, 1 / size), _ROUNDS)
    redrawn = [_weighted(scores.scores, scores.weights * times[rows], rates) for times in drawn]
    return _intervals(below(scores, rates), np.stack(redrawn))


def _weighted(
    scores: NDArray[np.float64], weights: NDArray[np.float64], rates: Sequence[float]
) -> NDArray[np.float64]:
    order = np.argsort(scores)
    shares = np.cumsum(weights[order])
    places = np.searchsorted(shares, np.asarray(rates) * shares[-1])
    result: NDArray[np.float64] = scores[order][np.minimum(places, len(order) - 1)]
    return result


def _intervals(values: NDArray[np.float64], redrawn: NDArray[np.float64]) -> tuple[Interval, ...]:
    low, high = np.quantile(redrawn, [0.025, 0.975], axis=0)
    return tuple(
        Interval(float(value), float(lower), float(upper))
        for value, lower, upper in zip(values, low, high, strict=True)
    )
