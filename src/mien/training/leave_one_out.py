"""Leave one out: each photo named by prototypes made of the others."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset
from mien.errors import TooFewPeople
from mien.measures import wilson
from mien.templates import photo_weights, sums_by_person, unit_rows
from mien.training.samples import Samples
from mien.types import Interval, Progress, silent

_NOT_ASKED = frozenset({"dropped", "leak"})


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """How many photos the others name right.

    Attributes:
        correct: photos named right.
        total: photos of people who have another usable one.
        wrong: the others, as their source writes them, each with the name it was given.
    """

    correct: int
    total: int
    wrong: tuple[tuple[str, str], ...]

    @property
    def rate(self) -> Interval:
        """Share named right, with Wilson's interval."""
        return wilson(self.correct, self.total)


def leave_one_out(dataset: Dataset, *, progress: Progress = silent) -> LeaveOneOut:
    """Name each photo by plain prototypes of all other photos, both sides of the split.

    Every photo with a face is asked, those set aside too (save what the user dropped); only used
    ones go into prototypes. A photo's near-duplicates leave with it: they would name it.

    The face asked about is the one the dataset chose as the person, and that choice knew the name
    on the photo: where a photo shows several people the figure says that the right one of them is
    recognised once pointed out, not that it would be picked blindly.

    Args:
        dataset: photos of people.
        progress: told of the photos.

    Raises:
        TooFewPeople: nobody has two usable photos.
    """
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
        if entry.reason in _NOT_ASKED or usable[label] <= np.sum(dataset.usable[alike]):
            continue
        own = unit_rows((sums[label] - leaving)[None])[0]
        scores = rows @ samples.faces[row]
        scores[absent] = -2  # nobody is taken for someone who has no usable photo
        scores[label] = own @ samples.faces[row]
        who = int(np.argmax(scores))
        total += 1
        correct += int(who == label)
        if who != label:
            wrong.append((entry.photo, dataset.people[who]))
    if not total:
        raise TooFewPeople(
            "nobody has two usable photos: none can be left out",
            hint="Add photos of the people, and build the dataset again.",
        )
    return LeaveOneOut(correct, total, tuple(wrong))


def _groups(dataset: Dataset) -> list[NDArray[np.int64]]:
    """Return for each row the rows of its person's near-duplicates of it, its own among them."""
    members: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    keys = [(entry.person, entry.group or entry.id) for entry in dataset.rows]
    for row, key in enumerate(keys):
        members[key].append(row)
    return [np.array(members[key], np.int64) for key in keys]
