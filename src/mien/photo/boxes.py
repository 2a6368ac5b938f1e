"""Checks of a HEIF file's boxes that are necessary before libheif reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ITEM = re.compile(rb"infe(?=\x02.{7}(.{4})|\x03.{9}(.{4}))", re.DOTALL)
"""The entry of an item, up to its type."""

_MAX_BOXES = 1000
"""Largest number of outermost boxes; photos have three or four."""

_MAX_TEXT = 1024
"""Largest length of an item's name and content type, each with its final zero, in bytes."""

_PICTURES = frozenset({b"mdat", b"free", b"skip"})
"""Boxes without entries, whose bytes could look like an entry by chance."""


def check_items(data: bytes) -> None:
    """Raise ValueError for a file with an item whose type is not text.

    pi-heif up to 1.4.0 dereferences a null pointer on such files, which ends the process
    (https://github.com/bigcat88/pillow_heif/pull/478).

    Raises:
        ValueError: an item's type is not text, or there are too many boxes.
    """
    for start, end in _outer_boxes(data):
        for entry in _ITEM.finditer(data, start, end):
            group = 1 if entry.group(1) else 2
            if not _is_text(entry.group(group)):
                raise ValueError("an item's type is not text")
            if entry.group(group) == b"mime":
                _check_content_type(data[entry.end(group) : entry.end(group) + _MAX_TEXT])


def _check_content_type(entry: bytes) -> None:
    name, _, rest = entry.partition(b"\0")
    content_type, end, _ = rest.partition(b"\0")
    if not end or not _is_text(name) or not _is_text(content_type):
        raise ValueError("an item's content type is not text")


def _outer_boxes(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of each outermost box that may have entries."""
    start = 0
    for _ in range(_MAX_BOXES):
        if start + 8 > len(data):
            return
        size = int.from_bytes(data[start : start + 4], "big")
        if size == 1:
            size = int.from_bytes(data[start + 8 : start + 16], "big")
        # Zero means "to the end"; other invalid sizes are treated alike.
        end = start + size if size >= 8 else len(data)
        if data[start + 4 : start + 8] not in _PICTURES:
            yield start, min(end, len(data))
        start = end
    raise ValueError(f"it has more than {_MAX_BOXES} boxes")


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
