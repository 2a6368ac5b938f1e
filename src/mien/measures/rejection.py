"""Error against reject: what is gained by refusing the photos of the worst quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mien.measures.intervals import wilson
from mien.types import Interval

REJECTED = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
"""Shares that are refused."""


@dataclass(frozen=True, slots=True)
class RejectPoint:
    """One point of the curve.

    Attributes:
        rejected: share that is refused, those of least quality; all of one quality or none, so
            that it may be less than was asked for.
        quality: least quality that is taken.
        error: error rate of the rest.
    """

    rejected: float
    quality: float
    error: Interval


def error_versus_reject(
    wrong: ArrayLike, quality: ArrayLike, *, shares: tuple[float, ...] = REJECTED
) -> tuple[RejectPoint, ...]:
    """Return the error rate of what is left when the worst are refused.

    A quality that tells errors beforehand makes the curve fall; one that does not leaves it level.

    Args:
        wrong: (N,) bool, whether each comparison or photo came out wrong.
        quality: (N,), of the worse photo where two were compared.
        shares: to refuse, each in [0, 1).

    Raises:
        ValueError: there is nothing, or the lengths differ.

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
        # Photos of one quality stay or go together, whatever their order.
        least = ordered[min(int(share * len(ordered) + 1e-9), len(ordered) - 1)]
        first = int(np.searchsorted(ordered, least, side="left"))
        left = len(ordered) - first
        error = wilson(int(total[-1] - total[first]), left)
        points.append(RejectPoint(first / len(ordered), float(least), error))
    return tuple(points)
