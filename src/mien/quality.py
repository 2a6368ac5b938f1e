"""Quality of a face sample: size, blur and yaw, and one number that combines them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOSE_DEPTH = 1.1
"""Distance of the nose's tip from the line between the eyes, in half eye distances."""

HALF_SIZE = 12.0
"""Pixels between the eyes at which size alone halves the quality: the crop enlarges three times."""

HALF_BLUR = 0.02
"""Variance of the Laplacian over variance of the grey values at which `Quality.blur` is 0.5."""

MIN_SIZE, MAX_BLUR, MAX_YAW = 10.0, 0.9, 65.0
"""A face sample with a smaller eye distance in pixels, more blur or a larger yaw is poor."""


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality of one face sample.

    Attributes:
        size: distance between the eyes' centres in pixels of the full photo.
        blur: in [0, 1]; 0 is sharp. 1 / (1 + e / HALF_BLUR) with e the variance of the aligned
            crop's Laplacian over the variance of its grey values, so that contrast cancels out.
        yaw: degrees that the head is turned to its left (positive) or right (negative).
        overall: product of size² / (size² + HALF_SIZE²), 1 - blur² and cos(yaw), in [0, 1];
            1 is best.
    """

    size: float
    blur: float
    yaw: float
    overall: float


def measure(points: NDArray[np.float32], crop: NDArray[np.uint8], *, scale: float = 1.0) -> Quality:
    """Measure the quality of one face sample.

    Args:
        points: (5, 2) float32 in pixels of the decoded photo, in the order of `POINT_NAMES`.
        crop: (112, 112, 3) uint8 RGB, aligned.
        scale: side of the decoded photo over the side of the full photo.
    """
    across = points[1].astype(np.float64) - points[0]
    distance = float(np.hypot(*across))
    size = distance / scale
    blur = _blur(crop)
    yaw = _yaw(points.astype(np.float64), across, distance)
    near = size**2 / (size**2 + HALF_SIZE**2)
    return Quality(size, blur, yaw, near * (1 - blur**2) * max(0.0, float(np.cos(np.radians(yaw)))))


def faults(size: float, blur: float, yaw: float) -> str:
    """Return why a face sample is poor, in words; empty where it is not."""
    reasons = []
    if size < MIN_SIZE:
        reasons.append(f"{size:.0f} pixels between the eyes, least {MIN_SIZE:.0f}")
    if blur > MAX_BLUR:
        reasons.append(f"blur {blur:.2f}, most {MAX_BLUR}")
    if abs(yaw) > MAX_YAW:
        reasons.append(f"turned {abs(yaw):.0f}°, most {MAX_YAW:.0f}°")
    return "; ".join(reasons)


def _blur(crop: NDArray[np.uint8]) -> float:
    grey = crop.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    inner = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    energy = float(np.var(around - 4 * inner)) / (float(np.var(inner)) + 1.0)
    return 1 / (1 + energy / HALF_BLUR)


def _yaw(points: NDArray[np.float64], across: NDArray[np.float64], distance: float) -> float:
    """Estimate the yaw in degrees from the nose's shift between the eyes.

    tan(yaw) = shift / (half eye distance · `NOSE_DEPTH`).
    """
    if distance <= 0:
        return 90.0
    middle = (points[0] + points[1]) / 2
    shift = float((points[2] - middle) @ across) / distance
    return float(np.degrees(np.arctan2(shift, NOSE_DEPTH * distance / 2)))
