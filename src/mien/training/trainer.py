"""Train a head on a dataset: prototypes, policy, calibration and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.dataset import Dataset
from mien.errors import TooFewPeople
from mien.models.statistics import EmbedderStatistics
from mien.policy import (
    PRIOR,
    CalibrationFit,
    PolicyChoice,
    Strangers,
    decide,
    find_likely_known,
    fit_calibration,
    likely_known_notice,
    needed_for,
    search_strangers,
    stacked_similarities,
    typical_slope,
)
from mien.text import Notice
from mien.training.head_choice import HeadChoice, choose_head
from mien.training.heads import Fit
from mien.training.samples import Samples
from mien.training.stranger_scores import leave_people_out, possible_duplicates
from mien.types import Head, Interval, Progress, silent

HeadName = Literal["auto", "prototype", "softmax", "margin"]


@dataclass(frozen=True, slots=True, eq=False)
class TrainedHead:
    """A trained head and its training report.

    Attributes:
        head: prototypes, policy and calibration.
        report: JSON values: `head`, `cross_validation`, `skipped`, `loss`, `policy`,
            `probability`, `warnings`, `warning_codes`, `photos`, `people`.
    """

    head: Head
    report: dict[str, Any] = field(default_factory=dict)


def train_head(
    dataset: Dataset,
    *,
    head: HeadName = "auto",
    false_positive_rate: float = 0.01,
    confidence: float | None = None,
    strangers: NDArray[np.float32] | None = None,
    stranger_people: ArrayLike | None = None,
    stranger_source: str = "",
    statistics: EmbedderStatistics | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> TrainedHead:
    """Train a head on the training side of a dataset's split.

    The validation side is not used. The same dataset, options and seed give the same head.
    Without `statistics` the policy differs from that of `train`, which takes them from the card.

    Args:
        dataset: photos of people.
        head: kind of head; `auto` chooses by cross-validation.
        false_positive_rate: share of strangers who may be given any name, in (0, 1).
        confidence: that the rate holds for the gallery at hand, in (0, 1); None for a rate that
            holds on average over galleries.
        strangers: (S, D) float32 unit rows, photos of people who are not in the dataset.
        stranger_people: (S,) labels of any type, the person of each photo; each stranger has the
            same weight, however many photos show that person. None if all are different people.
        stranger_source: where the strangers come from, in words.
        statistics: statistics of the embedder, from its card; used if there are too few strangers
            to measure the rate, and for the curve that the calibration starts from.
        seed: random seed of folds and fits.
        progress: called after each step.

    Raises:
        TooFewPeople: there is no photo to train on; there is one person and nothing is known of
            strangers; or `strangers` is empty.
        ValueError: the rate is not between 0 and 1, there is no such kind of head, or strangers
            have another dimension.
    """
    if not 0 < false_positive_rate < 1:
        raise ValueError(f"a rate must lie between 0 and 1, got {false_positive_rate}")
    if head not in get_args(HeadName):
        raise ValueError(f"head must be one of {', '.join(get_args(HeadName))}, got {head!r}")
    samples, people = training_samples(dataset)
    if strangers is not None:
        _check_strangers(strangers, samples, stranger_source)
    asked = None if head == "auto" else head
    chosen = choose_head(samples, asked, seed=seed, progress=progress)
    fit = chosen.recipe.fit(samples, seed=seed, progress=progress)
    single = ~possible_duplicates(dataset, people)
    own = leave_people_out(
        chosen.recipe, samples, fit.rows, single=single, seed=seed, progress=progress
    )
    given: list[Strangers] = []
    notices: tuple[Notice, ...] = ()
    if strangers is not None:
        group, notices = _searched(
            strangers, stranger_people, stranger_source, fit.rows,
            samples.counts, float(false_positive_rate), statistics, people,
        )  # fmt: skip
        given.append(group)
    plain = chosen.recipe.kind == "prototype" and chosen.recipe.discount == 0
    impostors = None if statistics is None else statistics.impostors
    every = given if own is None else [*given, own.strangers]
    policy, calibration = decide(
        given, samples.counts, float(false_positive_rate),
        lambda threshold: _calibrate(chosen, every, threshold, typical_slope(statistics)),
        own=own, statistics=impostors, plain=plain, confidence=confidence,
    )  # fmt: skip
    policy = replace(policy, warnings=(*notices, *policy.warnings))
    learned = Head(
        kind=chosen.recipe.kind, people=people, prototypes=fit.rows, photos=samples.counts,
        contract=dataset.contract, calibration=calibration.calibration, policy=policy.policy,
    )  # fmt: skip
    return TrainedHead(learned, _report(learned, chosen, fit, policy, calibration))


def _check_strangers(
    strangers: NDArray[np.float32], samples: Samples, stranger_source: str
) -> None:
    if not len(strangers):
        raise TooFewPeople(
            f"{stranger_source or 'the strangers'}: no usable photo of a person who is not in the "
            "dataset itself",
            hint="Give strangers who are other people.",
            code="strangers-all-known",
        )
    if strangers.shape[1:] != samples.faces.shape[1:]:
        raise ValueError("strangers' embeddings have another dimension than the dataset's")


def _searched(
    strangers: NDArray[np.float32],
    labels: ArrayLike | None,
    source: str,
    rows: NDArray[np.float32],
    counts: NDArray[np.int64],
    rate: float,
    statistics: EmbedderStatistics | None,
    people: Sequence[str],
) -> tuple[Strangers, tuple[Notice, ...]]:
    """Return the strangers searched in the gallery, without those likely known in it."""
    labels = np.arange(len(strangers)) if labels is None else np.asarray(labels)
    known = find_likely_known(strangers, labels, rows, counts, rate, statistics)
    notices: tuple[Notice, ...] = ()
    if known:
        others = ~np.isin(labels, [one.stranger for one in known])
        strangers, labels = strangers[others], labels[others]
        notices = (likely_known_notice(known, people),)
    return search_strangers(strangers, rows, source, people=labels), notices


def training_samples(dataset: Dataset) -> tuple[Samples, tuple[str, ...]]:
    """Return the usable photos of the training side, and the names of the people.

    Raises:
        TooFewPeople: there is no usable photo.
    """
    rows = np.flatnonzero(dataset.train & dataset.usable)
    if not len(rows):
        raise TooFewPeople(
            f"{dataset.path}: no usable photo on the training side",
            hint="The reasons why photos were set aside are in its manifest.csv.",
            code="no-training-photo",
            data={"dataset": str(dataset.path)},
        )
    # Sorted by person and id, so that the order of the manifest has no effect.
    names = [dataset.rows[row].person for row in rows]
    ids = [dataset.rows[row].id for row in rows]
    rows = rows[sorted(range(len(rows)), key=lambda i: (names[i], ids[i]))]
    used, labels = np.unique(dataset.labels[rows], return_inverse=True)
    samples = Samples.of(
        dataset.embeddings[rows],
        dataset.mirrored[rows],
        dataset.quality[rows],
        labels.astype(np.int64),
        len(used),
    )
    return samples, tuple(dataset.people[person] for person in used)


def _calibrate(
    chosen: HeadChoice, strangers: list[Strangers], threshold: float, slope: float | None
) -> CalibrationFit:
    shown = chosen.held_out
    nothing = np.zeros((0, 1), np.float32)
    return fit_calibration(
        nothing if shown is None else shown.similarities,
        np.zeros(0, np.bool_) if shown is None else shown.correct,
        stacked_similarities(strangers),
        np.concatenate([np.zeros(0), *(group.weights for group in strangers)]),
        threshold=threshold,
        typical_slope=slope,
    )


def _report(
    head: Head, chosen: HeadChoice, fit: Fit, policy: PolicyChoice, calibration: CalibrationFit
) -> dict[str, Any]:
    warnings = (*policy.warnings, *calibration.warnings)
    tried = [
        {
            "head": recipe.kind,
            "discount": recipe.discount,
            "rank1": rank1.value,
            "rank1_interval": [rank1.low, rank1.high],
            "chosen": recipe == chosen.recipe,
        }
        for recipe, rank1 in chosen.tried
    ]
    return {
        "people": len(head.people),
        "photos": int(head.photos.sum()),
        "head": {"kind": chosen.recipe.kind, "discount": chosen.recipe.discount},
        "cross_validation": tried,
        "held_out": 0 if chosen.held_out is None else len(chosen.held_out.correct),
        "skipped": [{"head": recipe.kind, "why": why} for recipe, why in chosen.skipped],
        "loss": list(fit.loss),
        "policy": {
            "threshold": head.policy.threshold,
            "false_positive_rate": head.policy.false_positive_rate,
            "expected": _numbers(head.policy.expected),
            "supported": head.policy.supported,
            "basis": head.policy.basis,
            "supportable": policy.supportable,
            "strangers": head.policy.strangers,
            "stranger_people": policy.people,
            "strangers_needed": needed_for(head.policy.false_positive_rate),
            "source": head.policy.source,
            "shift": head.policy.shift,
            "groups": [
                {
                    "source": group.source,
                    "people": group.people,
                    "rate": _numbers(group.rate),
                    "threshold": group.threshold,
                }
                for group in policy.groups
            ],
        },
        "probability": {
            "slope": head.calibration.slope,
            "offset": head.calibration.offset,
            "ece": calibration.error,
            "meaning": PRIOR,
        },
        "warnings": [notice.text for notice in warnings],
        "warning_codes": [notice.code for notice in warnings],
    }


def _numbers(interval: Interval) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}
