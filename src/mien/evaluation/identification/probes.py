"""Probes: faces of a dataset that are searched in the gallery of a head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset, Entry
from mien.evaluation.identification.search import STRANGER, ProbeSearch, search
from mien.names import name_key
from mien.types import Head, Progress, silent


@dataclass(frozen=True, slots=True, eq=False)
class ProbeSet:
    """N faces of a dataset, to be searched in a gallery.

    Attributes:
        source: the dataset.
        records: N entries of the dataset.
        vectors: (N, D) float32 unit rows.
        mates: (N,) int64, index of each face's person in the gallery, or `STRANGER`.
        usable: (N,) bool, False for photos set aside.
    """

    source: Dataset
    records: tuple[Entry, ...]
    vectors: NDArray[np.float32]
    mates: NDArray[np.int64]
    usable: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.records)


def select_probes(faces: Dataset, mask: NDArray[np.bool_], head: Head) -> ProbeSet:
    """Return the faces of a dataset in `mask`, (M,) bool, with their mates in `head`."""
    rows = np.flatnonzero(mask)
    return ProbeSet(
        source=faces,
        records=tuple(faces.rows[row] for row in rows),
        vectors=faces.embeddings[rows],
        mates=gallery_index(faces, head)[faces.labels[rows]],
        usable=faces.usable[rows],
    )


def search_probes(
    head: Head, probes: ProbeSet, progress: Progress = silent, what: str = "searching"
) -> ProbeSearch:
    """Search probes in the gallery of a head."""
    return search(head, probes.vectors, probes.mates, progress=progress, what=what)


def gallery_index(faces: Dataset, head: Head) -> NDArray[np.int64]:
    """Return (people,) int64: index of each person of a dataset in the gallery, or `STRANGER`.

    Names that differ in case, width or Unicode form only are one person.
    """
    place = {name: index for index, name in enumerate(head.people)}
    spelled = {name_key(name): index for name, index in place.items()}
    found = [place.get(name, spelled.get(name_key(name), STRANGER)) for name in faces.people]
    return np.array(found, np.int64)


def best_crops(faces: Dataset, people: set[str]) -> dict[str, NDArray[np.uint8] | None]:
    """Return the crop of best quality per person, preferring photos that are not set aside."""
    best: dict[str, tuple[float, Entry]] = {}
    for entry in faces.rows:
        if entry.person not in people or entry.leak:
            continue
        worth = entry.quality + 10 * entry.used
        if entry.person not in best or worth > best[entry.person][0]:
            best[entry.person] = (worth, entry)
    return {name: faces.crop(entry) for name, (_, entry) in best.items()}
