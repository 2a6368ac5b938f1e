"""What a process and its children take of the machine: memory, descriptors, threads."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import fmean

import psutil


@dataclass(frozen=True, slots=True)
class Sample:
    """What they took at one moment.

    Attributes:
        minute: since the start.
        processes: how many.
        rss_mib: resident memory; pages that they share count in each.
        pss_mib: resident memory; pages that they share are divided among them.
        descriptors: open files and sockets.
        threads: of all.
        disk_mib: of the server's data folder and temporary folder.
    """

    minute: float
    processes: int
    rss_mib: float
    pss_mib: float
    descriptors: int
    threads: int
    disk_mib: float


def sample(root: psutil.Process, minute: float, disk: int) -> Sample:
    """Return what a process and its descendants take now."""
    count = rss = pss = descriptors = threads = 0
    for process in (root, *root.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            memory = process.memory_full_info()
            rss, pss = rss + memory.rss, pss + getattr(memory, "pss", memory.rss)
            descriptors += process.num_fds()
            threads += process.num_threads()
            count += 1
    mib = 1 << 20
    return Sample(
        round(minute, 2), count, round(rss / mib, 1), round(pss / mib, 1), descriptors, threads,
        round(disk / mib, 1),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Windows:
    """The second and the last sixth of a run: minutes 10 to 20 and 50 to 60 of an hour."""

    early: Sequence[Sample]
    late: Sequence[Sample]

    @classmethod
    def of(cls, samples: Sequence[Sample], minutes: float) -> Windows:
        """Return the samples in the two windows of a run."""
        sixth = minutes / 6
        return cls(
            [each for each in samples if sixth <= each.minute <= 2 * sixth],
            [each for each in samples if each.minute >= minutes - sixth],
        )

    def growth(self) -> float:
        """Return by which share the mean memory grew; NaN where a window has no sample."""
        if not (self.early and self.late):
            return float("nan")
        before, after = (fmean(s.pss_mib for s in part) for part in (self.early, self.late))
        return after / before - 1

    def more(self, name: str) -> int:
        """Return by how much the largest number of descriptors or threads grew."""
        before, after = (
            max((getattr(s, name) for s in part), default=0) for part in (self.early, self.late)
        )
        return int(after - before)
