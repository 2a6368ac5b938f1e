"""How good a face's picture is: its size, blur and turn, each a number, and the three in one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOSE_DEPTH = 1.1
"""How far the nose's tip stands out from the line of the eyes, in half eye distances."""

HALF_SIZE = 12.0
"""Pixels between the eyes at which size alone halves the quality: the crop then triples them."""

SHARPNESS = 0.02
"""Laplacian energy over grey variance at which a crop counts as half blurred."""


LEAST_SIZE, MOST_BLUR, MOST_YAW = 10.0, 0.9, 65.0
"""A face under this many pixels between the eyes, or beyond this blur or turn, is poor."""


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality of one face's picture.

    Attributes:
        size: pixels of the full photo between the eyes' centres.
        blur: in [0, 1]; 0 is sharp. 1 / (1 + e / SHARPNESS) with e the variance of the aligned
            crop's Laplacian over the variance of its grey values, so that contrast cancels out.
        yaw: degrees that the head is turned to its left (positive) or right.
        overall: product of size² / (size² + HALF_SIZE²), 1 - blur² and cos(yaw), in [0, 1].
    """

    size: float
    blur: float
    yaw: float
    overall: float


def measure(points: NDArray[np.float32], crop: NDArray[np.uint8], *, scale: float = 1.0) -> Quality:
    """Measure one face.

    Args:
        points: (5, 2) float32 in pixels of the photo as it was read.
        crop: (112, 112, 3) uint8 RGB, aligned.
        scale: side of the photo as read over the side of the full photo.
    """
    across = points[1].astype(np.float64) - points[0]
    distance = float(np.hypot(*across))
    size = distance / scale
    blur = _blur(crop)
    yaw = _yaw(points.astype(np.float64), across, distance)
    near = size**2 / (size**2 + HALF_SIZE**2)
    return Quality(size, blur, yaw, near * (1 - blur**2) * max(0.0, float(np.cos(np.radians(yaw)))))


def faults(size: float, blur: float, yaw: float) -> str:
    """Return what makes a picture a poor one, in words; empty where nothing does."""
    why = []
    if size < LEAST_SIZE:
        why.append(f"{size:.0f} pixels between the eyes, least {LEAST_SIZE:.0f}")
    if blur > MOST_BLUR:
        why.append(f"blur {blur:.2f}, most {MOST_BLUR}")
    if abs(yaw) > MOST_YAW:
        why.append(f"turned {abs(yaw):.0f}°, most {MOST_YAW:.0f}°")
    return "; ".join(why)


def _blur(crop: NDArray[np.uint8]) -> float:
    grey = crop.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    inner = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    energy = float(np.var(around - 4 * inner)) / (float(np.var(inner)) + 1.0)
    return 1 / (1 + energy / SHARPNESS)


def _yaw(points: NDArray[np.float64], across: NDArray[np.float64], distance: float) -> float:
    """Turn of a head whose nose stands out `NOSE_DEPTH`: tan(yaw) = shift / (half · depth)."""
    if distance <= 0:
        return 90.0
    middle = (points[0] + points[1]) / 2
    shift = float((points[2] - middle) @ across) / distance
    return float(np.degrees(np.arctan2(shift, NOSE_DEPTH * distance / 2)))
