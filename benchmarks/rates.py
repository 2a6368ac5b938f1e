"""Whether the false positive rate that was asked for is the one that is found.

    mien dataset build lfw:lfw-deepfunneled.tgz -o lfw
    python benchmarks/rates.py lfw --people peopleDevTest.txt [--gallery DATASET] [--json OUT]

Galleries of 20, 50 and 80 people are drawn 30 times each, up to three photos of each person. Their
thresholds are chosen as `mien train --strangers` chooses them, on the strangers of one group, and
the rate is measured on visitors of whom the gallery knows nothing:

- `same`: gallery, strangers and visitors are of all people;
- `cluster of k`: the people are clustered by their embeddings (spherical k-means); gallery and
  visitors are of one cluster, strangers of another;
- `sharp` and `blurred`, `large` and `small`, `colour` and `grey`: gallery and visitors are of the
  people whose photos have the property, strangers of those whose photos have the other one;
- `no strangers`: as `same`, with the embedder's card alone;
- `galleries of another dataset`: gallery and strangers of none, visitors of LFW.

One line of the table is one kind of people, size and rate asked for: the rate found at the
threshold of the rate over the rate asked for, with the interval of its mean over galleries; the
same as shipped, where no name is given that is less likely than not; the share of galleries in
which the rate is said to be supported; and the share of the other photos of the gallery's people
that are named rightly.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset
from mien.evaluation.open_set.lfw_people import read_lfw_people
from mien.measures.templates import both_views, nearest_few, unit_rows
from mien.models.cards import DEFAULT_EMBEDDER, card
from mien.models.statistics import EmbedderStatistics
from mien.policy import (
    CalibrationFit,
    choose_policy,
    decide,
    fit_calibration,
    search_strangers,
    stacked_similarities,
    typical_slope,
)
from mien.training import Recipe, Samples, leave_people_out
from mien.training.head_choice import cross_validate, photo_folds

SIZES = (20, 50, 80)
RATES = (0.05, 0.01, 0.003)
DRAWS = 30
ENROLLED = 3
CLUSTERS = (2, 3, 4, 5)
People = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Photos:
    """The usable photos of the people who take part.

    Attributes:
        dataset: what they are rows of.
        rows: rows of each person, by the person's number.
        people: numbers of the people with at least one photo.
    """

    dataset: Dataset
    rows: tuple[NDArray[np.int64], ...]
    people: People

    @classmethod
    def of(cls, dataset: Dataset, names: set[str] | None) -> Photos:
        """Return the photos of people with these names, or of all, none under two names."""
        doubled = {n for pair in dataset.card.get("same_person", ()) for n in pair["people"]}
        wanted = np.array(
            [n not in doubled and (names is None or n in names) for n in dataset.people], np.bool_
        )
        leaks = np.array([entry.leak for entry in dataset.rows], np.bool_)
        usable = dataset.usable & ~leaks & wanted[dataset.labels]
        rows = tuple(
            np.flatnonzero(usable & (dataset.labels == person))
            if wanted[person]
            else np.zeros(0, np.int64)
            for person in range(len(dataset.people))
        )
        return cls(dataset, rows, np.array([p for p, found in enumerate(rows) if len(found)]))

    def of_people(self, people: People) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows of all photos of people, and each photo's place among the people."""
        found = [self.rows[person] for person in people]
        return np.concatenate(found), np.repeat(np.arange(len(people)), [len(r) for r in found])


@dataclass(frozen=True, slots=True)
class Found:
    """What one gallery gave.

    Attributes:
        fpir: share of visitors, each of equal weight, who reach the threshold of the rate.
        shipped: share of them given a name, none of which is less likely than not.
        supported: whether the rate was said to be supported.
        basis: of the policy.
        threshold: of the policy.
        named: share of the other photos of the gallery's people named rightly, as shipped.
    """

    fpir: float
    shipped: float
    supported: bool
    basis: str
    threshold: float
    named: float


def gallery_of(
    photos: Photos, people: People, generator: np.random.Generator
) -> tuple[Samples, NDArray[np.int64], NDArray[np.int64]]:
    """Return the enrolled photos of people, and the rows and people of their other photos."""
    enrolled, probes, mates = [], [], []
    for number, person in enumerate(people):
        rows = generator.permutation(photos.rows[person])
        cut = min(ENROLLED, max(1, len(rows) - 1))
        enrolled.append(rows[:cut])
        probes.append(rows[cut:])
        mates.append(np.full(len(rows) - cut, number))
    rows = np.concatenate(enrolled)
    labels = np.repeat(np.arange(len(people)), [len(r) for r in enrolled])
    data = photos.dataset
    samples = Samples.of(
        data.embeddings[rows], data.mirrored[rows], data.quality[rows], labels, len(people)
    )
    return samples, np.concatenate(probes), np.concatenate(mates)


