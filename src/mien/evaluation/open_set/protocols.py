"""Open-set identification measured over trials: templates of several sizes, growing galleries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset
from mien.evaluation.identification.search import STRANGER, search_rows
from mien.evaluation.open_set import draws as trials
from mien.evaluation.open_set.draws import Draw
from mien.evaluation.open_set.lfw_people import LfwPerson
from mien.measures import bootstrap_mean, cmc
from mien.measures.open_set_draws import OpenSetRates, SearchedDraw, open_set_rates
from mien.templates import both_views, photo_weights, sums_by_person, unit_rows
from mien.types import Interval, Progress, silent

FPIRS = (1e-2, 1e-3)
"""Rates of strangers given a name that thresholds are chosen for."""

RANKS = 10
"""Length of the cumulative match characteristic."""

Protocol = Literal["sizes", "galleries", "blufr", "best-rowden"]


@dataclass(frozen=True, slots=True, eq=False)
class OpenSetTable:
    """One line of a table: identification with one kind of gallery, over all its draws.

    Attributes:
        name: what is special about the gallery, such as `3 photos`.
        people: enrolled.
        photos: enrolled of each, on average.
        probes: mean number of known people's probes.
        strangers: mean number of strangers' photos.
        draws: how often people or photos were drawn.
        rank1: closed set, its interval from resampling people.
        cmc: (`RANKS`,) mean cumulative match characteristic.
        rates: at each of `FPIRS`.
    """

    name: str
    people: int
    photos: float
    probes: float
    strangers: float
    draws: int
    rank1: Interval
    cmc: tuple[float, ...]
    rates: tuple[OpenSetRates, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What one trial found; people are the dataset's labels."""

    trial: Draw
    ranks: NDArray[np.int64]
    person: NDArray[np.int64]
    turns: tuple[SearchedDraw, ...]


def evaluate_open_set(
    dataset: Dataset,
    protocol: Protocol,
    *,
    sizes: Sequence[int] = (1, 3, 5),
    galleries: Sequence[int] = (100, 200, 400, 800, 1600),
    people: Sequence[LfwPerson] = (),
    draws: int = trials.DRAWS,
    seed: int = 0,
    every: bool = False,
    progress: Progress = silent,
) -> tuple[OpenSetTable, ...]:
    """Measure open-set identification by a protocol of `trials`.

    A template is the quality-weighted mean of its photos' crops and mirrored crops; a probe is one
    crop, as the recognizer's graph embeds it. Thresholds come from one half of the strangers, by
    their photos' digests, or from the protocol's own development people, and the rates from
    the others; halves take turns.

    Args:
        dataset: the photos.
        protocol: which.
        sizes: of templates, for `sizes`.
        galleries: numbers of people, for `galleries`.
        people: LFW's list, for `blufr` and `best-rowden`.
        draws: how often people and photos are drawn.
        seed: of the draws.
        every: also photos that were set aside as doubtful; the protocols of LFW take all.
        progress: told of each trial.

    Raises:
        NothingToMeasure: the dataset has too few people or photos for the protocol.
    """
    made: Iterable[tuple[str, Draw]]
    if protocol == "sizes":
        rows = trials.people_rows(dataset, every=every)
        count = draws * len(sizes)
        named = trials.by_size(rows, sizes, draws=draws, seed=seed)
        made = ((f"{n} photo{'s' * (n > 1)}", trial) for n, trial in named)
    elif protocol == "galleries":
        rows = trials.people_rows(dataset, every=every)
        count = draws * len(galleries)
        named = trials.by_gallery(rows, galleries, draws=draws, seed=seed)
        made = ((f"{n:,} people", trial) for n, trial in named)
    else:
        draw: Callable[..., Iterable[Draw]]
        draw = trials.blufr if protocol == "blufr" else trials.best_rowden
        count = draws
        rows = trials.lfw_rows(dataset, people)
        made = ((protocol, trial) for trial in draw(rows, draws=draws, seed=seed))
    found: dict[str, list[_Found]] = {}
    for done, (name, trial) in enumerate(made, 1):
        found.setdefault(name, []).append(_search(dataset, trial))
        progress(done, count, "trials")
    return tuple(
        _table(name, own, len(dataset.people), progress, i, len(found))
        for i, (name, own) in enumerate(found.items())
    )


def _search(dataset: Dataset, trial: Draw) -> _Found:
    views = both_views(dataset.embeddings[trial.enrolled], dataset.mirrored[trial.enrolled])
    weights = photo_weights(dataset.quality[trial.enrolled])
    count = int(trial.enrolled_as.max()) + 1
    sums = sums_by_person(views, weights, trial.enrolled_as, count)
    gallery = unit_rows(sums).astype(np.float32)
    known = search_rows(gallery, dataset.embeddings[trial.probes], trial.mates)
    nobody = np.full(len(trial.strangers), STRANGER, np.int64)
    others = search_rows(gallery, dataset.embeddings[trial.strangers], nobody).best
    labels = dataset.labels[trial.strangers]
    half = trial.development
    turns = [half] if half is not None else _halves(dataset, trial.strangers)
    person = dataset.labels[trial.probes]
    return _Found(
        trial=trial,
        ranks=known.ranks,
        person=person,
        turns=tuple(
            SearchedDraw(
                known.best, known.correct, person, others[d], labels[d], others[~d], labels[~d]
            )
            for d in turns
        ),
    )


def _halves(dataset: Dataset, strangers: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
    """Return either half of the strangers: whole people, by the least digest of their photos."""
    least: dict[int, str] = {}
    for row in strangers:
        entry, label = dataset.rows[row], int(dataset.labels[row])
        key = entry.sha256 or entry.id
        least[label] = min(key, least.get(label, key))
    order = sorted(least, key=least.__getitem__)
    first = set(order[::2])
    half = np.array([int(label) in first for label in dataset.labels[strangers]], np.bool_)
    return [half, ~half]


def _table(
    name: str, found: Sequence[_Found], people: int, progress: Progress, done: int, total: int
) -> OpenSetTable:
    turns = [turn for draw in found for turn in draw.turns]
    ranks = np.concatenate([draw.ranks for draw in found])
    first = found[0].trial
    enrolled = int(first.enrolled_as.max()) + 1
    rates = tuple(open_set_rates(turns, people, target) for target in FPIRS)
    progress(done + 1, total, "intervals")
    return OpenSetTable(
        name=name,
        people=enrolled,
        photos=len(first.enrolled) / enrolled,
        probes=float(np.mean([len(draw.ranks) for draw in found])),
        strangers=float(np.mean([len(draw.trial.strangers) for draw in found])),
        draws=len(found),
        rank1=bootstrap_mean(ranks == 1, np.concatenate([draw.person for draw in found])),
        cmc=tuple(cmc(ranks, min(RANKS, enrolled)).tolist()),
        rates=rates,
    )
