"""Find doubtful entries: copies, poor pictures, wrong labels, people under two names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.dataset.cleaning.doubts import Doubt, Doubts, Faces
from mien.dataset.cleaning.duplicates import duplicate_groups, find_pairs, redundant_copies
from mien.dataset.cleaning.labels import mislabelled, same_people
from mien.dataset.storage.decisions import Decisions
from mien.policy.similarity_limits import CleaningLimits
from mien.quality import MAX_BLUR, MAX_YAW, MIN_SIZE, faults


def find_doubts(faces: Faces, decisions: Decisions, limits: CleaningLimits | None) -> Doubts:
    """Find copies, poor pictures, wrong labels and people under two names, in this order.

    What an earlier step sets aside is ignored by the later ones. The best picture of a person is
    never set aside for its quality.

    Args:
        faces: the chosen faces.
        decisions: the user's decisions: dropped entries are ignored; kept ones are never doubted
            for their quality or label.
        limits: similarity limits of the embedder; None where it is not calibrated: then only
            identical files and poor pictures are found.
    """
    decided = [decisions.entries.get(name) for name in faces.ids]
    active = np.array([decision != "drop" for decision in decided], np.bool_)
    kept = np.array([decision == "keep" for decision in decided], np.bool_)
    pairs = find_pairs(faces, limits)
    doubts = redundant_copies(faces, pairs, decisions)
    active[list(doubts)] = False
    poor = poor_pictures(faces, active, kept)
    doubts.update(poor)
    active[list(poor)] = False
    if limits is None:
        return Doubts(doubts, duplicate_groups(faces, pairs))
    wrong = mislabelled(faces, active, kept, limits)
    doubts.update(wrong)
    active[list(wrong)] = False
    same = same_people(faces, active, pairs, decisions, limits)
    return Doubts(doubts, duplicate_groups(faces, pairs), same)


def poor_pictures(
    faces: Faces, active: NDArray[np.bool_], kept: NDArray[np.bool_]
) -> dict[int, Doubt]:
    """Return a doubt for each active row that is too small, too blurred or turned too far."""
    small = faces.size < MIN_SIZE
    blurred = faces.blur > MAX_BLUR
    turned = np.abs(faces.yaw) > MAX_YAW
    poor = active & ~kept & (small | blurred | turned)
    for label in np.unique(faces.labels[poor]):
        own = active & (faces.labels == label)
        if not (own & ~poor).any():
            poor[np.flatnonzero(own)[np.argmax(faces.quality[own])]] = False
    doubts = {}
    for row in np.flatnonzero(poor).tolist():
        evidence = faults(faces.size[row], faces.blur[row], faces.yaw[row])
        doubts[row] = Doubt("low-quality", evidence)
    return doubts
