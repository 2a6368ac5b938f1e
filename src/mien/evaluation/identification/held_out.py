"""Evaluation of a recognizer on photos that were held out from its training."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset
from mien.dataset.storage.dataset_argument import DatasetOrPath, open_dataset
from mien.errors import ContractMismatch, NothingToMeasure
from mien.evaluation.identification.breakdown import (
    Confusable,
    DecisionCounts,
    IdentificationRates,
    PersonResult,
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
from mien.evaluation.identification.search import STRANGER, ProbeSearch, named_by
from mien.evaluation.open_set.metrics import OpenSetResult, measure_open_set
from mien.evaluation.result_parts import (
    RATE_COLUMNS,
    ends,
    html_table,
    number_or_none,
    rate_row,
    rate_with_interval,
)
from mien.measures import (
    ReliabilityBin,
    expected_calibration_error,
    rate_over_people,
    reliability_bins,
)
from mien.recognizer import Recognizer
from mien.text import Notice, count
from mien.training import possible_duplicates, stranger_rows
from mien.types import Head, Interval, Progress, silent


@dataclass(frozen=True, slots=True, eq=False)
class PeopleResult:
    """How well a recognizer identifies the held-out photos of a dataset.

    Attributes:
        head: of the recognizer that was measured.
        dataset_digest: digest of the dataset.
        probes: held-out photos of people in the gallery.
        found: search result of each probe.
        all_probes: rates over all held-out photos.
        usable_probes: rates without the photos set aside.
        rank1_people: rank-1 over all held-out photos, its interval from resampling people.
        decisions: counts at the policy's threshold, over all held-out photos.
        open_set: DIR and FPIR; None if there are no strangers.
        stranger_probes: photos of strangers; None if people were left out in turn.
        strangers_found: search result of each of these photos, or None.
        bins: of the reliability diagram; known people and strangers have equal total weight.
        ece: expected calibration error, in [0, 1].
        by_photos: rates by the number of training photos per person: first, last, rates.
        people: one row per person with probes, lowest rank-1 rate first.
        confusable: pairs of similar people, most mistakes first, then most similar first.
        faceless: number of photos of the dataset, held out or not, with no face found. Unreadable
            photos are not counted.
        caveats: what limits the measurements; empty where nothing does.
    """

    head: Head
    dataset_digest: str
    probes: ProbeSet
    found: ProbeSearch
    all_probes: IdentificationRates
    usable_probes: IdentificationRates
    rank1_people: Interval
    decisions: DecisionCounts
    open_set: OpenSetResult | None
    stranger_probes: ProbeSet | None
    strangers_found: ProbeSearch | None
    bins: tuple[ReliabilityBin, ...]
    ece: float
    by_photos: tuple[tuple[int, int, IdentificationRates], ...]
    people: tuple[PersonResult, ...]
    confusable: tuple[Confusable, ...]
    faceless: int
    caveats: tuple[Notice, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what `mien evaluate --json` prints; rates lie in [0, 1], None if unknown.

        `rank1` and `rank5` cover every held-out photo, `without_set_aside` the usable ones.
        """
        every, usable = self.all_probes, self.usable_probes
        return {
            "rank1": number_or_none(every.rank1.value),
            "rank1_interval": ends(every.rank1),
            "rank5": number_or_none(every.rank5.value),
            "rank5_interval": ends(every.rank5),
            "probes": every.probes,
            "people": len(self.head.people),
            "without_set_aside": {
                "rank1": number_or_none(usable.rank1.value),
                "rank1_interval": ends(usable.rank1),
                "rank5": number_or_none(usable.rank5.value),
                "probes": usable.probes,
            },
            "decisions": {
                "right": self.decisions.right,
                "unknown": self.decisions.unknown,
                "wrong": self.decisions.wrong,
            },
            "open_set": self.open_set.to_dict() if self.open_set else None,
            "ece": self.ece,
            "dataset": self.dataset_digest,
            "contract": self.head.contract,
            "notes": [notice.text for notice in self.caveats],
        }

    def rate_rows(self) -> tuple[tuple[str, Interval, str], ...]:
        """Return the main rates: name, rate with interval, and what it was measured on."""
        every, usable = self.all_probes, self.usable_probes
        rows = [
            ("rank-1, all held out", every.rank1, count(every.probes, "photo")),
            ("rank-1, none set aside", usable.rank1, count(usable.probes, "photo")),
            ("rank-5, all held out", every.rank5, count(every.probes, "photo")),
        ]
        if (found := self.open_set) is not None:
            strangers = count(found.stranger_people, "stranger")
            rows += [
                ("named right (DIR)", found.policy.dir, count(found.probes, "photo")),
                ("strangers named (FPIR)", found.policy.fpir, strangers),
            ]
        return tuple(rows)

    def __repr__(self) -> str:
        every = self.all_probes
        text = f"rank-1 {rate_with_interval(every.rank1)} of {count(every.probes, 'photo')}"
        if (found := self.open_set) is not None:
            text += (
                f", FPIR {rate_with_interval(found.policy.fpir)}"
                f" of {count(found.stranger_people, 'stranger')}"
            )
        return f"<PeopleResult {text}>"

    def _repr_html_(self) -> str:
        rows = [rate_row(*row) for row in self.rate_rows()]
        known = count(len(self.head.people), "person", "people")
        return html_table(f"Recognizer of {known}", RATE_COLUMNS, rows)


