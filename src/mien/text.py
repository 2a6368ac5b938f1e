"""Text for people: numbers with their units, and notices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import Any

from mien.types import Interval


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a user should know of a result, such as too few strangers.

    Attributes:
        code: stable name of what it says.
        text: one or two sentences.
        data: the values in them, as JSON.
    """

    code: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a count with its unit: 1 photo, 1,234 photos."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(share: float, digits: int = 2) -> str:
    """Return a share as text: 0.98754 → 98.75 %."""
    return "unknown" if isnan(share) else f"{100 * share:.{digits}f}\u00a0%"


def span(interval: Interval, digits: int = 2) -> str:
    """Return the ends of an interval as text: 98.10 to 99.20 %."""
    return f"{100 * interval.low:.{digits}f} to {100 * interval.high:.{digits}f}\u00a0%"
