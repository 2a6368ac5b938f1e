"""The weight of the embedder's typical probability curve beside held-out photos, by log loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset
from mien.engine import contract_of
from mien.evaluation import read_lfw_people
from mien.evaluation.open_set.draws import lfw_rows
from mien.measures.templates import both_views, nearest, photo_weights, sums_by_person, unit_rows
from mien.models.cards import DEFAULT_EMBEDDER, card
from mien.models.statistics import EmbedderStatistics, ImpostorStatistics
from mien.policy import choose_policy, fit_calibration, typical_slope
from mien.types import Calibration

CARD = card(DEFAULT_EMBEDDER)
SFACE = CARD.statistics_for(contract_of(CARD)) or EmbedderStatistics()
WEIGHTS = (1.0, 3.0, 10.0, 30.0, 100.0)
GALLERIES = ((10, 3), (50, 3), (200, 1))
"""Number of people and photos per person."""

FITTED_TO = (5, 20, 50, 200, 1000)
"""Photos of known people, at most half of those available, and as many of strangers."""

DRAWS = 20
PROBES = 3
RATE = 0.01
_LEAST = 1e-6
Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """Similarities of probes to a gallery, in a random order.

    Attributes:
        known: (N,) similarities of the enrolled people's other photos to the nearest person.
        right: (N,) whether that is the photo's own person.
        strangers: (S,) similarities of strangers to the nearest person.
        threshold: of the policy, by the embedder's card.
    """

    known: Scores
    right: NDArray[np.bool_]
    strangers: Scores
    threshold: float

    def calibrated(self, photos: int, weight: float) -> tuple[Calibration, float]:
        """Fit to the first photos; return the calibration and the log loss on the others."""
        own = min(photos, len(self.known) // 2)
        shares = np.ones(min(photos, len(self.strangers)))
        fit = fit_calibration(
            self.known[:own],
            self.right[:own],
            self.strangers[:photos],
            shares,
            threshold=self.threshold,
            typical_slope=typical_slope(SFACE),
            typical_weight=weight,
        ).calibration
        known, strangers = (
            np.clip(fit.probability(rest).astype(np.float64), _LEAST, 1 - _LEAST)
            for rest in (self.known[own:], self.strangers[photos:])
        )
        right = self.right[own:]
        loss = -np.log(np.where(right, known, 1 - known)).mean() - np.log(1 - strangers).mean()
        return fit, float(loss / 2)


def calibration(dataset: Dataset, lists: Path) -> dict[str, Any]:
    """Return the log loss per weight of the typical curve and number of photos fitted to.

    Args:
        dataset: LFW.
        lists: folder of `peopleDevTrain.txt`, to choose on, and `peopleDevTest.txt`, to report.
    """
    found = {}
    for side in ("Train", "Test"):
        people = lfw_rows(dataset, read_lfw_people(lists / f"peopleDev{side}.txt"))
        generator = np.random.default_rng(0)
        draws = [
            _draw(dataset, people, enrolled, photos, SFACE.impostors, generator)
            for _, (enrolled, photos) in product(range(DRAWS), GALLERIES)
        ]
        found[side] = [
            {
                "photos": photos,
                "log_loss": [
                    float(np.mean([draw.calibrated(photos, weight)[1] for draw in draws]))
                    for weight in WEIGHTS
                ],
            }
            for photos in FITTED_TO
        ]
    return {"weights": WEIGHTS, "galleries": GALLERIES, "draws": DRAWS, "sides": found}


def _draw(
    dataset: Dataset,
    people: Sequence[NDArray[np.int64]],
    enrolled: int,
    photos: int,
    statistics: ImpostorStatistics | None,
    generator: np.random.Generator,
) -> Draw:
    """Enrol some of the people with enough photos; all others are strangers."""
    several = [place for place, rows in enumerate(people) if len(rows) > photos]
    chosen = set(generator.permutation(several)[:enrolled].tolist())
    own = [generator.permutation(people[place]) for place in sorted(chosen)]
    rows = np.concatenate([each[:photos] for each in own])
    probes = [each[photos : photos + PROBES] for each in own]
    mates = np.repeat(np.arange(len(own)), [len(each) for each in probes])
    sums = sums_by_person(
        both_views(dataset.embeddings[rows], dataset.mirrored[rows]),
        photo_weights(dataset.quality[rows]),
        np.repeat(np.arange(len(own)), photos),
        len(own),
    )
    gallery = unit_rows(sums).astype(np.float32)
    known, who = nearest(dataset.embeddings[np.concatenate(probes)], gallery)
    order = generator.permutation(len(known))
    others = [rows[0] for place, rows in enumerate(people) if place not in chosen]
    strangers, _ = nearest(dataset.embeddings[generator.permutation(others)], gallery)
    counts = np.full(len(own), photos)
    return Draw(
        known=known[order],
        right=(who == mates)[order],
        strangers=strangers,
        threshold=choose_policy([], counts, RATE, statistics=statistics).policy.threshold,
    )
