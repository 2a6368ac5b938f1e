"""Scores counted in bins so fine that rates can be read off them: for pairs too many to keep."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BINS = 1 << 20
"""Bins from -1 to 1: 1.9e-6 wide, of the order of a float32 cosine's own error."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreCounts:
    """How many cosine similarities lie in each bin.

    Attributes:
        counts: (`BINS`,) int64.
    """

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    @property
    def total(self) -> int:
        """How many scores were counted."""
        return int(self.counts.sum())

    def add(self, scores: NDArray[np.float32]) -> None:
        """Count scores of any shape; what lies a rounding error outside [-1, 1] is held inside."""
        self.counts[:] += np.bincount(bin_of(scores).ravel(), minlength=BINS)


def bin_of(scores: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return the bin of each score; it never falls where the score rises."""
    places = (scores + np.float32(1)) * np.float32(BINS / 2)
    bins: NDArray[np.int32] = np.clip(places, 0, BINS - 1).astype(np.int32)
    return bins


def edges() -> NDArray[np.float64]:
    """Return (`BINS`,) the lower edge of each bin."""
    return np.arange(BINS, dtype=np.float64) * (2 / BINS) - 1
