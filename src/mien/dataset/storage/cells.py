r"""Cells of CSV files: text that a spreadsheet would take for a formula is kept from being one.

A name or a path may begin with `=`, and a spreadsheet that opens the file would run it. Such a text
is written with an apostrophe before it, which marks text in spreadsheets, and read back without.

A control character in a path, which could rewrite what a terminal shows, is written as `\x1b`, and
a backslash that would be read as such as `\x5c`.

Source: OWASP, "CSV Injection".
"""

from __future__ import annotations

import re

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


_TO_ESCAPE = re.compile(r"[\x00-\x1f\x7f-\x9f]|\\(?=x(?:[0189][0-9a-f]|7f|5c))")
_ESCAPED = re.compile(r"\\x([0189][0-9a-f]|7f|5c)")


def to_cell(text: str) -> str:
    """Return a text as it is written."""
    if _FORMULA.match(text):
        text = f"'{text}"
    return _TO_ESCAPE.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def from_cell(cell: str) -> str:
    """Return the text that was written as `cell`."""
    text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), cell)
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