def measure(
    photos: Photos,
    people: People,
    strangers: People | None,
    visitors: tuple[Photos, People],
    seed: int,
) -> Iterator[tuple[float, Found]]:
    """Choose thresholds for one gallery and measure them on its visitors, at each rate."""
    recipe = Recipe("prototype")
    samples, probes, mates = gallery_of(photos, people, np.random.default_rng(seed))
    rows = recipe.fit(samples).rows
    own = leave_people_out(recipe, samples, rows)
    groups = []
    if strangers is not None:
        where, who = photos.of_people(strangers)
        groups = [search_strangers(photos.dataset.embeddings[where], rows, people=who)]
    place, visitor = visitors[0].of_people(visitors[1])
    reached, _ = nearest_few(visitors[0].dataset.embeddings[place], rows)
    weights = 1 / np.bincount(visitor)[visitor]
    best, who = nearest_few(photos.dataset.embeddings[probes], rows)
    statistics = engine_statistics()
    held_out = cross_validate(recipe, samples, photo_folds(samples, seed))

    def fit(threshold: float) -> CalibrationFit:
        every = [*groups, *([] if own is None else [own.strangers])]
        return fit_calibration(
            held_out.similarities,
            held_out.correct,
            stacked_similarities(every),
            np.concatenate([group.weights for group in every]),
            threshold=threshold,
            typical_slope=typical_slope(statistics),
        )

    for rate in RATES:
        known = {"own": own, "statistics": statistics.impostors}
        policy = choose_policy(groups, samples.counts, rate, **known).policy
        shipped, calibration = decide(groups, samples.counts, rate, fit, **known)
        named = {}
        for name, similar in (("visitors", reached), ("probes", best)):
            odds = calibration.calibration.odds(similar)
            chance = odds[:, 0] / (1 + odds.sum(axis=1))
            named[name] = (similar[:, 0] >= shipped.policy.threshold) & (chance >= 0.5)
        found = Found(
            float(weights[reached[:, 0] >= np.float32(policy.threshold)].sum() / len(visitors[1])),
            float(weights[named["visitors"]].sum() / len(visitors[1])),
            policy.supported,
            policy.basis,
            policy.threshold,
            float(np.mean(named["probes"] & (who == mates))) if len(best) else float("nan"),
        )
        yield rate, found


def engine_statistics() -> EmbedderStatistics:
    """Return what the default embedder's card states."""
    stated = card(DEFAULT_EMBEDDER)
    return EmbedderStatistics(stated.impostors, stated.verification, stated.genuine)


def clusters(photos: Photos, count: int) -> list[People]:
    """Return the people in clusters of the means of their embeddings."""
    views = both_views(photos.dataset.embeddings, photos.dataset.mirrored)
    means = unit_rows(np.stack([views[photos.rows[p]].sum(axis=0) for p in photos.people]))
    generator = np.random.default_rng(0)
    centres = means[generator.choice(len(means), count, replace=False)]
    for _ in range(50):
        nearest_centre = np.argmax(means @ centres.T, axis=1)
        sums = [means[nearest_centre == c].sum(axis=0) for c in range(count)]
        centres = unit_rows(np.stack(sums).astype(np.float32))
    return [photos.people[nearest_centre == c] for c in range(count)]


def halves(photos: Photos, of: Callable[[int], float]) -> list[People]:
    """Return the people in the lower and the upper two fifths of a property of their photos."""
    values = np.array([np.mean([of(row) for row in photos.rows[p]]) for p in photos.people])
    low, high = np.quantile(values, [0.4, 0.6])
    return [photos.people[values <= low], photos.people[values >= high]]


def colourfulness(dataset: Dataset) -> Callable[[int], float]:
    """Return a function from a row to how far its crop is from grey, in steps of 255."""

    def of(row: int) -> float:
        crop = dataset.crop(dataset.rows[row])
        if crop is None:
            return 0.0
        pixels = crop.astype(np.float64)
        return float(np.mean(pixels.max(axis=2) - pixels.min(axis=2)))

    return of


