"""Open-set rates with a threshold from one half of the strangers, and intervals over people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.types import Interval


@dataclass(frozen=True, slots=True, eq=False)
class SearchedDraw:
    """What one draw found, with strangers to choose a threshold on and others to measure on.

    Attributes:
        best: (N,) float, similarity of each known person's probe to the nearest person.
        correct: (N,) bool, whether that is the right one.
        person: (N,) int64 in [0, P), whose probe it is.
        development: (A,) float, similarity of strangers to the nearest person, to choose on.
        development_person: (A,) int64 in [0, P).
        strangers: (B,) float, of other strangers, to measure on.
        stranger_person: (B,) int64 in [0, P).
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
        fpir: measured on strangers that no threshold was chosen on.
        thresholds: lowest, middle and highest that were chosen.
        strangers: fewest people that a threshold was chosen on.
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
    """Return mean DIR and FPIR over draws, with percentile intervals that resample people.

    In each resample a person counts as often as drawn, in all draws alike, and every threshold
    is chosen anew. Each stranger weighs one, whatever the number of their photos.

    Args:
        draws: at least one.
        people: P, of all draws.
        target: FPIR to choose thresholds for.
        rounds: number of resamples.
        level: confidence of the two-sided interval.
        seed: of the resampling.

    Source: of the rates ISO/IEC 19795-1 and P. Grother et al., NIST IR 8271; of the resampling
    R. M. Bolle et al., "Error analysis of pattern recognition systems: the subsets bootstrap",
    CVIU 93 (2004).
    """
    prepared = [_Prepared(draw, people) for draw in draws]
    thresholds = [draw.rates(np.ones(people), target)[2] for draw in prepared]
    levels = np.quantile(thresholds, [0, 0.5, 1])
    found = _redrawn(prepared, people, target, rounds, seed)
    return OpenSetRates(
        target=target,
        dir=_interval(found[:, 0], level),
        fpir=_interval(found[:, 1], level),
        thresholds=(float(levels[0]), float(levels[1]), float(levels[2])),
        strangers=min(len(np.unique(draw.development_person)) for draw in draws),
    )


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
    """Return by how much mean DIR rises from one way of searching to another.

    Both see the same people redrawn, and each chooses its thresholds anew for the same target; the
    FPIR that they have on the other strangers may differ.

    Args:
        before: draws searched in one way, at least one.
        after: the same draws in another.
        people: as the rest, see `open_set_rates`.
        target: FPIR to choose thresholds for.
        rounds: number of resamples.
        level: confidence of the two-sided interval.
        seed: of the resampling.

    Raises:
        ValueError: the draws are not of the same people's photos.
    """
    for one, other in zip(before, after, strict=True):
        same = np.array_equal(one.person, other.person)
        if not (same and np.array_equal(one.stranger_person, other.stranger_person)):
            raise ValueError("the two ways did not search the same people's photos")
    first, second = (
        _redrawn([_Prepared(draw, people) for draw in draws], people, target, rounds, seed)
        for draws in (before, after)
    )
    return _interval(second[:, 0] - first[:, 0], level)


def _redrawn(
    prepared: Sequence[_Prepared], people: int, target: float, rounds: int, seed: int
) -> NDArray[np.float64]:
    """Return (1 + rounds, 2) mean DIR and FPIR: with everybody once, and with people redrawn."""
    generator = np.random.default_rng(seed)
    found = np.empty((1 + rounds, 2))
    weights = np.ones(people)
    for index in range(1 + rounds):
        # A resample in which a draw has nobody to measure says nothing.
        found[index] = np.mean([draw.rates(weights, target)[:2] for draw in prepared], axis=0)
        chosen = generator.integers(0, people, people)
        weights = np.bincount(chosen, minlength=people).astype(np.float64)
    return found


def _interval(found: NDArray[np.float64], level: float) -> Interval:
    low, high = np.nanquantile(found[1:], [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(found[0]), float(low), float(high), level)


class _Prepared:
    """A draw in falling order of similarity, each photo with its share of its person."""

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
        """Return DIR, FPIR and threshold where each person counts `weights` ((P,)) times."""
        counted = weights[self._dev_person] * self._dev_share
        named = np.cumsum(counted)
        allowed = int(np.searchsorted(named, target * named[-1] + 1e-9, side="right"))
        # Those who are as similar as the first one too many are not named either.
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
