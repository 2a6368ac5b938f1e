"""Open-set rates over several random draws, with intervals from resampling people.

In each draw a threshold is chosen on some strangers and the rates are measured on others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.measures.intervals import at_least_wilson
from mien.measures.open_set import allowed_false_positives
from mien.types import Interval


@dataclass(frozen=True, slots=True, eq=False)
class SearchedDraw:
    """Similarities of one draw: known people, development strangers, and other strangers.

    Attributes:
        best: (N,) float, similarity of each known person's probe to the most similar person.
        correct: (N,) bool, whether that person is the mate.
        person: (N,) int64 in [0, P), person of each probe.
        development: (A,) float, similarity of each photo of the strangers that the threshold is
            chosen on to the most similar person.
        development_person: (A,) int64 in [0, P), person of each of these photos.
        strangers: (B,) float, the same for the strangers that the FPIR is measured on.
        stranger_person: (B,) int64 in [0, P), person of each of these photos.
    """

    best: NDArray[np.float32]
    correct: NDArray[np.bool_]
    person: NDArray[np.int64]
    development: NDArray[np.float32]
    development_person: NDArray[np.int64]
    strangers: NDArray[np.float32]
    stranger_person: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class OpenSetRates:
    """Open-set rates over several draws.

    Attributes:
        target: FPIR that thresholds were chosen for.
        dir: detection and identification rate at rank 1; FNIR is 1 - DIR.
        fpir: FPIR, measured on strangers that no threshold was chosen on.
        thresholds: lowest, median and highest threshold of the draws.
        strangers: lowest number of people that a threshold was chosen on.
    """

    target: float
    dir: Interval
    fpir: Interval
    thresholds: tuple[float, float, float]
    strangers: int


def open_set_rates(
    draws: Sequence[SearchedDraw],
    people: int,
    target: float,
    *,
    rounds: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> OpenSetRates:
    """Return mean DIR and FPIR over draws, with percentile intervals from resampling people.

    A resample gives each person the same weight in all draws, and chooses each threshold again. An
    interval is at least as wide as Wilson's over the people of one draw.
    Each stranger has the same weight, however many photos show that person.

    Args:
        draws: at least one draw.
        people: P, number of people in all draws.
        target: FPIR to choose thresholds for.
        rounds: number of resamples.
        level: confidence level of the two-sided intervals.
        seed: random seed of the resampling.

    Source: for the rates ISO/IEC 19795-1 and P. Grother et al., NIST IR 8271; for the resampling
    R. M. Bolle et al., "Error analysis of pattern recognition systems: the subsets bootstrap",
    CVIU 93 (2004).
    """
    prepared = [_Prepared(draw, people) for draw in draws]
    thresholds = [draw.rates(np.ones(people), target)[2] for draw in prepared]
    levels = np.quantile(thresholds, [0, 0.5, 1])
    found = _resampled(prepared, people, target, rounds, seed)
    return OpenSetRates(
        target=target,
        dir=at_least_wilson(_interval(found[:, 0], level), _fewest(draw.person for draw in draws)),
        fpir=at_least_wilson(
            _interval(found[:, 1], level), _fewest(draw.stranger_person for draw in draws)
        ),
        thresholds=(float(levels[0]), float(levels[1]), float(levels[2])),
        strangers=min(len(np.unique(draw.development_person)) for draw in draws),
    )


def _fewest(people: Iterable[NDArray[np.int64]]) -> int:
    """Return the lowest number of different people in any of several draws."""
    return min(len(np.unique(one)) for one in people)


def dir_gain_over_people(
    before: Sequence[SearchedDraw],
    after: Sequence[SearchedDraw],
    people: int,
    target: float,
    *,
    rounds: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the gain in mean DIR of one search method over another, with an interval.

    Both methods use the same resamples of people; each chooses its own thresholds for the same
    target. Their FPIR on the other strangers may differ.

    Args:
        before: draws searched with the first method, at least one.
        after: the same draws searched with the second method.
        people: P, number of people in all draws.
        target: FPIR to choose thresholds for.
        rounds: number of resamples.
        level: confidence level of the two-sided interval.
        seed: random seed of the resampling.

    Raises:
        ValueError: the draws are not of the same people's photos.
    """
    for one, other in zip(before, after, strict=True):
        same = np.array_equal(one.person, other.person)
        if not (same and np.array_equal(one.stranger_person, other.stranger_person)):
            raise ValueError("the two methods did not search photos of the same people")
    first, second = (
        _resampled([_Prepared(draw, people) for draw in draws], people, target, rounds, seed)
        for draws in (before, after)
    )
    return _interval(second[:, 0] - first[:, 0], level)


def _resampled(
    prepared: Sequence[_Prepared], people: int, target: float, rounds: int, seed: int
) -> NDArray[np.float64]:
    """Return (1 + rounds, 2) mean DIR and FPIR: of all people, then of each resample."""
    generator = np.random.default_rng(seed)
    found = np.empty((1 + rounds, 2))
    weights = np.ones(people)
    for index in range(1 + rounds):
        # nan if a draw has no person to measure in this resample.
        found[index] = np.mean([draw.rates(weights, target)[:2] for draw in prepared], axis=0)
        chosen = generator.integers(0, people, people)
        weights = np.bincount(chosen, minlength=people).astype(np.float64)
    return found


def _interval(found: NDArray[np.float64], level: float) -> Interval:
    low, high = np.nanquantile(found[1:], [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(found[0]), float(low), float(high), level)


class _Prepared:
    """A draw sorted by descending similarity, with the weight of each photo."""

    def __init__(self, draw: SearchedDraw, people: int) -> None:
        first = np.lexsort((draw.development_person, -draw.development))
        self._development = draw.development[first]
        self._dev_person = draw.development_person[first]
        self._dev_share = _shares(self._dev_person, people)
        second = np.lexsort((draw.stranger_person, -draw.strangers))
        self._strangers = draw.strangers[second]
        self._person = draw.stranger_person[second]
        self._share = _shares(self._person, people)
        third = np.lexsort((draw.person, -draw.best))
        self._best = draw.best[third]
        self._owner = draw.person[third]
        self._correct = draw.correct[third]

    def rates(self, weights: NDArray[np.float64], target: float) -> tuple[float, float, float]:
        """Return DIR, FPIR and threshold, with a weight per person, (P,)."""
        counted = weights[self._dev_person] * self._dev_share
        named = np.cumsum(counted)
        budget = allowed_false_positives(float(named[-1]), target)
        allowed = int(np.searchsorted(named, budget, side="right"))
        # Photos that tie with the first one above the target are not named either.
        cut = self._development[allowed] if allowed < len(named) else np.float32(-2)
        named = np.cumsum(weights[self._person] * self._share)
        count = int(np.searchsorted(-self._strangers, -cut, side="left"))
        own = weights[self._owner]
        if named[-1] <= 0 or own.sum() <= 0:
            return np.nan, np.nan, np.nan
        fpir = named[count - 1] / named[-1] if count else 0.0
        right = int(np.searchsorted(-self._best, -cut, side="left"))
        rate = own[:right][self._correct[:right]].sum() / own.sum()
        return float(rate), float(fpir), float(np.nextafter(cut, np.float32(np.inf)))


def _shares(person: NDArray[np.int64], people: int) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = 1 / np.bincount(person, minlength=people)[person]
    return shares
