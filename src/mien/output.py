"""Results on disk: a file is written whole or not at all."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from mien.errors import OutputError


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file so that its name holds the old bytes or the new ones, never half.

    Args:
        path: of the file.
        data: all of it.
        private: only its owner may read it.

    Raises:
        OutputError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        mode = 0o600 if private else 0o666  # less what the user's mask takes
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(partial, flags, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise OutputError(
            f"cannot write {path}: {error.strerror}",
            hint="Choose a place in a folder that exists and that you may write to.",
        ) from error
