"""Progress of long work, reported to the caller."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Progress callback of long work; called from one thread at a time.

    `done` of `total` steps of `what` are finished; `total` is None while it is not known.
    """

    def __call__(self, done: int, total: int | None, what: str) -> None:
        """Report the state of the work."""


def silent(done: int, total: int | None, what: str) -> None:
    """No-op progress callback, the default of library calls."""
