"""When a gallery says "unknown": threshold and calibration, computed again as the gallery changes.

The gallery's own people serve as strangers: each is left out in turn, and the first photo is
searched among all the others. A large gallery takes a fixed sample of people, so that this costs
under a tenth of a second at ten thousand people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.gallery.person_matrix import PersonMatrix
from mien.measures.templates import FEW, nearest_few
from mien.models.statistics import EmbedderStatistics
from mien.policy import (
    CalibrationFit,
    EnrolmentLimits,
    ImpostorHistogram,
    OwnPeople,
    Strangers,
    decide,
    false_positive_rates,
    fit_calibration,
    typical_slope,
)
from mien.text import Notice
from mien.types import Calibration, Interval, Policy

MAX_SAMPLE = 2000
"""How many people are left out in turn at most; they give a rate of 0.01 to within 0.005."""

MOST_COMPARED = 500
"""How many people's photos are compared with everyone at most, to see how alike people look and
what a similarity means."""

_UNREACHABLE = 1.01
"""A threshold above every cosine, also a rounded one."""

_STEEP = 30.0
_GRID = np.linspace(-1, 1, 2001, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class DecisionRule:
    """When a face is given a name, in a gallery at its present size.

    Attributes:
        policy: when a name is given.
        calibration: similarity to probability.
        warnings: what limits the policy; empty where nothing does.
        rates: (2001,) float64, how often a stranger reaches the similarities from -1 to 1 in steps
            of 0.001; None where nothing is known of strangers.
    """

    policy: Policy
    calibration: Calibration
    warnings: tuple[Notice, ...]
    rates: NDArray[np.float64] | None

    def rates_at(self, similarities: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Return how often a stranger reaches each similarity to any person; None if unknown."""
        return None if self.rates is None else np.interp(similarities, _GRID, self.rates)


def derive_rule(
    people: PersonMatrix, rate: float, statistics: EmbedderStatistics | None = None
) -> DecisionRule:
    """Return the decision rule of a gallery.

    Args:
        people: of the gallery.
        rate: share of strangers who may be given any name, in (0, 1).
        statistics: what is known of the embedder's similarities, or None.
    """
    sample = _sample(people.numbers)
    limits = EnrolmentLimits.of(statistics)
    own = _own_people(people, sample, limits.same_person)
    if not len(people):
        return _always_unknown(rate, "No person is enrolled yet.", limits.warnings)
    impostors = None if statistics is None else statistics.impostors
    if own is None and impostors is None:
        why = "Nothing is known of strangers: enrol another person too."
        return _always_unknown(rate, why, limits.warnings)
    slope = typical_slope(statistics)
    choice, fit = decide(
        [],
        people.photos,
        rate,
        lambda threshold: _calibrate(people, sample, limits, threshold, slope),
        own=own,
        statistics=impostors,
    )
    rates = false_positive_rates([], people.photos, _GRID, own=own, statistics=impostors)
    warnings = choice.warnings
    if slope is None:
        warnings += fit.warnings
    return DecisionRule(choice.policy, fit.calibration, warnings + limits.warnings, rates)


def _always_unknown(rate: float, why: str, warnings: tuple[Notice, ...]) -> DecisionRule:
    """Return the rule for when people cannot be distinguished from strangers: no name is given."""
    policy = Policy(
        threshold=_UNREACHABLE,
        false_positive_rate=rate,
        expected=Interval(0.0, 0.0, 1.0),
        strangers=0,
        supported=False,
        source=why,
        basis="few",
    )
    # No name is given: the calibration only has to give a low probability everywhere.
    return DecisionRule(policy, Calibration(_STEEP, -_STEEP), warnings, None)