def evaluate_people(
    recognizer: Recognizer | str | os.PathLike[str],
    dataset: DatasetOrPath,
    *,
    strangers: DatasetOrPath | None = None,
    progress: Progress = silent,
) -> PeopleResult:
    """Measure a recognizer on a dataset's held-out photos: `mien evaluate RECOGNIZER DATASET`.

    Example:
        `mien.evaluate_people("people.onnx", "people")`

    Args:
        recognizer: a recognizer, or the path of its file.
        dataset: the photos: a dataset, or its folder.
        strangers: a dataset of people that the recognizer does not know, or its folder. Without
            it, people of `dataset` that it does not know are the strangers; without those, each
            probe's own person is taken out of the gallery for that probe.
        progress: called after each block of photos.

    Raises:
        RecognizerNotFound: there is no recognizer file at the path.
        NotADataset: a folder holds no dataset.
        ContractMismatch: the recognizer and a dataset were made with different embedders.
        NothingToMeasure: no held-out photo is of a person in the gallery.
    """
    if isinstance(recognizer, str | os.PathLike):
        recognizer = Recognizer.load(os.fspath(recognizer))
    return evaluate_head(
        recognizer.head,
        open_dataset(dataset),
        trained_on=recognizer.about.dataset,
        strangers=None if strangers is None else open_dataset(strangers),
        progress=progress,
    )


def evaluate_head(
    head: Head,
    dataset: Dataset,
    *,
    trained_on: str = "",
    strangers: Dataset | None = None,
    progress: Progress = silent,
) -> PeopleResult:
    """Measure the head of a recognizer on a dataset's held-out photos.

    Probes are all photos of the validation side of the split, including those set aside. The
    strangers are, in this order of preference: people of `strangers` who are not in the gallery;
    people of the dataset who are not in the gallery; the probes themselves, each searched in the
    gallery without its own person.

    Args:
        head: of the recognizer.
        dataset: the photos.
        trained_on: digest of the dataset that the recognizer was trained on; empty if unknown.
        strangers: another dataset, of people that the recognizer should not know.
        progress: called after each block of photos.

    Raises:
        ContractMismatch: the head and a dataset were made with different embedders.
        NothingToMeasure: no held-out photo is of a person in the gallery.
    """
    _check_contract(head, dataset, strangers)
    probes = _probes(head, dataset)
    found = search_probes(head, probes, progress, "naming photos")
    others = _strangers(head, dataset, strangers)
    their = None
    if others is not None:
        their = search_probes(head, others, progress, "searching strangers")
    single = ~possible_duplicates(probes.source, head.people)[found.mates]
    open_set = _open_set(head, probes, found, single, others, their)
    caveats = find_caveats(
        head, dataset, probes=probes, found=found, trained_on=trained_on, strangers=strangers,
        open_set=open_set,
    )  # fmt: skip
    bins, ece = _calibration(single, found, open_set, their)
    return PeopleResult(
        head=head,
        dataset_digest=dataset.digest,
        probes=probes,
        found=found,
        all_probes=rates_of(found.ranks),
        usable_probes=rates_of(found.ranks[probes.usable]),
        rank1_people=rate_over_people(found.correct, found.mates),
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
                f"the recognizer has embeddings of contract {head.contract}, the dataset of"
                f" contract {faces.contract}",
                hint="Build the dataset again with the recognizer's detector and embedder"
                " (`Recognizer.about` has them), or train on this one.",
                code="dataset-of-another-embedder",
            )


