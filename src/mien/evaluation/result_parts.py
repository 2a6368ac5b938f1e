"""Parts that evaluation results share: JSON values, and the table that a notebook shows."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from mien.html import tag
from mien.text import percent, span
from mien.types import Interval


def number_or_none(value: float) -> float | None:
    """Return a number for JSON; None where it is unknown (not finite)."""
    return value if isfinite(value) else None


def ends(interval: Interval) -> list[float]:
    """Return the lower and the upper end of an interval."""
    return [interval.low, interval.high]


def rate_with_interval(rate: Interval) -> str:
    """Return a rate and its interval as text: 98.75 % (97.10 to 99.20 %)."""
    return f"{percent(rate.value)} ({span(rate)})"


def html_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table for a notebook; all text is escaped.

    Args:
        title: above the table.
        columns: names of the columns.
        rows: cells in the order of the columns.
    """
    head = tag("tr", [tag("th", name) for name in columns])
    body = [tag("tr", [tag("td", cell) for cell in row]) for row in rows]
    table = tag("table", tag("thead", head), tag("tbody", body))
    return str(tag("div", tag("strong", title), table))


RATE_COLUMNS = ("", "rate", "95 % interval", "measured on")
"""Columns of a table made of `rate_row` rows."""


def rate_row(name: str, rate: Interval, measured_on: str) -> tuple[str, str, str, str]:
    """Return the cells of one rate: name, percent, interval, what it was measured on."""
    return name, percent(rate.value), span(rate), measured_on
