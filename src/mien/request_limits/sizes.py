"""How large a request may be."""

from __future__ import annotations

from typing import Final

MAX_BODY: Final = 32 << 20
"""Bytes of a request: 32 MiB; the default of the server."""

MAX_PHOTOS: Final = 32
"""Photos of a request."""

MAX_FIELDS: Final = 100
"""Fields of a form that are no files."""

MAX_FIELD: Final = 64 << 10
"""Bytes of such a field: 64 KiB."""

MAX_NAME: Final = 500
"""Characters of a file's name that are kept; it is a label, never a path."""
