"""When this gallery says "unknown": threshold and probabilities, derived anew as it grows.

The strangers are the gallery's own people, each left out in turn: one photo of each, searched
among all the others. Of many people a sample is asked, the same one until it changes; the answer
for the whole gallery's size costs under a tenth of a second at ten thousand people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.gallery.person_matrix import PersonMatrix
from mien.models.statistics import EmbedderStatistics
from mien.policy import (
    CalibrationFit,
    EnrolmentLimits,
    Strangers,
    choose_policy,
    false_positive_rates,
    fit_calibration,
    typical_slope,
)
from mien.policy.threshold import MORE_STRANGERS
from mien.templates import nearest
from mien.types import Calibration, Interval, Policy

MOST_ASKED = 2000
"""How many people are left out in turn; that many tell a rate of 0.01 to within 0.005."""

_OUT_OF_REACH = 1.01
"""No cosine is so high, however it is rounded."""

_STEEP = 30.0
_GRID = np.linspace(-1, 1, 2001, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class DecisionRule:
    """What is asked of a face before it is given a name, in this gallery at this size.

    Attributes:
        policy: when a name is given.
        calibration: similarity to probability.
        warnings: sentences for the user; empty where all is well.
        rates: (2001,) float64, how often a stranger reaches the similarities -1 to 1; None where
            nothing is known of strangers.
    """

    policy: Policy
    calibration: Calibration
    warnings: tuple[str, ...]
    rates: NDArray[np.float64] | None

    def rates_at(self, similarities: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Return how often a stranger reaches each similarity to any person; None if unknown."""
        return None if self.rates is None else np.interp(similarities, _GRID, self.rates)


def derive(
    people: PersonMatrix, rate: float, statistics: EmbedderStatistics | None = None
) -> DecisionRule:
    """Return the standards of a gallery.

    Args:
        people: who is in it.
        rate: share of strangers who may be given any name, in (0, 1).
        statistics: what is known of the embedder's similarities, or None.
    """
    asked = _sample(people.numbers)
    limits = EnrolmentLimits.of(statistics)
    strangers, others = _left_out(people, asked, limits.same_person)
    if not len(people):
        return _nobody(rate, "Nobody is enrolled yet.")
    impostors = None if statistics is None else statistics.impostors
    if not strangers and impostors is None:
        return _nobody(rate, "Nothing is known of strangers: enrol somebody else too.")
    choice = choose_policy(strangers, people.photos, rate, statistics=impostors)
    slope = typical_slope(statistics)
    fit = _calibrate(people, asked, others, strangers, choice.policy.threshold, slope)
    rates = false_positive_rates(strangers, people.photos, _GRID, statistics=impostors)
    # A gallery's strangers are its own people: there is no dataset of others to give.
    warnings = tuple(warning.removesuffix(MORE_STRANGERS) for warning in choice.warnings)
    if slope is None:
        warnings += fit.warnings
    return DecisionRule(choice.policy, fit.calibration, warnings + limits.warnings, rates)


def _nobody(rate: float, why: str) -> DecisionRule:
    """Return the standards where nobody can be told from strangers: no similarity is enough."""
    policy = Policy(
        threshold=_OUT_OF_REACH,
        false_positive_rate=rate,
        expected=Interval(0.0, 0.0, 1.0),
        strangers=0,
        supported=False,
        source=why,
        basis="few",
    )
    # Nobody is named: the curve only has to say so of every similarity.
    return DecisionRule(policy, Calibration(_STEEP, -_STEEP), (), None)


def _sample(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of the people who are asked: at random, but always the same."""
    if len(numbers) <= MOST_ASKED:
        return np.arange(len(numbers))
    # The order of a multiplicative hash: a newcomer displaces at most one of the sample.
    order = np.argsort((numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)), kind="stable")
    return np.sort(order[:MOST_ASKED])


def _left_out(
    people: PersonMatrix, asked: NDArray[np.int64], same_person: float | None
) -> tuple[list[Strangers], NDArray[np.float32]]:
    """Return strangers, and each asked person's similarity to the nearest other.

    Somebody whose prototype is as alike to that other's as one person's are is likely enrolled
    twice: no stranger. Where that similarity is not calibrated, everybody is one.
    """
    if len(people) < 2:
        return [], np.full(len(asked), -1, np.float32)
    similarity, other = nearest(people.probes[asked], people.prototypes, asked)
    between = np.sum(people.prototypes[asked] * people.prototypes[other], axis=1)
    single = between < (np.inf if same_person is None else same_person)
    count = int(single.sum())
    if not count:
        return [], similarity
    strangers = Strangers(
        similarity[single],
        np.ones(count),
        count,
        len(people) - 1,
        "this gallery's own people, each left out in turn",
    )
    return [strangers], similarity


def _calibrate(
    people: PersonMatrix,
    asked: NDArray[np.int64],
    others: NDArray[np.float32],
    strangers: list[Strangers],
    threshold: float,
    slope: float | None,
) -> CalibrationFit:
    """Fit probabilities: each person's first photo named by the others' and the rest's."""
    several = people.photos[asked] > 1
    rows = asked[several]
    own = np.sum(people.probes[rows] * people.rests[rows], axis=1)
    nothing, none = np.zeros(0, np.float32), np.zeros(0)
    return fit_calibration(
        np.maximum(own, others[several]),
        own >= others[several],
        np.concatenate([nothing, *(group.similarity for group in strangers)]),
        np.concatenate([none, *(group.weights for group in strangers)]),
        threshold=threshold,
        typical_slope=slope,
    )
