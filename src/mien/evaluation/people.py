"""How good a recognizer is on the photos that were held out from its training."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset
from mien.errors import ContractMismatch, NothingToMeasure
from mien.evaluation.faces import Sample, gallery_index, sample
from mien.evaluation.openset import OpenSetResult, measure_open_set
from mien.evaluation.search import STRANGER, Search, near_pairs, search
from mien.measures import (
    ReliabilityBin,
    bootstrap_mean,
    expected_calibration_error,
    rank_k,
    reliability_bins,
)
from mien.types import Head, Interval, Progress, silent

PAIRS = 24
"""How many confusable pairs are listed."""

PHOTO_COUNTS = ((1, 1), (2, 2), (3, 4), (5, 9), (10, 19), (20, 10**9))
"""Ranges of the number of photos a person was learned from, first and last."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Closed-set identification of a set of probes.

    Attributes:
        probes: how many.
        rank1: share whose nearest person is the right one, with Wilson's interval.
        rank5: share whose right person is among the nearest five.
    """

    probes: int
    rank1: Interval
    rank5: Interval


@dataclass(frozen=True, slots=True)
class Decisions:
    """What is said about known people's probes at the policy's threshold."""

    right: int
    unknown: int
    wrong: int


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person's line in the report.

    Attributes:
        person: name.
        photos: how many photos the prototype was made of.
        probes: held-out photos.
        right: of them, nearest to this person.
        named: of them, also given the name at the policy's threshold.
        similarity: mean of the probes to the prototype.
        taken_for: who this person's probes were nearest to instead, most often first.
    """

    person: str
    photos: int
    probes: int
    right: int
    named: int
    similarity: float
    taken_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Confusable:
    """Two people who look alike to the recognizer.

    Attributes:
        first: a person.
        second: another.
        similarity: between their prototypes.
        mistakes: probes of one that were nearest to the other.
    """

    first: str
    second: str
    similarity: float
    mistakes: int


@dataclass(frozen=True, slots=True, eq=False)
class PeopleResult:
    """Everything measured about a recognizer on a dataset.

    Attributes:
        head: what was measured.
        dataset_digest: of the dataset.
        probes: the held-out photos of people in the gallery.
        found: what they found there.
        every: rates over every held-out photo.
        clean: rates without the photos set aside.
        rank1_people: rank-1 over every photo, its interval from resampling whole people.
        decisions: at the policy's threshold, over every held-out photo.
        open_set: None where there is no stranger to be had.
        stranger_probes: photos of strangers and
        strangers_found: what they found; None where people were left out in turn.
        bins: of the reliability diagram; strangers, if any, weigh as much as known people.
        ece: expected calibration error.
        by_photos: rates by the number of photos a person was learned from: first, last, rates.
        people: a row for each person with probes, least right first.
        confusable: with most mistakes first, then most similar first.
        faceless: held-out or not, photos of the dataset in which no face was found.
        notes: what the reader must know before believing the numbers.
    """

    head: Head
    dataset_digest: str
    probes: Sample
    found: Search
    every: Rates
    clean: Rates
    rank1_people: Interval
    decisions: Decisions
    open_set: OpenSetResult | None
    stranger_probes: Sample | None
    strangers_found: Search | None
    bins: tuple[ReliabilityBin, ...]
    ece: float
    by_photos: tuple[tuple[int, int, Rates], ...]
    people: tuple[PersonRow, ...]
    confusable: tuple[Confusable, ...]
    faceless: int
    notes: tuple[str, ...]


