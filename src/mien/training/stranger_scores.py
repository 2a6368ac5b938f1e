"""Stranger similarities for the policy: which people are strangers, and people left out in turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset
from mien.measures.templates import FEW, nearest_few
from mien.names import name_key
from mien.policy import ImpostorHistogram, OwnPeople, Strangers
from mien.training.heads import Recipe
from mien.training.samples import Samples
from mien.types import Progress, silent

_BLOCKS = 3


def stranger_rows(dataset: Dataset, people: Iterable[str]) -> NDArray[np.bool_]:
    """Return which rows of a dataset show strangers to a gallery of `people`, (M,) bool.

    These are the usable photos of people with none of the names; names that differ in case, width
    or Unicode form only are equal.
    """
    known = {name_key(person) for person in people}
    strange = np.array([name_key(person) not in known for person in dataset.people], np.bool_)
    leaks = np.array([entry.leak for entry in dataset.rows], np.bool_)
    mask: NDArray[np.bool_] = strange[dataset.labels] & dataset.usable & ~leaks
    return mask


def possible_duplicates(dataset: Dataset, people: Sequence[str]) -> NDArray[np.bool_]:
    """Return which of `people` may be in the dataset under two names, (P,) bool.

    Left out under one name they are still in the gallery under the other, so they are no strangers.
    """
    pairs = dataset.card.get("same_person", ())
    named = {name_key(name) for pair in pairs for name in pair["people"]}
    return np.array([name_key(person) in named for person in people], np.bool_)


def leave_people_out(
    recipe: Recipe,
    samples: Samples,
    rows: NDArray[np.float32],
    *,
    single: NDArray[np.bool_] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> OwnPeople | None:
    """Search each person in the gallery of the others, trained without that person.

    A prototype does not depend on other people, so leaving a person out is leaving out a row (the
    effect on the shared discount, of order 1/P, is neglected). The rows of a learned head depend
    on all people: there a third of the people at a time is left out, and the head is trained again.

    Args:
        recipe: kind and settings of the head.
        samples: photos of the training side.
        rows: (P, D) float32 unit rows, the head trained on all samples.
        single: (P,) bool, people who are in the gallery under one name only; the others are not
            counted as strangers. All people if None.
        seed: random seed of the blocks.
        progress: called after each block.

    Returns:
        The similarities, or None if there are fewer than two people of one name.
    """
    if samples.people < 2:
        return None
    single = np.ones(samples.people, np.bool_) if single is None else single
    asked = single[samples.labels]
    impostors = ImpostorHistogram()
    weights = np.where(asked, 1 / samples.counts[samples.labels], 0)
    if recipe.kind == "prototype":
        similarity, _ = nearest_few(samples.faces, rows, samples.labels)
        impostors.add(samples.faces, rows, weights, samples.labels)
        searched = samples.people - 1
    else:
        blocks = min(_BLOCKS, samples.people)
        similarity = np.full((len(samples), min(FEW, samples.people - 1)), -2, np.float32)
        block_of = np.random.default_rng(seed).permutation(samples.people) % blocks
        for block in range(blocks):
            gone = block_of == block
            others = recipe.fit(samples.without(gone), seed=seed).rows
            probes = gone[samples.labels]
            found, _ = nearest_few(samples.faces[probes], others)
            similarity[probes, : found.shape[1]] = found
            impostors.add(samples.faces[probes], others, weights[probes])
            progress(block + 1, blocks, "leaving people out")
        searched = samples.people - round(samples.people / blocks)
    if not asked.any():
        return None
    strangers = Strangers(
        similarity[asked],
        weights[asked],
        int(single.sum()),
        searched,
        "this gallery's own people, each left out in turn",
    )
    return OwnPeople(strangers, impostors)
