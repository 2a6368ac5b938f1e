"""What is likely wrong with a dataset's labels, most likely first.

Wider than the cleaning of a build, which sets aside only what is nearly sure: here a person looks
at the pictures and decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mien.dataset.audit.stored_faces import faces_of, thumbs_of
from mien.dataset.cleaning.doubts import Faces
from mien.dataset.cleaning.duplicates import CopyPair, find_pairs
from mien.dataset.cleaning.registration import recut_pairs
from mien.dataset.storage.decisions import Decisions, read_decisions
from mien.dataset.storage.manifest import Dataset, Entry
from mien.policy.similarity_limits import CleaningLimits
from mien.templates import sums_by_person, unit_rows
from mien.types import Progress, silent

Kind = Literal["wrong-label", "two-names", "copy"]

KINDS: dict[Kind, str] = {
    "wrong-label": "likely somebody else",
    "two-names": "likely one person under two names",
    "copy": "the same picture twice",
}

_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Suspect:
    """Something that is likely wrong.

    Attributes:
        kind: what.
        score: how likely, in (0, 1): a rank, not a probability.
        people: the name, or the two names, that it is about.
        entries: the photos in question.
        compared: photos to judge them by.
        evidence: in numbers and words.
    """

    kind: Kind
    score: float
    people: tuple[str, ...]
    entries: tuple[Entry, ...]
    compared: tuple[Entry, ...]
    evidence: str


def find_suspects(dataset: Dataset, *, progress: Progress = silent) -> tuple[Suspect, ...]:
    """Return what is likely wrong with a dataset, as its sources have it, most likely first.

    Photos that were set aside are looked at too: the list is of the labels as they came, but for
    mirrored copies that leak and what the user has decided: entries kept or dropped, names said
    to be two people. Where the embedder is not calibrated only photos of the same bytes are found.
    """
    decisions = read_decisions(dataset.path)
    faces = faces_of(dataset, thumbs_of(dataset, progress=progress))
    limits = CleaningLimits.of(dataset.statistics)
    pairs = find_pairs(faces, limits)
    pairs += recut_pairs(faces, pairs, limits)
    whole = np.array([not entry.leak for entry in dataset.rows], np.bool_)
    pairs = [pair for pair in pairs if whole[pair.first] and whole[pair.second]]
    found = [*_copies(dataset, pairs)]
    if limits is not None:
        found += _two_names(dataset, faces, whole, pairs, limits)
        found += _wrong_labels(dataset, faces, whole, limits)
    found.sort(key=lambda suspect: (-suspect.score, suspect.people, suspect.entries[0].photo))
    return tuple(suspect for suspect in _once(found) if not _decided(suspect, decisions))


def _decided(suspect: Suspect, decisions: Decisions) -> bool:
    if suspect.kind == "two-names":
        return decisions.different(*suspect.people)
    return suspect.entries[0].id in decisions.entries


def _once(found: Sequence[Suspect]) -> Iterator[Suspect]:
    """Drop what repeats: a wrong label that a pair of names has told already, and the reverse."""
    told: set[tuple[str, ...]] = set()
    for suspect in found:
        names = tuple(sorted(suspect.people))
        if suspect.kind != "copy" and len(names) == 2:
            # The same photo may be wrong by both findings; two photos are two findings.
            key = (*names, suspect.entries[0].id)
            if key in told:
                continue
            told.update((*names, entry.id) for entry in suspect.entries)
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
    whole: NDArray[np.bool_],
    pairs: Iterable[CopyPair],
    limits: CleaningLimits,
) -> Iterator[Suspect]:
    copies = {
        tuple(sorted((faces.people[p.first], faces.people[p.second]))): p
        for p in pairs
        if faces.people[p.first] != faces.people[p.second]
    }
    sums, counts = _sums(faces, whole)
    prototypes = unit_rows(sums).astype(np.float32)
    for begin in range(0, len(prototypes), _BLOCK):
        similar = prototypes[begin : begin + _BLOCK] @ prototypes.T
        for i, j in zip(*np.nonzero(similar >= limits.somebody_else), strict=True):
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
            yield Suspect("two-names", score, names, *_both(dataset, faces, whole, a, b), text)


def _both(
    dataset: Dataset, faces: Faces, whole: NDArray[np.bool_], a: int, b: int
) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """Return up to five photos of either name, the most similar to the other name first."""
    rows = [np.flatnonzero(whole & (faces.labels == label)) for label in (a, b)]
    cosines = faces.templates[rows[0]] @ faces.templates[rows[1]].T
    sides = []
    for axis, own in ((1, rows[0]), (0, rows[1])):
        order = np.argsort(-cosines.max(axis=axis), kind="stable")[:5]
        sides.append(tuple(dataset.rows[row] for row in own[order]))
    return sides[0], sides[1]


def _wrong_labels(
    dataset: Dataset, faces: Faces, whole: NDArray[np.bool_], limits: CleaningLimits
) -> Iterator[Suspect]:
    """Compare each photo with the others of its name, and with everybody else."""
    step = 0.12 * limits.spread
    alone = limits.outlier - limits.spread / 6
    sums, counts = _sums(faces, whole)
    prototypes = unit_rows(sums).astype(np.float32)
    rows = np.flatnonzero(whole & (counts[faces.labels] > 1))
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
        # Unlike its own, and like another; or so unlike its own that it is nobody here.
        scores = np.maximum(
            np.where(
                best >= limits.somebody_else, _logistic((best - own - limits.margin) / step), 0
            ),
            _logistic((alone - own) / step) * np.minimum(1, (counts[labels] - 1) / 3),
        )
        for i in np.flatnonzero(scores >= 0.02):
            row, whom = int(part[i]), int(other[i])
            others = np.flatnonzero(whole & (faces.labels == labels[i]))
            others = others[others != row]
            text = f"cosine {own[i]:.2f} to the other {len(others)} of {faces.people[row]}"
            like = best[i] >= limits.somebody_else
            text += f", {best[i]:.2f} to {faces.names[whom]}"
            theirs = np.flatnonzero(whole & (faces.labels == whom)) if like else others[:0]
            yield Suspect(
                kind="wrong-label",
                score=float(scores[i]),
                people=(faces.people[row], faces.names[whom]) if like else (faces.people[row],),
                entries=(dataset.rows[row],),
                compared=tuple(dataset.rows[r] for r in [*others[:5], *theirs[:5]]),
                evidence=text,
            )


def _sums(faces: Faces, whole: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    count = len(faces.names)
    ones = np.ones(int(whole.sum()), np.float32)
    sums = sums_by_person(faces.templates[whole], ones, faces.labels[whole], count)
    return sums, np.bincount(faces.labels[whole], minlength=count)


def _logistic(value: Any) -> Any:
    return 0.5 * (1 + np.tanh(value / 2))
