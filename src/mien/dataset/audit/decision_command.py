"""A decision as a line for a shell, to copy from the pages that show what is doubtful."""

from __future__ import annotations

import shlex
from pathlib import Path


def decision_command(folder: Path, verb: str, *names: str) -> str:
    """Return the command that takes a decision: keep, drop, same or different.

    Args:
        folder: of the dataset.
        verb: the decision.
        names: ids of entries, or the names of two people.
    """
    return shlex.join(["mien", "dataset", verb, str(folder), *names])
