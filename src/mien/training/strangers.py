"""This gallery's own people, each left out in turn: strangers to calibrate on."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mien.policy import Strangers
from mien.templates import nearest
from mien.training.heads import Recipe
from mien.training.samples import Samples
from mien.types import Progress, silent

_BLOCKS = 3


def left_out(
    recipe: Recipe,
    samples: Samples,
    rows: NDArray[np.float32],
    *,
    doubled: Iterable[int] = (),
    seed: int = 0,
    progress: Progress = silent,
) -> Strangers | None:
    """Search each person among the others, who were learned without that person.

    A prototype does not depend on the other people, so that leaving one out is leaving out a row
    (the shared discount moves by a P-th part, which is neglected). The rows of a learned head
    have been pushed away from everybody in the gallery: there blocks of a third of the people are
    left out, and the head learned again.

    Args:
        recipe: how the head is made.
        samples: the training side.
        rows: (P, D) the head made of all of it.
        doubled: people who may be in the gallery under a second name as well; no strangers.
        seed: of the blocks.
        progress: told of the blocks.

    Returns:
        The strangers, or None where there are no two people.
    """
    if samples.people < 2:
        return None
    single = np.ones(samples.people, np.bool_)
    single[list(doubled)] = False
    asked = single[samples.labels]
    similarity = np.empty(len(samples), np.float32)
    if recipe.kind == "prototype":
        similarity, _ = nearest(samples.faces, rows, samples.labels)
        searched = samples.people - 1
    else:
        blocks = min(_BLOCKS, samples.people)
        block_of = np.random.default_rng(seed).permutation(samples.people) % blocks
        for block in range(blocks):
            gone = block_of == block
            others = recipe.fit(samples.without(gone), seed=seed).rows
            probes = gone[samples.labels]
            similarity[probes], _ = nearest(samples.faces[probes], others)
            progress(block + 1, blocks, "leaving people out")
        searched = samples.people - round(samples.people / blocks)
    if not asked.any():
        return None
    weights = 1 / samples.counts[samples.labels]
    return Strangers(
        similarity[asked],
        weights[asked],
        int(single.sum()),
        searched,
        "this gallery's own people, each left out in turn",
    )