def _probes(head: Head, dataset: Dataset) -> ProbeSet:
    known = gallery_index(dataset, head)[dataset.labels] != STRANGER
    leaks = np.array([entry.leak for entry in dataset.rows], np.bool_)
    probes = select_probes(dataset, dataset.validation & known & ~leaks, head)
    if not len(probes):
        raise NothingToMeasure(
            "no held-out photo in the dataset is of a person that the recognizer knows",
            hint="Names must be the recognizer's (`Recognizer.people`), and a person needs two"
            " photos for one to be held out.",
            code="no-probes",
        )
    return probes


def _strangers(head: Head, dataset: Dataset, strangers: Dataset | None) -> ProbeSet | None:
    """Return the probes of people who are not in the gallery, or None."""
    if strangers is None:
        found = select_probes(dataset, stranger_rows(dataset, head.people), head)
        return found if len(found) else None
    outside = stranger_rows(strangers, head.people)
    if not outside.any():
        raise NothingToMeasure(
            "every person in the dataset of strangers is known to the recognizer",
            hint="Give a dataset of other people as strangers.",
            code="no-strangers",
        )
    return select_probes(strangers, outside, head)


def _open_set(
    head: Head,
    probes: ProbeSet,
    found: ProbeSearch,
    single: NDArray[np.bool_],
    others: ProbeSet | None,
    their: ProbeSearch | None,
) -> OpenSetResult | None:
    people = len(head.people)
    if others is not None and their is not None and len(others):
        return measure_open_set(
            found.best,
            found.correct,
            their.best,
            tuple(record.person for record in others.records),
            head.policy,
            (found.named(head.policy), their.named(head.policy)),
            protocol="strangers",
            gallery=people,
        )
    # A person listed under two names is still in the gallery when one of them is left out.
    if people < 2 or not single.any():
        return None
    names = [record.person for record in probes.records]
    left_out = named_by(head.policy, found.rival_similarities, found.rival_probability)
    return measure_open_set(
        found.best,
        found.correct,
        found.rival_similarities[single],
        tuple(name for name, alone in zip(names, single, strict=True) if alone),
        head.policy,
        (found.named(head.policy), left_out[single]),
        protocol="left-out",
        gallery=people - 1,
    )


def _calibration(
    single: NDArray[np.bool_],
    found: ProbeSearch,
    open_set: OpenSetResult | None,
    their: ProbeSearch | None,
) -> tuple[tuple[ReliabilityBin, ...], float]:
    others, shares = np.empty(0), np.empty(0)
    if open_set is not None:
        shares = open_set.shares
        others = found.rival_probability if their is None else their.probability
        if their is None:
            others = others[single]
    values = np.concatenate([found.probability, others])
    right = np.concatenate([found.correct, np.zeros(len(others), np.bool_)])
    # Known people and strangers have equal total weight, whatever their numbers in this dataset.
    weights = np.concatenate(
        [np.full(len(found), 1 / len(found)), shares / max(float(shares.sum()), 1.0)]
    )
    return (
        reliability_bins(values, right, weights=weights),
        expected_calibration_error(values, right, weights=weights),
    )
