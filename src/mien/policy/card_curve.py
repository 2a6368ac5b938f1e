"""The false positives that the embedder's card predicts for one gallery."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from mien.models.statistics import ImpostorStatistics
from mien.policy.own_people import Shift
from mien.types import Interval

_STEP = 5e-4


@dataclass(frozen=True, eq=False)
class CardCurve:
    """How often a stranger reaches a similarity to anyone in a gallery, by the card.

    Attributes:
        statistics: impostor statistics on the embedder's card.
        counts: (P,) int64, number of photos of each prototype.
        shift: how much more alike the gallery's own people look than the card's strangers.
    """

    statistics: ImpostorStatistics
    counts: NDArray[np.int64]
    shift: Shift

    def rates(self, similarities: NDArray[np.floating], by: float = 0.0) -> NDArray[np.float64]:
        """Return the FPIR at each similarity, with the curve moved by its shift and `by`."""
        moved = np.asarray(similarities, np.float64) - self.shift.value - by
        return self.statistics.false_positive_rates(moved, self.counts)

    def interval(self, threshold: float) -> Interval:
        """Return the FPIR at a threshold; its interval covers what is not known of the shift."""
        spread = NormalDist().inv_cdf(0.975) * self.shift.deviation
        at = np.array([threshold])
        value, low, high = (float(self.rates(at, by)[0]) for by in (0.0, -spread, spread))
        return Interval(value, low, high)

    def threshold(self, rate: float, confidence: float | None = None) -> float:
        """Return the lowest threshold at which the rate holds.

        It is that of the card's lowest rate where the card does not reach the rate.

        Args:
            rate: FPIR requested.
            confidence: that the rate holds for this gallery; None for the rate on average.
        """
        spare = 0.0
        if confidence is not None:
            spare = NormalDist().inv_cdf(confidence) * self.shift.deviation
        allowed = self._rates_of_card <= rate + 1e-12
        at = int(np.argmax(allowed)) if allowed[-1] else -1
        return float(np.float32(self._similarities[at] + self.shift.value + spare))

    @property
    def lowest_rate(self) -> float:
        """The lowest rate that the card states for a gallery of this size."""
        return float(self._rates_of_card[-1])

    @cached_property
    def _similarities(self) -> NDArray[np.float64]:
        last = max(row[-1] for row in self.statistics.similarity)
        return np.arange(self.statistics.similarity[0][0], last + _STEP, _STEP)

    @cached_property
    def _rates_of_card(self) -> NDArray[np.float64]:
        return self.statistics.false_positive_rates(self._similarities, self.counts)
