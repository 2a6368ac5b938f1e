"""Open-set identification protocols: template sizes, gallery sizes, and two published for LFW."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset
from mien.dataset.storage.dataset_argument import DatasetOrPath, open_dataset
from mien.evaluation.identification.search import STRANGER, search_rows
from mien.evaluation.open_set.draws import (
    DRAWS,
    Draw,
    best_rowden,
    blufr,
    by_gallery,
    by_size,
    lfw_rows,
    people_rows,
)
from mien.evaluation.open_set.lfw_people import LfwPerson
from mien.evaluation.result_parts import ends, html_table
from mien.measures import cmc, rate_over_people
from mien.measures.open_set_draws import OpenSetRates, SearchedDraw, open_set_rates
from mien.measures.templates import both_views, photo_weights, sums_by_person, unit_rows
from mien.text import percent, span
from mien.types import Interval, Progress, silent

FPIRS = (1e-2, 1e-3)
"""False positive identification rates that thresholds are chosen for."""

RANKS = 10
"""Highest rank of the cumulative match characteristic."""

Protocol = Literal["sizes", "galleries", "blufr", "best-rowden"]


@dataclass(frozen=True, slots=True, eq=False)
class OpenSetRow:
    """Identification with one kind of gallery, over all its draws.

    Attributes:
        name: how the gallery differs from the other rows, such as `3 photos`.
        people: number of people enrolled.
        photos: mean number of photos enrolled per person.
        probes: mean number of probes of enrolled people.
        strangers: mean number of photos of strangers.
        draws: number of draws.
        rank1: closed-set rank-1 rate, with an interval from resampling people.
        cmc: mean cumulative match characteristic, ranks 1 to `RANKS`.
        rates: DIR and FPIR at each of `FPIRS`.
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

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON values; rates lie in [0, 1], intervals are over people."""
        return {
            "name": self.name,
            "people": self.people,
            "photos_each": self.photos,
            "probes": self.probes,
            "strangers": self.strangers,
            "draws": self.draws,
            "rank1": self.rank1.value,
            "rank1_interval": ends(self.rank1),
            "cmc": list(self.cmc),
            "open_set": [
                {
                    "fpir_target": rate.target,
                    "dir": rate.dir.value,
                    "dir_interval": ends(rate.dir),
                    "fnir": 1 - rate.dir.value,
                    "fpir": rate.fpir.value,
                    "fpir_interval": ends(rate.fpir),
                    "thresholds": list(rate.thresholds),
                    "development_people": rate.strangers,
                }
                for rate in self.rates
            ],
        }


@dataclass(frozen=True, slots=True, eq=False)
class OpenSetTable:
    """Open-set identification on a dataset by one protocol.

    Attributes:
        protocol: name of the protocol.
        dataset_digest: digest of the dataset.
        contract: contract id of the embeddings.
        rows: one per kind of gallery.
    """

    protocol: Protocol
    dataset_digest: str
    contract: str
    rows: tuple[OpenSetRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what `mien evaluate open-set --json` prints."""
        return {
            "protocol": self.protocol,
            "dataset": self.dataset_digest,
            "contract": self.contract,
            "rows": [row.to_dict() for row in self.rows],
        }

    def __repr__(self) -> str:
        rows = "; ".join(
            f"{row.name}: DIR {percent(row.rates[0].dir.value)} at FPIR {row.rates[0].target:g}"
            for row in self.rows
        )
        return f"<OpenSetTable {self.protocol}; {rows}>"

    def _repr_html_(self) -> str:
        rows = [
            (
                row.name,
                f"{row.people:,}",
                f"{percent(row.rank1.value)} ({span(row.rank1)})",
                f"{100 * rate.target:g} %",
                f"{percent(rate.dir.value)} ({span(rate.dir)})",
                f"{percent(rate.fpir.value)} ({span(rate.fpir)})",
            )
            for row in self.rows
            for rate in row.rates
        ]
        columns = ("templates", "people", "rank-1", "FPIR requested", "DIR", "FPIR")
        return html_table(f"Open-set identification, {self.protocol}", columns, rows)


@dataclass(frozen=True, slots=True, eq=False)
class _SearchResult:
    """Search result of one draw; people are labels of the dataset."""

    draw: Draw
    ranks: NDArray[np.int64]
    person: NDArray[np.int64]
    turns: tuple[SearchedDraw, ...]


