"""How good a recognizer is on the photos that were held out from its training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.dataset import Dataset
from mien.errors import ContractMismatch, NothingToMeasure
from mien.evaluation.identification.breakdown import (
    Confusable,
    DecisionCounts,
    PersonResult,
    Rates,
    by_photos_of,
    confusable_of,
    decisions_of,
    people_of,
    rates_of,
)
from mien.evaluation.identification.caveats import find_caveats
from mien.evaluation.identification.probes import (
    ProbeSet,
    gallery_index,
    search_probes,
    select_probes,
)
from mien.evaluation.identification.search import STRANGER, Search
from mien.evaluation.open_set.metrics import OpenSetResult, measure_open_set
from mien.measures import (
    ReliabilityBin,
    bootstrap_mean,
    expected_calibration_error,
    reliability_bins,
)
from mien.training import possible_duplicates, stranger_rows
from mien.types import Head, Interval, Progress, silent


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
        faceless: held-out or not, photos of the dataset in which no face was found; those that
            could not be read are none of them.
        caveats: what the reader must know before believing the numbers.
    """

    head: Head
    dataset_digest: str
    probes: ProbeSet
    found: Search
    all_probes: Rates
    usable_probes: Rates
    rank1_people: Interval
    decisions: DecisionCounts
    open_set: OpenSetResult | None
    stranger_probes: ProbeSet | None
    strangers_found: Search | None
    bins: tuple[ReliabilityBin, ...]
    ece: float
    by_photos: tuple[tuple[int, int, Rates], ...]
    people: tuple[PersonResult, ...]
    confusable: tuple[Confusable, ...]
    faceless: int
    caveats: tuple[str, ...]


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
    _check_contract(head, dataset, strangers)
    probes = _probes(head, dataset)
    found = search_probes(head, probes, progress, "naming photos")
    others = _strangers(head, dataset, strangers)
    their = None
    if others is not None:
        their = search_probes(head, others, progress, "searching strangers")
    open_set = _open_set(head, probes, found, others, their)
    caveats = find_caveats(
        head, dataset, probes=probes, found=found, trained_on=trained_on, strangers=strangers,
        open_set=open_set,
    )  # fmt: skip
    bins, ece = _calibration(head, found, open_set)
    return PeopleResult(
        head=head,
        dataset_digest=dataset.digest,
        probes=probes,
        found=found,
        all_probes=rates_of(found.ranks),
        usable_probes=rates_of(found.ranks[probes.usable]),
        rank1_people=bootstrap_mean(found.correct, found.mates),
        decisions=decisions_of(head, found),
        open_set=open_set,
        stranger_probes=others,
        strangers_found=their,
        bins=bins,
        ece=ece,
        by_photos=by_photos_of(head, found),
        people=people_of(head, found),
        confusable=confusable_of(head, found),
        faceless=sum(entry.reason == "no-face" for entry in dataset.entries),
        caveats=caveats,
    )


def _check_contract(head: Head, *datasets: Dataset | None) -> None:
    for faces in datasets:
        if faces is not None and faces.contract != head.contract:
            raise ContractMismatch(
                f"the recognizer's faces were embedded in another way ({head.contract}) than the"
                f" dataset's ({faces.contract})",
                hint="Build the dataset again with the recognizer's detector and embedder"
                " (mien info shows them), or train on this one.",
            )


def _probes(head: Head, dataset: Dataset) -> ProbeSet:
    known = gallery_index(dataset, head)[dataset.labels] != STRANGER
    leaks = np.array([entry.leak for entry in dataset.rows], np.bool_)
    probes = select_probes(dataset, dataset.validation & known & ~leaks, head)
    if not len(probes):
        raise NothingToMeasure(
            "no held-out photo in the dataset is of a person that the recognizer knows",
            hint="Names must be the recognizer's (mien info shows them), and a person needs two"
            " photos for one to be held out.",
        )
    return probes


def _strangers(head: Head, dataset: Dataset, strangers: Dataset | None) -> ProbeSet | None:
    """Return the probes of people that are not in the gallery, if there are any."""
    if strangers is None:
        found = select_probes(dataset, stranger_rows(dataset, head.people), head)
        return found if len(found) else None
    outside = stranger_rows(strangers, head.people)
    if not outside.any():
        raise NothingToMeasure(
            "every person in the strangers' dataset is one that the recognizer knows",
            hint="Give --strangers a dataset of other people.",
        )
    return select_probes(strangers, outside, head)


def _open_set(
    head: Head, probes: ProbeSet, found: Search, others: ProbeSet | None, their: Search | None
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
    # Whoever is in the gallery under a second name as well is no stranger without the first.
    single = ~possible_duplicates(probes.source, head.people)[found.mates]
    if people < 2 or not single.any():
        return None
    names = [record.person for record in probes.records]
    return measure_open_set(
        found.best,
        found.correct,
        found.rival_similarities[single],
        tuple(name for name, alone in zip(names, single, strict=True) if alone),
        head.policy,
        protocol="left-out",
        gallery=people - 1,
    )


def _calibration(
    head: Head, found: Search, open_set: OpenSetResult | None
) -> tuple[tuple[ReliabilityBin, ...], float]:
    others = open_set.scores if open_set else np.empty(0, np.float32)
    shares = open_set.shares if open_set else np.empty(0)
    scores = np.concatenate([found.best, others])
    right = np.concatenate([found.correct, np.zeros(len(others), np.bool_)])
    # A face before the camera is known or strange with equal chance, whatever the numbers here.
    weights = np.concatenate(
        [np.full(len(found), 1 / len(found)), shares / max(float(shares.sum()), 1.0)]
    )
    values = head.calibration.probability(scores)
    return (
        reliability_bins(values, right, weights=weights),
        expected_calibration_error(values, right, weights=weights),
    )
