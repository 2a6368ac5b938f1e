"""Variants of templates and scores, compared by open-set identification of View 1's people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset
from mien.evaluation import read_lfw_people
from mien.evaluation.open_set.draws import Draw, by_size, lfw_rows
from mien.evaluation.open_set.metrics import half_of
from mien.measures.open_set_draws import SearchedDraw, dir_gain_over_people, open_set_rates
from mien.measures.templates import both_views, photo_weights, sums_by_person, unit_rows

SIZES = (1, 3, 5)
DRAWS = 4
TARGETS = (1e-2, 1e-3)
Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Variant:
    """How templates are computed and scores normalised.

    Attributes:
        name: for the table.
        mirror: whether templates include mirrored crops.
        weighted: whether photos are weighted by quality.
        probe_mirror: whether a probe's mirrored crop is averaged in.
        shrunk: strength of shrinkage along the within-person scatter.
        norm: normalisation of scores with a cohort: z-norm, t-norm or s-norm.
    """

    name: str
    mirror: bool = True
    weighted: bool = True
    probe_mirror: bool = False
    shrunk: float = 0.0
    norm: Literal["", "z", "t", "s"] = ""


AS_IS = Variant("mirror images, weights by quality")
VARIANTS = (
    AS_IS,
    Variant("crops only", mirror=False, weighted=False),
    Variant("mirror images, equal weights", weighted=False),
    Variant("the probe's mirror image too", probe_mirror=True),
    *(
        Variant(f"shrunk along the scatter within people, {by:g}", shrunk=by)
        for by in (0.1, 0.3, 1)
    ),
    Variant("z-norm with a cohort", norm="z"),
    Variant("t-norm", norm="t"),
    Variant("s-norm", norm="s"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Others:
    """Statistics of people who are neither enrolled nor strangers.

    Attributes:
        cohort: (C, D) unit rows, one photo per person.
        within: (D, D) covariance of photos about the mean of their person.
        between: variance of the people's means, averaged over dimensions.
    """

    cohort: Rows
    within: NDArray[np.float64]
    between: float

    @classmethod
    def of(cls, dataset: Dataset, people: Sequence[NDArray[np.int64]]) -> Others:
        """Return the statistics of some people."""
        several = [dataset.embeddings[rows].astype(np.float64) for rows in people if len(rows) > 1]
        about = np.concatenate([rows - rows.mean(axis=0) for rows in several])
        means = np.array([rows.mean(axis=0) for rows in several])
        within = about.T @ about / (len(about) - len(several))
        # The mean of n photos also varies by 1 / n of the within-person variance.
        shares = np.mean([1 / len(rows) for rows in several])
        return cls(
            cohort=dataset.embeddings[[rows[0] for rows in people]],
            within=within,
            between=float((means.var(axis=0) - shares * np.diag(within)).mean()),
        )


def templates(dataset: Dataset, lists: Path) -> dict[str, Any]:
    """Return DIR per variant and template size, and its gain.

    Enrolled people, probes and strangers are from `peopleDevTrain.txt`; statistics that a variant
    needs are from `peopleDevTest.txt`, which lists other people.

    Args:
        dataset: LFW.
        lists: folder of both lists.
    """
    people, others = (
        lfw_rows(dataset, read_lfw_people(lists / f"peopleDev{side}.txt"))
        for side in ("Train", "Test")
    )
    learned = Others.of(dataset, others)
    trials = list(by_size(people, SIZES, draws=DRAWS))
    half = np.array([half_of(name) for name in dataset.people], np.bool_)
    found: dict[tuple[str, int], list[SearchedDraw]] = {}
    for way in VARIANTS:
        for size, trial in trials:
            turns = _search(dataset, trial, way, learned, half)
            found.setdefault((way.name, size), []).extend(turns)
    count = len(dataset.people)
    rows = []
    for way, size, target in product(VARIANTS, SIZES, TARGETS):
        draws = found[way.name, size]
        rates = open_set_rates(draws, count, target, rounds=1)
        gain = dir_gain_over_people(found[AS_IS.name, size], draws, count, target)
        rows.append(
            {
                "way": way.name,
                "photos": size,
                "target": target,
                "fpir": rates.fpir.value,
                "dir": rates.dir.value,
                "gain": [gain.value, gain.low, gain.high],
            }
        )
    first = trials[0][1]
    return {
        "people": int(first.enrolled_as.max()) + 1,
        "probes": len(first.probes),
        "strangers": len(np.unique(dataset.labels[first.strangers])),
        "cohort": len(learned.cohort),
        "draws": DRAWS,
        "ways": rows,
    }


def _search(
    dataset: Dataset, trial: Draw, way: Variant, learned: Others, half: NDArray[np.bool_]
) -> list[SearchedDraw]:
    """Search a draw's probes and strangers; each half of the strangers once sets the threshold."""
    gallery = _gallery(dataset, trial, way, learned)
    known = _scores(_probes(dataset, trial.probes, way), gallery, way, learned)
    others = _scores(_probes(dataset, trial.strangers, way), gallery, way, learned).max(axis=1)
    labels = dataset.labels[trial.strangers]
    return [
        SearchedDraw(
            best=known.max(axis=1),
            correct=known.argmax(axis=1) == trial.mates,
            person=dataset.labels[trial.probes],
            development=others[chosen],
            development_person=labels[chosen],
            strangers=others[~chosen],
            stranger_person=labels[~chosen],
        )
        for chosen in (half[labels], ~half[labels])
    ]


def _gallery(dataset: Dataset, trial: Draw, way: Variant, learned: Others) -> Rows:
    rows = dataset.embeddings[trial.enrolled]
    if way.mirror:
        rows = both_views(rows, dataset.mirrored[trial.enrolled])
    weights = photo_weights(dataset.quality[trial.enrolled])
    if not way.weighted:
        weights = np.ones_like(weights)
    people = int(trial.enrolled_as.max()) + 1
    sums = sums_by_person(rows, weights, trial.enrolled_as, people)
    if way.shrunk:
        # The posterior mean, where people's means vary equally in all directions.
        photos = len(trial.enrolled) / people
        grown = np.eye(len(learned.within))
        grown += way.shrunk * learned.within / (photos * learned.between)
        sums = np.linalg.solve(grown, sums.T).T
    return unit_rows(sums).astype(np.float32)


def _probes(dataset: Dataset, rows: NDArray[np.int64], way: Variant) -> Rows:
    if way.probe_mirror:
        return both_views(dataset.embeddings[rows], dataset.mirrored[rows])
    return dataset.embeddings[rows]


def _scores(probes: Rows, gallery: Rows, way: Variant, learned: Others) -> Rows:
    """Return (N, P) scores; with a norm they are standard deviations from the cohort's mean."""
    scores: Rows = probes @ gallery.T
    if not way.norm:
        return scores
    theirs = learned.cohort @ gallery.T
    ours = probes @ learned.cohort.T
    z = (scores - theirs.mean(axis=0)) / theirs.std(axis=0)
    t = (scores - ours.mean(axis=1, keepdims=True)) / ours.std(axis=1, keepdims=True)
    normed: Rows = {"z": z, "t": t, "s": (z + t) / 2}[way.norm]
    return normed