def evaluate_people(
    head: Head,
    dataset: Dataset,
    *,
    trained_on: str = "",
    strangers: Dataset | None = None,
    progress: Progress = silent,
) -> PeopleResult:
    """Measure a recognizer on a dataset's held-out photos.

    Probes are the photos that the split keeps from training, those set aside too. Strangers are,
    in this order of preference: the people of `strangers` that the gallery does not have; the
    people of the dataset that it does not have; each probe's own person, taken out of the gallery
    for that probe.

    Args:
        head: of the recognizer.
        dataset: the photos.
        trained_on: digest of the dataset that the recognizer was trained on, where known.
        strangers: another dataset, of people the recognizer should not know.
        progress: told of the search.

    Raises:
        ContractMismatch: when the embeddings were made in another way than the recognizer's.
        NothingToMeasure: when no held-out photo is of a person in the gallery.
    """
    for faces in (dataset, *([strangers] if strangers else ())):
        _check_contract(head, faces)
    known = gallery_index(dataset, head)[dataset.labels] != STRANGER
    leaks = np.array([entry.leak for entry in dataset.rows], np.bool_)
    probes = sample(dataset, dataset.validation & known & ~leaks, head)
    if not len(probes):
        raise NothingToMeasure(
            "no held-out photo in the dataset is of a person that the recognizer knows",
            hint="A person needs two photos for one to be held out; build the dataset with more.",
        )
    found = search_sample(head, probes, progress, "naming photos")
    notes = _notes(dataset, known, trained_on, probes)
    if leaks.any():
        notes.append(_leak_note(found, search_sample(head, sample(dataset, known & leaks, head))))
    others = _strangers(head, dataset, strangers, notes)
    their = None
    if others is not None:
        their = search_sample(head, others, progress, "searching strangers")
    openness = _open_set(head, probes, found, others, their)
    bins, ece = _calibration(head, found, openness)
    return PeopleResult(
        head=head,
        dataset_digest=dataset.digest,
        probes=probes,
        found=found,
        every=_rates(found.ranks),
        clean=_rates(found.ranks[probes.usable]),
        rank1_people=bootstrap_mean(found.correct, found.mates),
        decisions=_decisions(head, found),
        open_set=openness,
        stranger_probes=others,
        strangers_found=their,
        bins=bins,
        ece=ece,
        by_photos=_by_photos(head, found),
        people=_people(head, found),
        confusable=_confusable(head, found),
        faceless=sum(entry.row < 0 for entry in dataset.entries),
        notes=tuple(notes),
    )


def search_sample(
    head: Head, probes: Sample, progress: Progress = silent, what: str = "searching"
) -> Search:
    """Search a sample's faces in the gallery of a head."""
    return search(head, probes.vectors, probes.mates, progress=progress, what=what)


def named_as(found: Search) -> NDArray[np.int64]:
    """Return (N,) int64, whom each known person's probe is nearest to; a tie is not the mate."""
    return np.where(found.correct, found.mates, found.rivals)


def _check_contract(head: Head, faces: Dataset) -> None:
    if faces.contract != head.contract:
        raise ContractMismatch(
            f"the recognizer's faces were embedded in another way ({head.contract}) than the"
            f" dataset's ({faces.contract})",
            hint="Build the dataset again with the recognizer's detector and embedder"
            " (mien info shows them), or train on this one.",
        )


def _notes(
    dataset: Dataset, known: NDArray[np.bool_], trained_on: str, probes: Sample
) -> list[str]:
    notes = []
    if trained_on and trained_on != dataset.digest:
        notes.append(
            f"The recognizer was trained on another dataset ({trained_on[:12]}) than this one"
            f" ({dataset.digest[:12]}): photos held out here may have been learned there, and the"
            " rates may flatter it."
        )
    unknown = int(np.sum(dataset.validation & ~known))
    if unknown:
        notes.append(
            f"{unknown:,} held-out photos are of people that the recognizer does not know; they"
            " are no probes."
        )
    if len(probes) < 100:
        notes.append(
            f"Only {len(probes)} photos were held out: the intervals are wide, and only they"
            " should be believed."
        )
    return notes


def _leak_note(found: Search, leaked: Search) -> str:
    ranks = np.concatenate([found.ranks, leaked.ranks])
    return (
        f"{len(leaked):,} held-out photos are mirrored copies of photos that were learned"
        " (--flip-singletons). They are a leak and are no probes; with them rank-1 would read"
        f" {100 * rank_k(ranks, 1).value:.2f} %."
    )


def _strangers(
    head: Head, dataset: Dataset, strangers: Dataset | None, notes: list[str]
) -> Sample | None:
    """Return the probes of people that are not in the gallery, if there are any."""
    if strangers is None:
        outside = gallery_index(dataset, head)[dataset.labels] == STRANGER
        found = sample(dataset, outside & dataset.usable, head)
        return found if len(found) else None
    outside = gallery_index(strangers, head)[strangers.labels] == STRANGER
    if not outside.any():
        raise NothingToMeasure(
            "every person in the strangers' dataset is one that the recognizer knows",
            hint="Give --strangers a dataset of other people.",
        )
    if not outside.all():
        inside = sorted(set(strangers.people) & set(head.people))
        notes.append(
            f"{len(inside):,} people of the strangers' dataset are known to the recognizer by name"
            " and were left out of it."
        )
    return sample(strangers, outside & strangers.usable, head)


