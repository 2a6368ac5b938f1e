"""Open-set identification on Labeled Faces in the Wild.

    mien dataset build lfw:lfw-deepfunneled.tgz -o lfw
    python benchmarks/open_set.py lfw [--rate 0.01] [--json OUT]

All people with more than three photos (610 people) are enrolled with the first three by file name;
their other photos are the probes. People with a single photo (4,069 people) are strangers. The
strangers are split in half by the first bit of the sha256 of their names: the policy is set on one
half and measured on the other, both ways, so that no rate is reported on the people it was set on.
Photos that the dataset has set aside are used as well.

Two policies are measured: one set on a half of the strangers alone, and one set as by
`mien train --strangers`: by the embedder's card too and by each enrolled person left out in turn,
with no name that is less likely than not.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset, Entry
from mien.evaluation.open_set.metrics import half_of
from mien.graph.settings import EVEN_ODDS
from mien.measures import bootstrap_mean, wilson
from mien.measures.templates import nearest_few
from mien.models.cards import DEFAULT_EMBEDDER, card
from mien.models.statistics import EmbedderStatistics
from mien.policy import (
    CalibrationFit,
    choose_policy,
    decide,
    find_likely_known,
    fit_calibration,
    search_strangers,
    stacked_similarities,
    typical_slope,
)
from mien.training import Recipe, Samples, leave_people_out
from mien.training.head_choice import cross_validate, photo_folds
from mien.types import Calibration, Interval, Policy

ENROLLED = 3


@dataclass(frozen=True, eq=False)
class Protocol:
    """Enrolled people, probes and strangers, as rows of a dataset.

    Attributes:
        people: P names of the enrolled people.
        enrolled: (3 P,) rows, three per person.
        probes: (N,) rows of the enrolled people's other photos.
        mates: (N,) index of each probe's person.
        strangers: (S,) rows, one per person.
        half: (S,) half of each stranger, 0 or 1.
    """

    people: tuple[str, ...]
    enrolled: NDArray[np.int64]
    probes: NDArray[np.int64]
    mates: NDArray[np.int64]
    strangers: NDArray[np.int64]
    half: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Result:
    """Error rates of one policy.

    Attributes:
        policy: how it was set.
        set_on: number of strangers that it was set on.
        threshold: least similarity for a name.
        fpir: on the other half, with Wilson's interval.
        dir: of the enrolled people's probes, with Wilson's interval.
        dir_people: the same, with an interval from a bootstrap over people.
        strangers: number of strangers in the other half.
        probes: number of probes.
        gallery: number of enrolled people.
    """

    policy: str
    set_on: int
    threshold: float
    fpir: Interval
    dir: Interval
    dir_people: Interval
    strangers: int
    probes: int
    gallery: int


def protocol_of(dataset: Dataset) -> Protocol:
    """Return the protocol on the photos of LFW in a dataset; other photos are ignored."""
    photos: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in dataset.rows:
        name, _, number = Path(entry.photo).stem.rpartition("_")
        if number.isdigit() and Path(entry.photo).parent.name == name:
            photos[name].append(entry)
    known = sorted(name for name, taken in photos.items() if len(taken) > ENROLLED)
    single = sorted(name for name, taken in photos.items() if len(taken) == 1)
    enrolled, probes, mates = [], [], []
    for mate, name in enumerate(known):
        rows = [entry.row for entry in sorted(photos[name], key=lambda entry: entry.photo)]
        enrolled += rows[:ENROLLED]
        probes += rows[ENROLLED:]
        mates += [mate] * len(rows[ENROLLED:])
    return Protocol(
        people=tuple(known),
        enrolled=np.array(enrolled, np.int64),
        probes=np.array(probes, np.int64),
        mates=np.array(mates, np.int64),
        strangers=np.array([photos[name][0].row for name in single], np.int64),
        half=np.array([half_of(name) for name in single], np.int64),
    )


def measure(dataset: Dataset, protocol: Protocol, rate: float) -> list[Result]:
    """Set a policy on each half of the strangers and measure it on the other."""
    samples = Samples.of(
        dataset.embeddings[protocol.enrolled],
        dataset.mirrored[protocol.enrolled],
        dataset.quality[protocol.enrolled],
        np.repeat(np.arange(len(protocol.people)), ENROLLED),
        len(protocol.people),
    )
    recipe = Recipe("prototype")
    rows = recipe.fit(samples).rows
    best, who = nearest_few(dataset.embeddings[protocol.probes], rows)
    right = who == protocol.mates
    results = []
    for set_on in (0, 1):
        here, there = (protocol.strangers[protocol.half == half] for half in (set_on, 1 - set_on))
        others, _ = nearest_few(dataset.embeddings[there], rows)
        alone = search_strangers(dataset.embeddings[here], rows, "strangers of LFW")
        threshold = choose_policy([alone], samples.counts, rate).policy.threshold
        head = train(samples, rows, dataset.embeddings[here], rate)
        for name, (at, strange, known) in {
            "strangers": (threshold, others[:, 0] >= threshold, best[:, 0] >= threshold),
            "mien train": (head[0].threshold, is_named(others, *head), is_named(best, *head)),
        }.items():
            results.append(
                Result(
                    policy=name,
                    set_on=len(here),
                    threshold=at,
                    fpir=wilson(int(strange.sum()), len(there)),
                    dir=wilson(int(np.sum(known & right)), len(best)),
                    dir_people=bootstrap_mean(known & right, protocol.mates),
                    strangers=len(there),
                    probes=len(best),
                    gallery=len(rows),
                )
            )
    return results


def train(
    samples: Samples, rows: NDArray[np.float32], strangers: NDArray[np.float32], rate: float
) -> tuple[Policy, Calibration]:
    """Return policy and calibration as `mien train --strangers` chooses them."""
    stated = card(DEFAULT_EMBEDDER)
    statistics = EmbedderStatistics(stated.impostors, stated.verification, stated.genuine)
    recipe = Recipe("prototype")
    own = leave_people_out(recipe, samples, rows)
    known = find_likely_known(strangers, None, rows, samples.counts, rate, statistics)
    strangers = np.delete(strangers, [one.stranger for one in known], axis=0)
    given = search_strangers(strangers, rows, "strangers of LFW")
    every = [given, own.strangers]
    held_out = cross_validate(recipe, samples, photo_folds(samples, 0))

    def fit(threshold: float) -> CalibrationFit:
        return fit_calibration(
            held_out.similarities,
            held_out.correct,
            stacked_similarities(every),
            np.concatenate([group.weights for group in every]),
            threshold=threshold,
            typical_slope=typical_slope(statistics),
        )

    choice, found = decide(
        [given], samples.counts, rate, fit, own=own, statistics=statistics.impostors
    )
    return choice.policy, found.calibration


def is_named(
    similar: NDArray[np.float32], policy: Policy, calibration: Calibration
) -> NDArray[np.bool_]:
    """Return which faces get a name, by their similarities to the most similar people."""
    others = calibration.odds(similar[:, 1:]).sum(axis=1)
    likely = calibration.probability(similar[:, 0], others) >= EVEN_ODDS
    return likely & (similar[:, 0] >= np.float32(policy.threshold))


def table(results: list[Result]) -> str:
    """Return the results as a table of Markdown."""
    lines = [
        "| policy set on | threshold | FPIR on the other half | DIR | bootstrap over people |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        where = f"{result.set_on:,} strangers"
        if result.policy != "strangers":
            where += ", as `mien train --strangers`"
        lines.append(
            f"| {where} | {result.threshold:.3f} | {_percent(result.fpir)} of "
            f"{result.strangers:,} | {_share(result.dir)} of {result.probes:,} | "
            f"{result.dir_people.low:.4f} to {result.dir_people.high:.4f} |"
        )
    return "\n".join(lines)


def _percent(rate: Interval) -> str:
    return f"{100 * rate.value:.2f} % ({100 * rate.low:.2f} to {100 * rate.high:.2f} %)"


def _share(rate: Interval) -> str:
    return f"{rate.value:.4f} ({rate.low:.4f} to {rate.high:.4f})"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Open set on LFW.")
    parser.add_argument("dataset", type=Path, help="made by mien dataset build lfw:PATH")
    parser.add_argument("--rate", type=float, default=0.01, help="requested FPIR")
    parser.add_argument("--json", type=Path, help="write the results here")
    chosen = parser.parse_args()
    dataset = Dataset.open(chosen.dataset)
    results = measure(dataset, protocol_of(dataset), chosen.rate)
    print(table(results))
    if chosen.json:
        text = json.dumps([asdict(result) for result in results], indent=2)
        chosen.json.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
