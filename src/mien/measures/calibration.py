"""Calibration of probabilities: reliability diagram and expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The answers whose probability lies in [low, high); the last bin includes 1.

    Attributes:
        low: lower edge.
        high: upper edge.
        confidence: weighted mean probability of the answers in the bin.
        accuracy: weighted share of them that are right.
        weight: share of the total weight that is in the bin.
        count: number of answers in the bin.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    weight: float
    count: int


def reliability_bins(
    probabilities: ArrayLike,
    correct: ArrayLike,
    *,
    bins: int = 10,
    weights: ArrayLike | None = None,
) -> tuple[ReliabilityBin, ...]:
    """Return the non-empty bins of a reliability diagram, lowest first.

    Args:
        probabilities: (N,) in [0, 1].
        correct: (N,) bool, whether the answer is right.
        bins: number of bins of equal width.
        weights: (N,) weight of each answer; equal if None. Weights can give known people and
            strangers the same total weight.

    Raises:
        ValueError: there is no answer, shapes differ, or a value is out of range.

    Source: M. H. DeGroot and S. E. Fienberg, "The comparison and evaluation of forecasters",
    The Statistician 32 (1983).
    """
    values, truth = np.asarray(probabilities, np.float64), np.asarray(correct, np.float64)
    shares = np.ones_like(values) if weights is None else np.asarray(weights, np.float64)
    if not values.shape == truth.shape == shares.shape or not values.size:
        raise ValueError(f"{values.shape} probabilities, {truth.shape} answers")
    if np.any((values < 0) | (values > 1) | ~np.isfinite(values)):
        raise ValueError("a probability must lie between 0 and 1")
    if np.any(shares < 0) or not shares.sum() > 0:
        raise ValueError("weights must be at least 0, and not all 0")
    index = np.minimum((values * bins).astype(np.int64), bins - 1)
    total = _sums(index, shares, bins)
    confidence = _sums(index, shares * values, bins)
    accuracy = _sums(index, shares * truth, bins)
    count = np.bincount(index, minlength=bins)
    return tuple(
        ReliabilityBin(
            low=i / bins,
            high=(i + 1) / bins,
            confidence=float(confidence[i] / total[i]),
            accuracy=float(accuracy[i] / total[i]),
            weight=float(total[i] / total.sum()),
            count=int(count[i]),
        )
        for i in range(bins)
        if total[i] > 0
    )


def expected_calibration_error(
    probabilities: ArrayLike,
    correct: ArrayLike,
    *,
    bins: int = 10,
    weights: ArrayLike | None = None,
) -> float:
    """Return the expected calibration error (ECE), in [0, 1]; 0 is perfect calibration.

    It is the mean absolute gap between confidence and accuracy over the reliability bins, weighted
    by the bins. Arguments as for `reliability_bins`.

    Source: M. P. Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning",
    AAAI 2015; C. Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    found = reliability_bins(probabilities, correct, bins=bins, weights=weights)
    return float(sum(b.weight * abs(b.confidence - b.accuracy) for b in found))


def _sums(index: NDArray[np.int64], values: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    return np.bincount(index, weights=values, minlength=bins).astype(np.float64)