def kinds(photos: Photos) -> Iterator[tuple[str, list[tuple[People, People | None]]]]:
    """Return each kind of people: pairs of gallery with visitors, and strangers."""
    everyone = photos.people
    yield "no strangers", [(everyone, None)]
    yield "same", [(everyone, everyone)]
    for count in CLUSTERS:
        found = clusters(photos, count)
        yield f"cluster of {count}", list(permutations(found, 2))
        yield f"cluster of {count}, same", [(cluster, cluster) for cluster in found]
    entries = photos.dataset.rows
    properties: tuple[tuple[str, Callable[[int], float]], ...] = (
        ("blur", lambda row: entries[row].blur),
        ("size", lambda row: entries[row].size),
        ("colour", colourfulness(photos.dataset)),
    )
    for name, of in properties:
        low, high = halves(photos, of)
        yield f"{name}: low, strangers high", [(low, high)]
        yield f"{name}: high, strangers low", [(high, low)]


def drawn(
    photos: Photos, pairs: list[tuple[People, People | None]], size: int, draw: int
) -> tuple[People, People | None, People] | None:
    """Return gallery, strangers and visitors of one draw; None where there are too few people."""
    home, away = pairs[draw % len(pairs)]
    generator = np.random.default_rng([draw, size])
    order = generator.permutation(home)
    several = np.array([len(photos.rows[p]) > 1 for p in order])
    people = np.concatenate([order[several], order[~several]])[:size]
    rest = order[~np.isin(order, people)]
    if len(people) < size or len(rest) < 2 * size:
        return None
    if away is not None and away is home:
        return people, rest[::2], rest[1::2]
    return people, away, rest


def row_of(kind: str, size: int, rate: float, found: list[Found]) -> dict[str, object]:
    """Return one line of the table."""
    ratio = np.array([one.fpir for one in found]) / rate
    half = 1.96 * ratio.std(ddof=1) / np.sqrt(len(ratio)) if len(ratio) > 1 else float("nan")
    return {
        "kind": kind, "people": size, "rate": rate, "galleries": len(found),
        "ratio": float(ratio.mean()), "low": float(ratio.mean() - half),
        "high": float(ratio.mean() + half),
        "shipped": float(np.mean([one.shipped for one in found])) / rate,
        "supported": float(np.mean([one.supported for one in found])),
        "named": float(np.nanmean([one.named for one in found])),
        "draws": [asdict(one) for one in found],
    }  # fmt: skip


def main() -> None:
    """Measure, print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("dataset", type=Path, help="LFW, built by `mien dataset build`")
    parser.add_argument("--people", type=Path, help="list of the people who take part")
    parser.add_argument("--gallery", type=Path, help="another dataset, for galleries of its people")
    parser.add_argument("--json", type=Path, help="write the results here")
    asked = parser.parse_args()
    names = None
    if asked.people:
        names = {person.name.replace("_", " ") for person in read_lfw_people(asked.people)}
    photos = Photos.of(Dataset.open(asked.dataset), names)
    lines = []
    for kind, pairs in kinds(photos):
        for size in SIZES:
            every: dict[float, list[Found]] = {rate: [] for rate in RATES}
            for draw in range(DRAWS):
                parts = drawn(photos, pairs, size, draw)
                if parts is None:
                    continue
                people, strangers, visitors = parts
                for rate, one in measure(photos, people, strangers, (photos, visitors), draw):
                    every[rate].append(one)
            lines += [row_of(kind, size, rate, one) for rate, one in every.items() if one]
    if asked.gallery:
        lines += list(another_dataset(Photos.of(Dataset.open(asked.gallery), None), photos))
    print(
        "| kind of people | people | asked | found / asked | as shipped | supported | named right |"
    )
    print("|---|---|---|---|---|---|---|")
    for line in lines:
        print(
            f"| {line['kind']} | {line['people']} | {100 * line['rate']:g} % "
            f"| {line['ratio']:.2f} ({line['low']:.2f} to {line['high']:.2f}) "
            f"| {line['shipped']:.2f} | {line['supported']:.0%} | {line['named']:.1%} |"
        )
    if asked.json:
        asked.json.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")


def another_dataset(photos: Photos, visitors: Photos) -> Iterator[dict[str, object]]:
    """Yield the lines of galleries of another dataset's people, with visitors of this one."""
    every: dict[float, list[Found]] = {rate: [] for rate in RATES}
    for draw in range(DRAWS):
        for rate, one in measure(photos, photos.people, None, (visitors, visitors.people), draw):
            every[rate].append(one)
    for rate, found in every.items():
        yield row_of("another dataset", len(photos.people), rate, found)


if __name__ == "__main__":
    main()
