"""Counts of scores in fine bins, for more pairs than fit into memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BINS = 1 << 20
"""Number of bins from -1 to 1; each is 1.9e-6 wide, near the rounding error of a float32 cosine."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreCounts:
    """Number of cosine similarities per bin.

    Attributes:
        counts: (`BINS`,) int64.
    """

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    @property
    def total(self) -> int:
        """Number of scores counted."""
        return int(self.counts.sum())

    def add(self, scores: NDArray[np.float32]) -> None:
        """Count scores of any shape; scores outside [-1, 1] are clipped."""
        self.counts[:] += np.bincount(bin_of(scores).ravel(), minlength=BINS)


def bin_of(scores: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return the bin of each score; monotone in the score."""
    places = (scores + np.float32(1)) * np.float32(BINS / 2)
    bins: NDArray[np.int32] = np.clip(places, 0, BINS - 1).astype(np.int32)
    return bins


def edges() -> NDArray[np.float64]:
    """Return (`BINS`,) the lower edge of each bin."""
    return np.arange(BINS, dtype=np.float64) * (2 / BINS) - 1
