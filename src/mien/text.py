"""Numbers and counts as text."""

from __future__ import annotations

from math import isnan

from mien.types import Interval


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a count with its unit: 1 photo, 1,234 photos."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(share: float, digits: int = 2) -> str:
    """Return a share as text: 0.98754 → 98.75 %."""
    return "unknown" if isnan(share) else f"{100 * share:.{digits}f}\u00a0%"


def span(interval: Interval, digits: int = 2) -> str:
    """Return the ends of an interval as text: 98.10 to 99.20 %."""
    return f"{100 * interval.low:.{digits}f} to {100 * interval.high:.{digits}f}\u00a0%"
