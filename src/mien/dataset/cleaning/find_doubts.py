"""What is doubtful in a dataset, each with its evidence. Nothing is deleted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.dataset.cleaning.doubts import Doubt, Doubts, Faces
from mien.dataset.cleaning.duplicates import find_pairs, groups_of, surplus
from mien.dataset.cleaning.labels import mislabelled, same_people
from mien.dataset.storage.decisions import Decisions
from mien.policy.similarity_limits import CleaningLimits
from mien.quality import LEAST_SIZE, MOST_BLUR, MOST_YAW, faults


def clean(faces: Faces, decisions: Decisions, limits: CleaningLimits | None) -> Doubts:
    """Look for copies, poor pictures, wrong labels and people with two names, in this order.

    What an earlier step sets aside does not speak in a later one. A person does not lose their
    last picture to its quality.

    Args:
        faces: the chosen faces.
        decisions: the user's: what is dropped does not speak, what is kept is never doubted
            for its label.
        limits: of the embedder; None where they are not calibrated: then only photos of the same
            bytes and poor pictures are found.
    """
    verdicts = [decisions.entries.get(name) for name in faces.ids]
    active = np.array([verdict != "drop" for verdict in verdicts], np.bool_)
    kept = np.array([verdict == "keep" for verdict in verdicts], np.bool_)
    pairs = find_pairs(faces, limits)
    doubts = surplus(faces, pairs, decisions)
    active[list(doubts)] = False
    poor = poor_pictures(faces, active, kept)
    doubts.update(poor)
    active[list(poor)] = False
    if limits is None:
        return Doubts(doubts, groups_of(faces, pairs))
    wrong = mislabelled(faces, active, kept, limits)
    doubts.update(wrong)
    active[list(wrong)] = False
    same = same_people(faces, active, pairs, decisions, limits)
    return Doubts(doubts, groups_of(faces, pairs), same)


def poor_pictures(
    faces: Faces, active: NDArray[np.bool_], kept: NDArray[np.bool_]
) -> dict[int, Doubt]:
    """Return a doubt for each active row that is too small, too blurred or turned too far."""
    small = faces.size < LEAST_SIZE
    blurred = faces.blur > MOST_BLUR
    turned = np.abs(faces.yaw) > MOST_YAW
    poor = active & ~kept & (small | blurred | turned)
    for label in np.unique(faces.labels[poor]):
        own = active & (faces.labels == label)
        if not (own & ~poor).any():
            poor[np.flatnonzero(own)[np.argmax(faces.quality[own])]] = False
    doubts = {}
    for row in np.flatnonzero(poor).tolist():
        why = faults(faces.size[row], faces.blur[row], faces.yaw[row])
        doubts[row] = Doubt("low-quality", why)
    return doubts
