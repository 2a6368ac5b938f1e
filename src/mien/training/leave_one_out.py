"""Leave-one-out identification: each photo is named by prototypes of all others."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset
from mien.dataset.storage.dataset_argument import DatasetOrPath, open_dataset
from mien.errors import TooFewPeople
from mien.html import facts_table
from mien.measures import wilson
from mien.measures.templates import photo_weights, sums_by_person, unit_rows
from mien.text import count, percent, span
from mien.training.samples import Samples
from mien.types import Interval, Progress, silent

_EXCLUDED = frozenset({"dropped", "leak"})


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """Result of leave-one-out identification.

    Attributes:
        correct: number of photos identified correctly.
        total: number of photos that were identified: their person has another usable photo.
        wrong: the other photos, as (path in the source, name given).
    """

    correct: int
    total: int
    wrong: tuple[tuple[str, str], ...]

    @property
    def rate(self) -> Interval:
        """Share of photos identified correctly, with Wilson's interval."""
        return wilson(self.correct, self.total)

    def to_dict(self) -> dict[str, Any]:
        """Return what `mien train --leave-one-out --json` prints."""
        wrong = [photo for photo, _ in self.wrong]
        return {"correct": self.correct, "total": self.total, "wrong": wrong}

    def __repr__(self) -> str:
        return f"<LeaveOneOut {self.correct:,} of {self.total:,} photos named right>"

    def _repr_html_(self) -> str:
        facts = [
            ("named right", f"{self.correct:,} of {count(self.total, 'photo')}"),
            ("rate", f"{percent(self.rate.value)} ({span(self.rate)})"),
        ]
        return str(facts_table("Leave one out", facts))


def leave_one_out(dataset: DatasetOrPath, *, progress: Progress = silent) -> LeaveOneOut:
    """Identify each photo by plain prototypes of all other photos: `mien train --leave-one-out`.

    Both sides of the split are used. Every photo with a face is identified, including those set
    aside (but not those that the user dropped); prototypes are made of used photos only. The
    near-duplicates of a photo are left out with it.

    In a photo of several people the face is the one that the dataset chose as the person, and that
    choice used the label. The rate therefore does not cover choosing the face.

    Args:
        dataset: photos of people: a dataset, or its folder.
        progress: called after each photo.

    Raises:
        NotADataset: the folder holds no dataset.
        TooFewPeople: no person has two usable photos.
    """
    dataset = open_dataset(dataset)
    weights = np.where(dataset.usable, photo_weights(dataset.quality), 0)
    samples = Samples(
        dataset.embeddings,
        dataset.mirrored,
        weights.astype(np.float32),
        dataset.labels,
        len(dataset.people),
    )
    means = samples.means
    sums = sums_by_person(means, samples.weights, samples.labels, samples.people)
    rows = unit_rows(sums).astype(np.float32)
    absent = ~sums.any(axis=1)
    usable = np.bincount(samples.labels[dataset.usable], minlength=samples.people)
    correct, total, wrong = 0, 0, []
    for row, alike in enumerate(_groups(dataset)):
        progress(row + 1, len(samples), "leaving photos out")
        entry, label = dataset.rows[row], samples.labels[row]
        leaving = samples.weights[alike].astype(np.float64) @ means[alike]
        if entry.reason in _EXCLUDED or usable[label] <= np.sum(dataset.usable[alike]):
            continue
        own = unit_rows((sums[label] - leaving)[None])[0]
        scores = rows @ samples.faces[row]
        scores[absent] = -2  # people without a usable photo have no prototype
        scores[label] = own @ samples.faces[row]
        who = int(np.argmax(scores))
        total += 1
        correct += int(who == label)
        if who != label:
            wrong.append((entry.photo, dataset.people[who]))
    if not total:
        raise TooFewPeople(
            "no person has two usable photos: none can be left out",
            hint="Add photos of the people, and build the dataset again.",
        )
    return LeaveOneOut(correct, total, tuple(wrong))


def _groups(dataset: Dataset) -> list[NDArray[np.int64]]:
    """Return, per row, the rows of the same person's near-duplicates, including the row itself."""
    members: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    keys = [(entry.person, entry.group or entry.id) for entry in dataset.rows]
    for row, key in enumerate(keys):
        members[key].append(row)
    return [np.array(members[key], np.int64) for key in keys]
