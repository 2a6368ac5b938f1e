"""Photos that likely show somebody else, and names that are likely one person.

Limits were chosen on LFW, whose wrong labels are documented: they find those that an embedding
can tell, at the price of a few look-alikes. What is found is set aside or reported, never
changed.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mien.dataset.cleaning.doubts import Doubt, Faces, SamePerson
from mien.dataset.cleaning.duplicates import CopyPair
from mien.dataset.storage.decisions import Decisions
from mien.policy.similarity_limits import CleaningLimits
from mien.text import count

_ROUNDS = 4
_BLOCK = 1024


def mislabelled(
    faces: Faces, active: NDArray[np.bool_], kept: NDArray[np.bool_], limits: CleaningLimits
) -> dict[int, Doubt]:
    """Return a doubt for each photo that likely shows somebody else.

    In rounds, each person's worst photo is taken out and the rest looked at again, so that one
    wrong photo does not speak against a right one.

    Args:
        faces: all rows.
        active: (M,) rows that count: neither copies nor set aside.
        kept: (M,) rows that the user keeps: they count and are never doubted.
        limits: of the embedder.
    """
    active = active.copy()
    doubts: dict[int, Doubt] = {}
    suspects = np.flatnonzero(active)
    for _ in range(_ROUNDS):
        found = _round(faces, active, suspects[~kept[suspects] & active[suspects]], limits)
        if not found:
            break
        doubts.update(found)
        active[list(found)] = False
        touched = np.unique(faces.labels[list(found)])
        suspects = np.flatnonzero(active & np.isin(faces.labels, touched))
    return doubts


def _round(
    faces: Faces, active: NDArray[np.bool_], suspects: NDArray[np.int64], limits: CleaningLimits
) -> dict[int, Doubt]:
    sums, counts = _sums(faces, active)
    prototypes = _unit(sums)
    worst: dict[int, tuple[float, int, Doubt]] = {}
    for begin in range(0, len(suspects), _BLOCK):
        rows = suspects[begin : begin + _BLOCK]
        own_label = faces.labels[rows]
        template = faces.templates[rows]
        rest = sums[own_label] - template
        own = np.einsum("nd,nd->n", template, _unit(rest))
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
            badness = float(other[i] - own[i])
            if label not in worst or badness > worst[label][0]:
                text = _evidence(faces, row, (own[i], int(others[i])), (other[i], int(nearest[i])))
                partner = _closest(faces, active, row, int(nearest[i])) if swapped[i] else -1
                worst[label] = badness, row, Doubt("mislabelled", text, partner)
    return {row: doubt for _, row, doubt in worst.values()}


def _evidence(faces: Faces, row: int, own: tuple[float, int], other: tuple[float, int]) -> str:
    rest = "the other photo" if own[1] == 1 else f"the {own[1]} others"
    whose, whom = faces.people[row], faces.names[other[1]]
    return f"cosine {own[0]:.2f} to {rest} of {whose}, {other[0]:.2f} to {whom}"


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
    sums, counts = _sums(faces, active)
    prototypes = _unit(sums)
    copies = {
        tuple(sorted((faces.people[p.first], faces.people[p.second]))): p
        for p in pairs
        if faces.people[p.first] != faces.people[p.second]
    }
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


def _sums(faces: Faces, active: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    sums = np.zeros((len(faces.names), faces.templates.shape[1]), np.float32)
    np.add.at(sums, faces.labels[active], faces.templates[active])
    return sums, np.bincount(faces.labels[active], minlength=len(faces.names))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = rows / np.maximum(
        np.linalg.norm(rows, axis=1, keepdims=True), 1e-6
    )
    return result
