"""Number of usable processor cores."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return the number of cores that this process may use; at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)
    return max(1, len(affinity(0)) if affinity else os.cpu_count() or 1)
