"""Text for people: numbers with their units, and notices."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import Any

from mien.types import Interval

_CONTROLS = [
    code
    for code in (*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
]
"""Control characters, and those that change the direction of the text after them."""

_REMOVED = dict.fromkeys(_CONTROLS)
_REPLACED = dict.fromkeys(_CONTROLS, "\N{REPLACEMENT CHARACTER}")
_ESCAPED = {code: f"\\u{code:04x}" for code in _CONTROLS}


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


def printable(text: str, most: int | None = None) -> str:
    """Return a name or path of a stranger, safe in terminals, logs, tables and pages.

    Args:
        text: any text, also with bytes that are no text (surrogates).
        most: number of characters that are kept; None for all.

    Returns:
        Valid text in normal form C, each control character replaced by U+FFFD.
    """
    valid = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in valid)[:most]


def without_controls(text: str) -> str:
    """Return a text without control characters; line breaks and tabs stay."""
    return text.translate(_REMOVED)


def controls_replaced(text: str) -> str:
    """Return a text with U+FFFD for each control character; line breaks and tabs stay."""
    return text.translate(_REPLACED)


def controls_escaped(json: str) -> str:
    """Return JSON that is equal, with escapes for the control characters that JSON allows."""
    return json.translate(_ESCAPED)