def _sample(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of a pseudo-random sample of people, always the same one."""
    if len(numbers) <= MAX_SAMPLE:
        return np.arange(len(numbers))
    # The order of a multiplicative hash: a new person displaces at most one of the sample.
    order = np.argsort((numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)), kind="stable")
    return np.sort(order[:MAX_SAMPLE])


@dataclass(frozen=True, slots=True, eq=False)
class _LeftOut:
    """Some people of a gallery, each left out in turn.

    Attributes:
        rows: (S,) rows of the people.
        similarities: (S, K) float32, of each one's first photo to the most similar other people.
        single: (S,) bool, False where the person is likely enrolled twice, and no stranger.
    """

    rows: NDArray[np.int64]
    similarities: NDArray[np.float32]
    single: NDArray[np.bool_]


def _left_out(
    people: PersonMatrix, sample: NDArray[np.int64], same_person: float | None, few: int
) -> _LeftOut:
    """Leave each person of a sample out in turn and search the others.

    A person whose prototype is as similar to the nearest other's as two prototypes of one person
    is likely enrolled twice, and does not count as a stranger. Where that similarity is not
    calibrated for the embedder, everyone counts.

    Args:
        people: of the gallery, at least two.
        sample: (S,) rows of the people to leave out.
        same_person: similarity of two prototypes from which they are likely of one person; None
            where it is not calibrated.
        few: how many of the others at most.
    """
    similarities, other = nearest_few(people.probes[sample], people.prototypes, sample, few=few)
    between = np.sum(people.prototypes[sample] * people.prototypes[other], axis=1)
    single = between < (np.inf if same_person is None else same_person)
    return _LeftOut(sample, similarities, single)


def _own_people(
    people: PersonMatrix, sample: NDArray[np.int64], same_person: float | None
) -> OwnPeople | None:
    """Return a gallery's own people; None where there are fewer than two of one name."""
    if len(people) < 2:
        return None
    left_out = _left_out(people, sample, same_person, few=1)
    count = int(left_out.single.sum())
    if not count:
        return None
    strangers = Strangers(
        left_out.similarities[left_out.single],
        np.ones(count),
        count,
        len(people) - 1,
        "this gallery's own people, each left out in turn",
    )
    impostors = ImpostorHistogram()
    some = _thinned(sample)
    single = left_out.single[np.isin(sample, some)].astype(np.float64)
    impostors.add(people.probes[some], people.prototypes, single, some)
    return OwnPeople(strangers, impostors)


def _thinned(sample: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return at most `MOST_COMPARED` people of a sample."""
    return sample[:: max(1, -(-len(sample) // MOST_COMPARED))]


def _calibrate(
    people: PersonMatrix,
    sample: NDArray[np.int64],
    limits: EnrolmentLimits,
    threshold: float,
    slope: float | None,
) -> CalibrationFit:
    """Fit similarity to probability, on each sampled person's first photo.

    It is compared with the prototype of the person's other photos and with the other people.

    Args:
        people: of the gallery.
        sample: (S,) rows of the sampled people.
        limits: of enrolment.
        threshold: of the policy.
        slope: of a typical curve of the embedder; None where it is not calibrated.
    """
    if len(people) < 2:
        # The photos of one person alone are compared with no other person.
        no_other = np.full((len(sample), 1), -1, np.float32)
        left_out = _LeftOut(sample, no_other, np.zeros(len(sample), np.bool_))
    else:
        left_out = _left_out(people, _thinned(sample), limits.same_person, few=FEW)
    # A person enrolled twice has even odds with the other entry, and says nothing of the others.
    several = (people.photos[left_out.rows] > 1) & (left_out.single | (len(people) < 2))
    rows, others = left_out.rows[several], left_out.similarities[several]
    own = np.sum(people.probes[rows] * people.rest_prototypes[rows], axis=1)
    known = -np.sort(-np.column_stack([own, others]), axis=1)
    strangers = left_out.similarities[left_out.single]
    return fit_calibration(
        known,
        own >= others[:, 0],
        strangers,
        np.ones(len(strangers)),
        threshold=threshold,
        typical_slope=slope,
    )
