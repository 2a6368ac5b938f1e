"""The environment variables for weights.

``MIEN_HOME`` is the folder of the store, ``MIEN_MODELS`` a folder with copies of weights;
``MIEN_OFFLINE`` forbids network access.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from mien.errors import OutputError


def default_home() -> Path:
    """Return the store's folder: `MIEN_HOME`, or the platform's cache folder for Mien."""
    named = os.environ.get("MIEN_HOME", "")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("mien"))


def mirror_folder() -> Path | None:
    """Return the folder in `MIEN_MODELS`; None where it is not set."""
    named = os.environ.get("MIEN_MODELS", "")
    return Path(named).expanduser() if named else None


def offline() -> bool:
    """Return whether `MIEN_OFFLINE` forbids network access."""
    return os.environ.get("MIEN_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Translate OSError while writing under `folder` into OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write to the model store {folder}: {error.strerror or error}",
            hint="Free some space there, or set MIEN_HOME to a folder that can be written to.",
        ) from error