def evaluate_open_set(
    dataset: DatasetOrPath,
    protocol: Protocol = "sizes",
    *,
    sizes: Sequence[int] = (1, 3, 5),
    galleries: Sequence[int] = (100, 200, 400, 800, 1600),
    people: Sequence[LfwPerson] = (),
    draws: int = DRAWS,
    seed: int = 0,
    include_set_aside: bool = False,
    progress: Progress = silent,
) -> OpenSetTable:
    """Measure open-set identification by a protocol: `mien evaluate open-set`.

    A template is the quality-weighted mean of the crops and mirrored crops of its photos; a probe
    is one crop, embedded as by the recognizer's graph. A threshold is chosen on one half of the
    strangers (split by the digests of their photos) and measured on the other half, both ways; or
    it is chosen on the development people of the protocol.

    Args:
        dataset: the photos: a dataset, or its folder.
        protocol: `sizes` and `galleries` vary template and gallery size; `blufr` and
            `best-rowden` are published for LFW.
        sizes: photos per template, for `sizes`.
        galleries: numbers of people, for `galleries`.
        people: LFW's list of people, for `blufr` and `best-rowden`.
        draws: number of random draws of people and photos.
        seed: random seed of the draws.
        include_set_aside: also use photos that were set aside; LFW's protocols always do.
        progress: called after each draw.

    Raises:
        NotADataset: the folder holds no dataset.
        NothingToMeasure: the dataset has too few people or photos for the protocol.
    """
    dataset = open_dataset(dataset)
    drawn: Iterable[tuple[str, Draw]]
    if protocol == "sizes":
        rows = people_rows(dataset, include_set_aside=include_set_aside)
        total = draws * len(sizes)
        named = by_size(rows, sizes, draws=draws, seed=seed)
        drawn = ((f"{n} photo{'s' * (n > 1)}", draw) for n, draw in named)
    elif protocol == "galleries":
        rows = people_rows(dataset, include_set_aside=include_set_aside)
        total = draws * len(galleries)
        named = by_gallery(rows, galleries, draws=draws, seed=seed)
        drawn = ((f"{n:,} people", draw) for n, draw in named)
    else:
        published: Callable[..., Iterable[Draw]]
        published = blufr if protocol == "blufr" else best_rowden
        total = draws
        rows = lfw_rows(dataset, people)
        drawn = ((protocol, draw) for draw in published(rows, draws=draws, seed=seed))
    found: dict[str, list[_SearchResult]] = {}
    for done, (name, draw) in enumerate(drawn, 1):
        found.setdefault(name, []).append(_search(dataset, draw))
        progress(done, total, "draws")
    table = (
        _row(name, own, len(dataset.people), progress, i, len(found))
        for i, (name, own) in enumerate(found.items())
    )
    return OpenSetTable(protocol, dataset.digest, dataset.contract, tuple(table))


def _search(dataset: Dataset, draw: Draw) -> _SearchResult:
    views = both_views(dataset.embeddings[draw.enrolled], dataset.mirrored[draw.enrolled])
    weights = photo_weights(dataset.quality[draw.enrolled])
    count = int(draw.enrolled_as.max()) + 1
    sums = sums_by_person(views, weights, draw.enrolled_as, count)
    gallery = unit_rows(sums).astype(np.float32)
    known = search_rows(gallery, dataset.embeddings[draw.probes], draw.mates)
    no_mate = np.full(len(draw.strangers), STRANGER, np.int64)
    others = search_rows(gallery, dataset.embeddings[draw.strangers], no_mate).best
    labels = dataset.labels[draw.strangers]
    half = draw.development
    turns = [half] if half is not None else _halves(dataset, draw.strangers)
    person = dataset.labels[draw.probes]
    return _SearchResult(
        draw=draw,
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
    """Return masks of the two halves of the strangers, by the lowest digest of their photos."""
    least: dict[int, str] = {}
    for row in strangers:
        entry, label = dataset.rows[row], int(dataset.labels[row])
        key = entry.sha256 or entry.id
        least[label] = min(key, least.get(label, key))
    order = sorted(least, key=least.__getitem__)
    first = set(order[::2])
    half = np.array([int(label) in first for label in dataset.labels[strangers]], np.bool_)
    return [half, ~half]


def _row(
    name: str,
    found: Sequence[_SearchResult],
    people: int,
    progress: Progress,
    done: int,
    total: int,
) -> OpenSetRow:
    turns = [turn for result in found for turn in result.turns]
    ranks = np.concatenate([result.ranks for result in found])
    first = found[0].draw
    enrolled = int(first.enrolled_as.max()) + 1
    rates = tuple(open_set_rates(turns, people, target) for target in FPIRS)
    progress(done + 1, total, "intervals")
    return OpenSetRow(
        name=name,
        people=enrolled,
        photos=len(first.enrolled) / enrolled,
        probes=float(np.mean([len(result.ranks) for result in found])),
        strangers=float(np.mean([len(result.draw.strangers) for result in found])),
        draws=len(found),
        rank1=rate_over_people(ranks == 1, np.concatenate([result.person for result in found])),
        cmc=tuple(cmc(ranks, min(RANKS, enrolled)).tolist()),
        rates=rates,
    )
