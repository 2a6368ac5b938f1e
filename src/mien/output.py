"""Results on disk: a file is written whole or not at all."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from mien.errors import OutputError


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that its name holds the old bytes or the new ones, never half.

    Raises:
        OutputError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with partial.open("wb") as file:
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
