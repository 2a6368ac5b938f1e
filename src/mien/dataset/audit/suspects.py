"""Find labels of a dataset that are likely wrong, most likely first.

More is found here than by the cleaning of a build, which sets aside only what is nearly certain:
a person looks at these pictures and decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mien.dataset.audit.stored_faces import faces_of, thumbs_of
from mien.dataset.cleaning.doubts import Faces
from mien.dataset.cleaning.duplicates import CopyPair, copies_across_names, find_pairs
from mien.dataset.cleaning.registration import recut_pairs
from mien.dataset.storage.decisions import Decisions, read_decisions
from mien.dataset.storage.entries import Entry
from mien.dataset.storage.opened_dataset import Dataset
from mien.measures.templates import unit_rows
from mien.policy.similarity_limits import CleaningLimits
from mien.types import Progress, silent

Kind = Literal["wrong-label", "two-names", "copy"]

KINDS: dict[Kind, str] = {
    "wrong-label": "likely another person",
    "two-names": "likely one person under two names",
    "copy": "the same picture twice",
}

_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label that is likely wrong.

    Attributes:
        kind: what is likely wrong.
        score: in (0, 1); for ranking, not a probability.
        people: the name, or the two names, concerned.
        entries: the photos concerned.
        compared: photos to compare them with.
        evidence: the reason in numbers and words.
    """

    kind: Kind
    score: float
    people: tuple[str, ...]
    entries: tuple[Entry, ...]
    compared: tuple[Entry, ...]
    evidence: str


def find_suspects(dataset: Dataset, *, progress: Progress = silent) -> tuple[Suspect, ...]:
    """Return the labels of a dataset that are likely wrong, most likely first.

    All labels of the sources are checked, also those of photos that were set aside. Not listed are
    mirrored copies that leak, and what the user has decided: entries kept or dropped, names
    declared to be two people. Where the embedder is not calibrated only identical files are found.

    Args:
        dataset: the dataset to check.
        progress: called while crops are read, if they are.
    """
    decisions = read_decisions(dataset.path)
    faces = faces_of(dataset, thumbs_of(dataset, progress=progress))
    limits = CleaningLimits.of(dataset.statistics)
    pairs = find_pairs(faces, limits)
    pairs += recut_pairs(faces, pairs, limits)
    genuine = np.array([not entry.leak for entry in dataset.rows], np.bool_)
    pairs = [pair for pair in pairs if genuine[pair.first] and genuine[pair.second]]
    found = [*_copies(dataset, pairs)]
    if limits is not None:
        found += _two_names(dataset, faces, genuine, pairs, limits)
        found += _wrong_labels(dataset, faces, genuine, limits)
    found.sort(key=lambda suspect: (-suspect.score, suspect.people, suspect.entries[0].photo))
    return tuple(suspect for suspect in _without_repeats(found) if not _decided(suspect, decisions))


def _decided(suspect: Suspect, decisions: Decisions) -> bool:
    if suspect.kind == "two-names":
        return decisions.different(*suspect.people)
    return suspect.entries[0].id in decisions.entries


def _without_repeats(found: Sequence[Suspect]) -> Iterator[Suspect]:
    """Drop wrong labels that a pair of names already shows, and the reverse."""
    reported: set[tuple[str, ...]] = set()
    for suspect in found:
        names = tuple(sorted(suspect.people))
        if suspect.kind != "copy" and len(names) == 2:
            # One photo can be found in both ways; two photos are two findings.
            key = (*names, suspect.entries[0].id)
            if key in reported:
                continue
            reported.update((*names, entry.id) for entry in suspect.entries)
        yield suspect


def _copies(dataset: Dataset, pairs: Iterable[CopyPair]) -> Iterator[Suspect]:
    for pair in pairs:
        first, second = dataset.rows[pair.first], dataset.rows[pair.second]
        if first.person == second.person:
            yield Suspect(
                kind="copy",
                score=0.97 if pair.kind == "same-bytes" else 0.95,
                people=(first.person,),
                entries=(second,),
                compared=(first,),
                evidence=pair.evidence,
            )


