"""Find photos that likely show another person, and names that are likely one person.

The limits were chosen on LFW, whose wrong labels are documented: they find those that embeddings
can show, and a few look-alikes. Findings are set aside or reported; no label is changed.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mien.dataset.cleaning.doubts import Doubt, Faces, SamePerson
from mien.dataset.cleaning.duplicates import CopyPair, copies_across_names
from mien.dataset.storage.decisions import Decisions
from mien.measures.templates import unit_rows
from mien.policy.similarity_limits import CleaningLimits
from mien.text import count

_MAX_ROUNDS = 4
_BLOCK = 1024


def mislabelled(
    faces: Faces, active: NDArray[np.bool_], kept: NDArray[np.bool_], limits: CleaningLimits
) -> dict[int, Doubt]:
    """Return a doubt for each photo that likely shows another person.

    In each round the worst photo of each person is removed and the rest is compared again, so that
    a wrong photo does not make a right one doubtful.

    Args:
        faces: all rows.
        active: (M,) bool: rows to compare, neither copies nor set aside.
        kept: (M,) bool: rows that the user keeps: compared with, but never doubted.
        limits: similarity limits of the embedder.
    """
    active = active.copy()
    doubts: dict[int, Doubt] = {}
    suspects = np.flatnonzero(active)
    for _ in range(_MAX_ROUNDS):
        found = _worst_of_each_person(
            faces, active, suspects[~kept[suspects] & active[suspects]], limits
        )
        if not found:
            break
        doubts.update(found)
        active[list(found)] = False
        touched = np.unique(faces.labels[list(found)])
        suspects = np.flatnonzero(active & np.isin(faces.labels, touched))
    return doubts


def _worst_of_each_person(
    faces: Faces, active: NDArray[np.bool_], suspects: NDArray[np.int64], limits: CleaningLimits
) -> dict[int, Doubt]:
    sums, counts = faces.sums_by_person(active)
    prototypes = unit_rows(sums).astype(np.float32)
    worst: dict[int, tuple[float, int, Doubt]] = {}
    for begin in range(0, len(suspects), _BLOCK):
        rows = suspects[begin : begin + _BLOCK]
        own_label = faces.labels[rows]
        template = faces.templates[rows]
        rest = sums[own_label] - template
        own = np.einsum("nd,nd->n", template, unit_rows(rest))
        others = counts[own_label] - 1
        similar = template @ prototypes.T
        similar[np.arange(len(rows)), own_label] = -1
        similar[:, counts == 0] = -1
        nearest = similar.argmax(axis=1)
        other = similar[np.arange(len(rows)), nearest]
        # Mean cosine among the others: |sum|² = n + n(n-1)·mean.
        square = np.einsum("nd,nd->n", rest, rest)
        cohesion = (square - others) / np.maximum(others * (others - 1), 1)
        swapped = (own <= limits.unlike_own) & (other >= limits.like_other) & (others > 0)
        swapped &= other - own >= limits.margin
        outlier = (own <= limits.outlier) & (cohesion >= limits.cohesion) & (others > 1)
        for i in np.flatnonzero(swapped | outlier):
            row, label = int(rows[i]), int(own_label[i])
            excess = float(other[i] - own[i])
            if label not in worst or excess > worst[label][0]:
                text = _evidence(faces, row, (own[i], int(others[i])), (other[i], int(nearest[i])))
                partner = _closest(faces, active, row, int(nearest[i])) if swapped[i] else -1
                worst[label] = excess, row, Doubt("mislabelled", text, partner)
    return {row: doubt for _, row, doubt in worst.values()}


def _evidence(faces: Faces, row: int, own: tuple[float, int], other: tuple[float, int]) -> str:
    rest = "the other photo" if own[1] == 1 else f"the {own[1]} others"
    own_name, other_name = faces.people[row], faces.names[other[1]]
    return f"cosine {own[0]:.2f} to {rest} of {own_name}, {other[0]:.2f} to {other_name}"


def _closest(faces: Faces, active: NDArray[np.bool_], row: int, label: int) -> int:
    rows = np.flatnonzero(active & (faces.labels == label))
    return int(rows[np.argmax(faces.templates[rows] @ faces.templates[row])])


def same_people(
    faces: Faces,
    active: NDArray[np.bool_],
    pairs: Iterable[CopyPair],
    decisions: Decisions,
    limits: CleaningLimits,
) -> tuple[SamePerson, ...]:
    """Return pairs of names that are likely one person, most similar first."""
    sums, counts = faces.sums_by_person(active)
    prototypes = unit_rows(sums).astype(np.float32)
    copies = copies_across_names(faces, pairs)
    found = []
    for begin in range(0, len(prototypes), _BLOCK):
        similar = prototypes[begin : begin + _BLOCK] @ prototypes.T
        for i, j in zip(*np.nonzero(similar >= limits.same_person), strict=True):
            a, b = int(i) + begin, int(j)
            names = faces.names[a], faces.names[b]
            if a < b and counts[a] and counts[b] and not decisions.different(*names):
                copy = copies.get(names)
                found.append(_same(faces, active, (a, b), float(similar[i, j]), copy))
    return tuple(sorted(found, key=lambda pair: -pair.similarity))


def _same(
    faces: Faces,
    active: NDArray[np.bool_],
    labels: tuple[int, int],
    similarity: float,
    copy: CopyPair | None,
) -> SamePerson:
    first, second = (np.flatnonzero(active & (faces.labels == label)) for label in labels)
    cosines = faces.templates[first] @ faces.templates[second].T
    i, j = np.unravel_index(int(cosines.argmax()), cosines.shape)
    text = (
        f"cosine {similarity:.2f} between "
        f"{count(len(first), 'photo')} and {count(len(second), 'photo')}, "
        f"{cosines[i, j]:.2f} between the two most similar"
    )
    if copy:
        text += "; the same picture is under both names"
    names = faces.names[labels[0]], faces.names[labels[1]]
    return SamePerson(names, similarity, text, (int(first[i]), int(second[j])))
