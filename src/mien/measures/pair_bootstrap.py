"""Confidence intervals of verification rates, from resampling people.

The vertex bootstrap: people are drawn with replacement, and the weight of a pair is how often its
person was drawn, or the product of both for a pair of two people. A person who looks like many
others thus enters or leaves a resample with all pairs.

Sources: T. Snijders and S. Borgatti, "Non-parametric standard errors and tests for network
statistics", Connections 22 (1999); for biometrics R. M. Bolle et al., "Error analysis of pattern
recognition systems: the subsets bootstrap", CVIU 93 (2004).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.measures.intervals import at_least_wilson
from mien.types import Interval


@dataclass(frozen=True, slots=True, eq=False)
class PairScores:
    """Scores of pairs, and the people they are of.

    Attributes:
        people: P, number of people.
        genuine: (G,) float, scores of pairs of one person.
        genuine_person: (G,) int64 in [0, P), person of each pair.
        impostor: (I,) float, scores of pairs of two people; if `photos` is given, only those of at
            least some score, possibly none.
        impostor_people: (I, 2) int64 in [0, P), people of each pair.
        photos: (P,) int64, number of photos of each person, if every photo was compared with every
            other; None if the scores are complete.
    """

    people: int
    genuine: NDArray[np.float64]
    genuine_person: NDArray[np.int64]
    impostor: NDArray[np.float64]
    impostor_people: NDArray[np.int64]
    photos: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if len(self.genuine) != len(self.genuine_person) or not len(self.genuine):
            raise ValueError(f"{len(self.genuine)} scores, {len(self.genuine_person)} people")
        none = self.photos is None and not len(self.impostor)
        if (len(self.impostor), 2) != self.impostor_people.shape or none:
            raise ValueError(f"{len(self.impostor)} scores, {self.impostor_people.shape} people")


def tar_over_people(
    pairs: PairScores,
    fars: Sequence[float],
    *,
    rounds: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[Interval, ...]:
    """Return the true accept rate at each false accept rate, with percentile intervals.

    Each resample chooses its threshold again, so that the interval covers its uncertainty. It is
    at least as wide as Wilson's over the people with pairs of their own.

    Args:
        pairs: scores; of impostors at least the highest, twice as many as the largest rate accepts.
        fars: false accept rates.
        rounds: number of resamples.
        level: confidence level of the two-sided intervals.
        seed: random seed of the resampling.

    Raises:
        ValueError: there is no score of two people.
    """
    found = _resampled(_ordered(pairs, _ranks(pairs)), fars, rounds, seed)
    people = len(np.unique(pairs.genuine_person))
    return tuple(at_least_wilson(rate, people) for rate in _intervals(found, level))


def tar_gain_over_people(
    before: PairScores,
    after: PairScores,
    fars: Sequence[float],
    *,
    rounds: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[Interval, ...]:
    """Return the gain in true accept rate of one scoring method over another, with intervals.

    Both methods use the same resamples of people; each chooses its own thresholds.

    Args:
        before: pairs scored with the first method.
        after: pairs of the same people, scored with the second method.
        fars: false accept rates.
        rounds: number of resamples.
        level: confidence level of the two-sided intervals.
        seed: random seed of the resampling.

    Raises:
        ValueError: the people or the numbers of their pairs differ, or there is no score of two
            people.
    """
    first_own, second_own = (
        np.bincount(pairs.genuine_person, minlength=pairs.people) for pairs in (before, after)
    )
    if before.people != after.people or not np.array_equal(first_own, second_own):
        raise ValueError("the two methods did not score pairs of the same people")
    ranks = _ranks(before)
    first, second = (
        _resampled(_ordered(pairs, ranks), fars, rounds, seed) for pairs in (before, after)
    )
    return _intervals(second - first, level)


def _resampled(
    pairs: PairScores, fars: Sequence[float], rounds: int, seed: int
) -> NDArray[np.float64]:
    """Return (1 + rounds, F) rates: of all people, then of each resample."""
    if not len(pairs.impostor):
        raise ValueError("there is no score of two people to choose a threshold on")
    draws = (np.ones(pairs.people), *_draws(pairs, rounds, seed))
    return np.array([_tars(pairs, fars, weights) for weights in draws])


def _intervals(found: NDArray[np.float64], level: float) -> tuple[Interval, ...]:
    low, high = np.nanquantile(found[1:], [(1 - level) / 2, (1 + level) / 2], axis=0)
    ends = zip(found[0], low, high, strict=True)
    return tuple(Interval(float(v), float(a), float(b), level) for v, a, b in ends)


def _ranks(pairs: PairScores) -> NDArray[np.int64]:
    """Return (P,) ranks of people that do not depend on names or on the order of photos."""
    first, second = np.argsort(-pairs.genuine), np.argsort(-pairs.impostor)
    own, others = pairs.genuine_person[first], pairs.impostor_people[second]
    worth = np.bincount(own, pairs.genuine[first], pairs.people)
    alike = np.zeros(pairs.people)
    for side in (0, 1):
        alike += np.bincount(others[:, side], pairs.impostor[second], pairs.people)
    photos = np.ones(pairs.people) if pairs.photos is None else pairs.photos
    rank = np.empty(pairs.people, np.int64)
    rank[np.lexsort((alike, worth, photos))] = np.arange(pairs.people)
    return rank


def _ordered(pairs: PairScores, rank: NDArray[np.int64]) -> PairScores:
    """Return the pairs sorted by descending score, with people numbered by rank."""
    first, second = np.argsort(-pairs.genuine), np.argsort(-pairs.impostor)
    own, others = pairs.genuine_person[first], pairs.impostor_people[second]
    return PairScores(
        people=pairs.people,
        genuine=pairs.genuine[first],
        genuine_person=rank[own],
        impostor=pairs.impostor[second],
        impostor_people=rank[others],
        photos=None if pairs.photos is None else pairs.photos[np.argsort(rank)],
    )


def _draws(pairs: PairScores, rounds: int, seed: int) -> Iterator[NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    for _ in range(rounds):
        drawn = generator.integers(0, pairs.people, pairs.people)
        yield np.bincount(drawn, minlength=pairs.people).astype(np.float64)


def _tars(
    pairs: PairScores, fars: Sequence[float], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    own = np.concatenate([[0.0], np.cumsum(weights[pairs.genuine_person])])
    both = np.cumsum(weights[pairs.impostor_people[:, 0]] * weights[pairs.impostor_people[:, 1]])
    total = both[-1]
    if pairs.photos is not None:
        photos = weights * pairs.photos
        total = (photos.sum() ** 2 - (photos**2).sum()) / 2
    if own[-1] <= 0 or total <= 0:
        return np.full(len(fars), np.nan)
    # The threshold is just above the score of the first impostor pair beyond the rate.
    last = np.searchsorted(both, np.asarray(fars) * total * (1 + 1e-12), side="right")
    scores = np.where(last < len(both), pairs.impostor[np.minimum(last, len(both) - 1)], -np.inf)
    accepted = np.searchsorted(-pairs.genuine, -scores, side="left")
    rates: NDArray[np.float64] = own[accepted] / own[-1]
    return rates