def _two_names(
    dataset: Dataset,
    faces: Faces,
    genuine: NDArray[np.bool_],
    pairs: Iterable[CopyPair],
    limits: CleaningLimits,
) -> Iterator[Suspect]:
    copies = copies_across_names(faces, pairs)
    sums, counts = faces.sums_by_person(genuine)
    prototypes = unit_rows(sums).astype(np.float32)
    for begin in range(0, len(prototypes), _BLOCK):
        similar = prototypes[begin : begin + _BLOCK] @ prototypes.T
        for i, j in zip(*np.nonzero(similar >= limits.other_person), strict=True):
            a, b = int(i) + begin, int(j)
            if a >= b or not (counts[a] and counts[b]):
                continue
            names = (faces.names[a], faces.names[b])
            copy = copies.get(names)
            cosine = float(similar[a - begin, b])
            text = f"cosine {cosine:.2f} between the means of {counts[a]} and {counts[b]} photos"
            if copy:
                text += f"; the same picture is under both names ({copy.evidence})"
            above = (cosine - limits.same_person) / (0.06 * limits.spread)
            score = 0.99 if copy else float(_logistic(above))
            yield Suspect(
                "two-names",
                score,
                names,
                *_most_similar_photos(dataset, faces, genuine, a, b),
                text,
            )


def _most_similar_photos(
    dataset: Dataset, faces: Faces, genuine: NDArray[np.bool_], a: int, b: int
) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """Return up to five photos of each name, those most similar to the other name first."""
    rows = [np.flatnonzero(genuine & (faces.labels == label)) for label in (a, b)]
    cosines = faces.templates[rows[0]] @ faces.templates[rows[1]].T
    sides = []
    for axis, own in ((1, rows[0]), (0, rows[1])):
        order = np.argsort(-cosines.max(axis=axis), kind="stable")[:5]
        sides.append(tuple(dataset.rows[row] for row in own[order]))
    return sides[0], sides[1]


def _wrong_labels(
    dataset: Dataset, faces: Faces, genuine: NDArray[np.bool_], limits: CleaningLimits
) -> Iterator[Suspect]:
    """Compare each photo with the others of its name, and with all other people."""
    step = 0.12 * limits.spread
    alone = limits.outlier - limits.spread / 6
    sums, counts = faces.sums_by_person(genuine)
    prototypes = unit_rows(sums).astype(np.float32)
    rows = np.flatnonzero(genuine & (counts[faces.labels] > 1))
    for begin in range(0, len(rows), _BLOCK):
        part = rows[begin : begin + _BLOCK]
        labels, templates = faces.labels[part], faces.templates[part]
        rest = unit_rows(sums[labels] - templates)
        own = np.einsum("nd,nd->n", templates, rest)
        similar = templates @ prototypes.T
        similar[np.arange(len(part)), labels] = -1
        similar[:, counts == 0] = -1
        other = similar.argmax(axis=1)
        best = similar[np.arange(len(part)), other]
        # Unlike its own and like another person; or very unlike its own and like no other.
        scores = np.maximum(
            np.where(
                best >= limits.other_person, _logistic((best - own - limits.margin) / step), 0
            ),
            _logistic((alone - own) / step) * np.minimum(1, (counts[labels] - 1) / 3),
        )
        for i in np.flatnonzero(scores >= 0.02):
            row, other_label = int(part[i]), int(other[i])
            others = np.flatnonzero(genuine & (faces.labels == labels[i]))
            others = others[others != row]
            text = f"cosine {own[i]:.2f} to the other {len(others)} of {faces.people[row]}"
            like = best[i] >= limits.other_person
            text += f", {best[i]:.2f} to {faces.names[other_label]}"
            theirs = np.flatnonzero(genuine & (faces.labels == other_label)) if like else others[:0]
            yield Suspect(
                kind="wrong-label",
                score=float(scores[i]),
                people=(faces.people[row], faces.names[other_label])
                if like
                else (faces.people[row],),
                entries=(dataset.rows[row],),
                compared=tuple(dataset.rows[r] for r in [*others[:5], *theirs[:5]]),
                evidence=text,
            )


def _logistic(value: Any) -> Any:
    return 0.5 * (1 + np.tanh(value / 2))
