"""Where Mien keeps weights, and whether it may use the network: the three variables.

``MIEN_HOME`` is the folder of the store, ``MIEN_MODELS`` a folder with copies of weights,
``MIEN_OFFLINE`` forbids the network.
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
    """Return the folder that `MIEN_MODELS` names; None where it is not set."""
    named = os.environ.get("MIEN_MODELS", "")
    return Path(named).expanduser() if named else None


def offline() -> bool:
    """Return whether `MIEN_OFFLINE` forbids the network."""
    return os.environ.get("MIEN_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turn the system's refusals while writing under `folder` into OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write to the model store {folder}: {error.strerror or error}",
            hint="Free some space there, or set MIEN_HOME to a folder that can be written to.",
        ) from error
