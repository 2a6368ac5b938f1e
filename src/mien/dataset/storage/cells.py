"""Cells of CSV files: text that a spreadsheet would take for a formula is kept from being one.

A name or a path may begin with `=`, and a spreadsheet that opens the file would run it. Such a text
is written with an apostrophe before it, which marks text in spreadsheets, and read back without.

Source: OWASP, "CSV Injection".
"""

from __future__ import annotations

import re

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def to_cell(text: str) -> str:
    """Return a text as it is written."""
    return f"'{text}" if _FORMULA.match(text) else text


def from_cell(cell: str) -> str:
    """Return the text that was written as `cell`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