def _open_set(
    head: Head, probes: Sample, found: Search, others: Sample | None, their: Search | None
) -> OpenSetResult | None:
    people = len(head.people)
    if others is not None and their is not None and len(others):
        return measure_open_set(
            found.best,
            found.correct,
            their.best,
            tuple(record.person for record in others.records),
            head.policy,
            protocol="strangers",
            gallery=people,
        )
    if people < 2:
        return None
    return measure_open_set(
        found.best,
        found.correct,
        found.rival_similarities,
        tuple(record.person for record in probes.records),
        head.policy,
        protocol="left-out",
        gallery=people - 1,
    )


def _calibration(
    head: Head, found: Search, openness: OpenSetResult | None
) -> tuple[tuple[ReliabilityBin, ...], float]:
    others = openness.scores if openness else np.empty(0, np.float32)
    scores = np.concatenate([found.best, others])
    right = np.concatenate([found.correct, np.zeros(len(others), np.bool_)])
    # A face before the camera is known or strange with equal chance, whatever the numbers here.
    weights = np.concatenate(
        [np.full(len(found), 1 / len(found)), np.full(len(others), 1 / max(len(others), 1))]
    )
    values = head.calibration.probability(scores)
    return (
        reliability_bins(values, right, weights=weights),
        expected_calibration_error(values, right, weights=weights),
    )


def _rates(ranks: NDArray[np.int64]) -> Rates:
    return Rates(len(ranks), rank_k(ranks, 1), rank_k(ranks, 5))


def _named(head: Head, found: Search) -> NDArray[np.bool_]:
    named: NDArray[np.bool_] = found.best >= np.float32(head.policy.threshold)
    return named


def _decisions(head: Head, found: Search) -> Decisions:
    named = _named(head, found)
    right = int(np.sum(named & found.correct))
    unknown = int(np.sum(~named))
    return Decisions(right, unknown, len(found) - right - unknown)


def _by_photos(head: Head, found: Search) -> tuple[tuple[int, int, Rates], ...]:
    photos = head.photos[found.mates]
    rows = []
    for first, last in PHOTO_COUNTS:
        inside = (photos >= first) & (photos <= last)
        if inside.any():
            rows.append((first, last, _rates(found.ranks[inside])))
    return tuple(rows)


def _people(head: Head, found: Search) -> tuple[PersonRow, ...]:
    named = _named(head, found)
    given = named_as(found)
    members: dict[int, list[int]] = defaultdict(list)
    for index, mate in enumerate(found.mates):
        members[int(mate)].append(index)
    rows = []
    for mate, indices in members.items():
        right = found.correct[indices]
        taken = Counter(head.people[given[i]] for i in indices if not found.correct[i])
        rows.append(
            PersonRow(
                person=head.people[mate],
                photos=int(head.photos[mate]),
                probes=len(indices),
                right=int(right.sum()),
                named=int((right & named[indices]).sum()),
                similarity=float(found.own[indices].mean()),
                taken_for=tuple(sorted(taken, key=lambda name: (-taken[name], name))),
            )
        )
    return tuple(sorted(rows, key=lambda r: (r.right / r.probes, r.named / r.probes, r.person)))


def _confusable(head: Head, found: Search) -> tuple[Confusable, ...]:
    given = named_as(found)
    mistakes = Counter(
        (int(min(mate, other)), int(max(mate, other)))
        for mate, other, right in zip(found.mates, given, found.correct, strict=True)
        if not right
    )
    pairs = {
        (a, b): alike for a, b, alike in near_pairs(head.prototypes, min(PAIRS, len(head.people)))
    }
    for a, b in mistakes:
        pairs[a, b] = float(head.prototypes[a] @ head.prototypes[b])
    rows = [
        Confusable(
            min(head.people[a], head.people[b]),
            max(head.people[a], head.people[b]),
            alike,
            mistakes[a, b],
        )
        for (a, b), alike in pairs.items()
    ]
    rows.sort(key=lambda row: (-row.mistakes, -row.similarity, row.first, row.second))
    return tuple(rows[:PAIRS])
