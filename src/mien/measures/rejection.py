"""Error-versus-reject curve: the error rate when the photos of lowest quality are rejected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mien.measures.intervals import wilson
from mien.types import Interval

REJECTED = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
"""Shares of comparisons to reject."""


@dataclass(frozen=True, slots=True)
class RejectPoint:
    """One point of the curve.

    Attributes:
        rejected: share that is rejected. Items of equal quality are rejected or kept together, so
            that it may be lower than requested.
        quality: lowest quality that is kept.
        error: error rate of the items that are kept.
    """

    rejected: float
    quality: float
    error: Interval


def error_versus_reject(
    wrong: ArrayLike, quality: ArrayLike, *, shares: tuple[float, ...] = REJECTED
) -> tuple[RejectPoint, ...]:
    """Return the error rate of the items that are kept when those of lowest quality are rejected.

    If the quality predicts errors the curve falls; otherwise it stays level.

    Args:
        wrong: (N,) bool, whether each comparison or photo is an error.
        quality: (N,) quality; of a comparison, that of its worse photo.
        shares: shares to reject, each in [0, 1).

    Raises:
        ValueError: there are no items, or the lengths differ.

    Source: P. Grother and E. Tabassi, "Performance of biometric quality measures", PAMI 29
    (2007); ISO/IEC 29794-1.
    """
    errors, values = np.asarray(wrong, np.bool_), np.asarray(quality, np.float64)
    if errors.shape != values.shape or not errors.size:
        raise ValueError(f"{errors.shape} errors, {values.shape} qualities")
    order = np.argsort(values, kind="stable")
    ordered, total = values[order], np.concatenate([[0], np.cumsum(errors[order])])
    points = []
    for share in shares:
        # Items of equal quality are kept or rejected together, whatever their order.
        least = ordered[min(int(share * len(ordered) + 1e-9), len(ordered) - 1)]
        first = int(np.searchsorted(ordered, least, side="left"))
        left = len(ordered) - first
        error = wilson(int(total[-1] - total[first]), left)
        points.append(RejectPoint(first / len(ordered), float(least), error))
    return tuple(points)
