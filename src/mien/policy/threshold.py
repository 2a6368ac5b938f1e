"""Choose the threshold for "unknown" that meets a requested false positive rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from mien.errors import TooFewPeople
from mien.measures import wilson, wilson_of_parts
from mien.models.statistics import ImpostorStatistics
from mien.policy.strangers import Strangers
from mien.text import Notice
from mien.types import Interval, Policy

RULE_OF_THREE = 3.0
"""If none of n strangers is given a name, 3 / n is the upper 95 % limit of the rate."""


@dataclass(frozen=True, slots=True)
class PolicyChoice:
    """A policy, and the evidence for it.

    Attributes:
        policy: the policy.
        supportable: the lowest rate that the evidence supports; 1 if it supports none.
        people: number of strangers searched in the gallery.
        warnings: what limits the policy; empty where nothing does.
    """

    policy: Policy
    supportable: float
    people: int
    warnings: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pool:
    """All groups of strangers together: the FPIR at a threshold in this gallery."""

    groups: tuple[Strangers, ...]
    gallery: int

    @property
    def people(self) -> int:
        return sum(group.people for group in self.groups)

    @property
    def faces(self) -> int:
        return sum(len(group.similarity) for group in self.groups)

    @property
    def supportable(self) -> float:
        """The lowest rate that this number of strangers supports."""
        return min(1.0, RULE_OF_THREE / self.people) if self.people else 1.0

    @property
    def source(self) -> str:
        return "; ".join(f"{group.people:,} of {group.source}" for group in self.groups)

    def rates(self, thresholds: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the FPIR at each threshold, for a gallery of the full size.

        Strangers searched among fewer people P' are corrected to P: 1 - (1 - F)^(P / P').
        """
        total = np.zeros(len(thresholds))
        for group in self.groups:
            order = np.argsort(group.similarity)
            above = np.concatenate([np.cumsum(group.weights[order][::-1])[::-1], [0.0]])
            first = np.searchsorted(group.similarity[order], thresholds, side="left")
            share = np.clip(above[first] / group.people, 0, 1)
            if group.gallery != self.gallery:
                share = 1 - (1 - share) ** (self.gallery / group.gallery)
            total += group.people * share
        return total / self.people

    def threshold(self, rate: float) -> float:
        """Return the lowest threshold at which at most `rate` of the strangers are given a name."""
        steps = np.unique(np.concatenate([group.similarity for group in self.groups]))
        above = np.nextafter(steps, np.float32(np.inf))
        # Rates fall with the threshold; above the last one no stranger is given a name.
        allowed = self.rates(above) <= rate + 1e-12
        return float(above[int(np.argmax(allowed))])

    def interval(self, threshold: float) -> Interval:
        """Return the FPIR at a threshold; the interval counts each stranger as one trial."""
        value = float(self.rates(np.array([threshold], np.float32))[0])
        return wilson_of_parts(value * self.people, self.people)


def choose_policy(
    strangers: Sequence[Strangers],
    counts: NDArray[np.int64],
    rate: float,
    *,
    statistics: ImpostorStatistics | None = None,
    plain: bool = True,
) -> PolicyChoice:
    """Choose the lowest threshold whose FPIR is at most the requested rate.

    The evidence is the first of these that is available: at least 3 / rate strangers searched in
    this gallery; the impostor statistics on the embedder's card, with a higher threshold if the
    people of this gallery are more alike; otherwise the threshold above all strangers seen.

    A rate is *supported* if the evidence is strong enough. With 3 / rate strangers the upper end
    of the rate's interval is below three times the rate; with fewer, even no name given would not
    show it. The card supports a rate that its statistics reach for a gallery of this size and of
    plain prototypes, unless the people of this gallery contradict it.

    Args:
        strangers: groups of strangers searched in this gallery; may be empty.
        counts: (P,) int64, number of photos of each prototype.
        rate: FPIR requested, in (0, 1).
        statistics: impostor statistics of the embedder, or None.
        plain: whether the prototypes are plain means, as those of the statistics.

    Raises:
        ValueError: the rate is not between 0 and 1.
        TooFewPeople: there are no strangers and no statistics.
    """
    if not 0 < rate < 1:
        raise ValueError(f"a rate must lie between 0 and 1, got {rate}")
    pool = _Pool(tuple(group for group in strangers if group.people), len(counts))
    if pool.people >= needed_for(rate):
        threshold = pool.threshold(rate)
        policy = Policy(
            threshold, rate, pool.interval(threshold), pool.faces, supported=True,
            source=f"Measured on strangers: {pool.source}.", basis="strangers",
        )  # fmt: skip
        return PolicyChoice(policy, pool.supportable, pool.people)
    if statistics is not None:
        return _by_statistics(pool, counts, rate, statistics, plain=plain)
    if pool.people == 0:
        raise TooFewPeople(
            "one person and no strangers: there are no impostors to choose a threshold on",
            hint="Add people, or give strangers.",
            code="no-strangers-for-policy",
        )
    threshold = pool.threshold(0.0)
    policy = Policy(
        threshold, rate, pool.interval(threshold), pool.faces, supported=False,
        source=f"No stranger seen is named: {pool.source}.", basis="few",
    )  # fmt: skip
    return PolicyChoice(
        policy, pool.supportable, pool.people, (_shortfall(pool.people, rate, pool.supportable),)
    )


def false_positive_rates(
    strangers: Sequence[Strangers],
    counts: NDArray[np.int64],
    similarities: NDArray[np.float32],
    *,
    statistics: ImpostorStatistics | None = None,
) -> NDArray[np.float64] | None:
    """Return how often a stranger reaches each similarity to any person of the gallery.

    It is the higher of the rate measured on strangers in this gallery and the rate that the
    embedder's card predicts for a gallery of this size. Without a card it is at least one in the
    number of strangers searched, also above the highest similarity of a stranger.

    Args:
        strangers: groups of strangers searched in this gallery; may be empty.
        counts: (P,) int64, number of photos of each prototype.
        similarities: (N,) float32 cosines.
        statistics: impostor statistics of the embedder, or None.

    Returns:
        (N,) float64 in [0, 1], falling with the similarity; None if nothing is known of strangers.
    """
    pool = _Pool(tuple(group for group in strangers if group.people), len(counts))
    if statistics is None and not pool.people:
        return None
    measured = pool.rates(similarities) if pool.people else np.zeros(len(similarities))
    if statistics is None:
        return np.maximum(measured, 1 / pool.people)
    return np.maximum(measured, statistics.false_positive_rates(similarities, counts))


def needed_for(rate: float) -> int:
    """Return the number of strangers needed to measure a rate: 3 / rate.

    Source: the rule of three, J. Hanley and A. Lippman-Hand, JAMA 249 (1983).
    """
    return ceil(RULE_OF_THREE / rate - 1e-9)


def _by_statistics(
    pool: _Pool,
    counts: NDArray[np.int64],
    rate: float,
    statistics: ImpostorStatistics,
    *,
    plain: bool,
) -> PolicyChoice:
    last = max(row[-1] for row in statistics.similarity)
    grid = np.arange(statistics.similarity[0][0], last + 5e-4, 5e-4)
    rates = statistics.false_positive_rates(grid, counts)
    allowed = rates <= rate + 1e-12
    reached = bool(allowed[-1])
    threshold = float(grid[int(np.argmax(allowed)) if reached else -1])
    own = pool.interval(threshold) if pool.people else wilson(0, 0)
    contradicted = own.low > rate
    supported = reached and plain and not contradicted
    supportable = float(rates[-1]) if plain and not contradicted else pool.supportable
    if pool.people and not supported:
        threshold = max(threshold, pool.threshold(rate))
    value = float(np.interp(threshold, grid, rates))
    seen = pool.interval(threshold) if pool.people else own
    policy = Policy(
        float(np.float32(threshold)),
        rate,
        Interval(value, min(seen.low, value), max(seen.high, value)),
        pool.faces,
        supported=supported,
        source=_of_card(pool, len(counts), rate, statistics),
        basis="card",
    )
    warnings = []
    if contradicted:
        warnings.append(_contradiction(own.value))
    if not plain:
        warnings.append(
            Notice(
                "statistics-of-another-head",
                "The card's statistics are of plain prototypes, not of this head: only strangers' "
                "photos can measure its rate.",
            )
        )
    if not supported:
        warnings.append(_shortfall(pool.people, rate, supportable))
    return PolicyChoice(policy, supportable, pool.people, tuple(warnings))


def _of_card(pool: _Pool, gallery: int, rate: float, statistics: ImpostorStatistics) -> str:
    """Return how the card gave the threshold, and why strangers here did not."""
    text = (
        "From how alike strangers look to the embedder (its card), "
        f"for a gallery of {gallery:,}: {statistics.measured_on.rstrip('.')}. "
    )
    needed = f"{needed_for(rate):,} strangers are needed to measure {100 * rate:.3g} %"
    if not pool.people:
        return f"{text}Not measured here: {needed}."
    return f"{text}Too few to measure it here ({needed}): {pool.source}."


def _contradiction(rate: float) -> Notice:
    return Notice(
        "people-more-alike-than-card",
        "The people of this gallery look more alike than the strangers on the card "
        f"({rate:.1%} of them would take another's name): the threshold is raised.",
        {"false_positive_rate": rate},
    )


def _shortfall(people: int, rate: float, supportable: float) -> Notice:
    needed = needed_for(rate)
    nearest = (
        f"The nearest rate that can be supported is {100 * supportable:.2g} %."
        if supportable < 1
        else "So few can support no rate at all."
    )
    return Notice(
        "too-few-strangers",
        f"A false positive rate of {100 * rate:.3g} % cannot be supported: that takes {needed:,} "
        f"strangers, and {people:,} are there, {needed - people:,} too few. {nearest}",
        {"rate": rate, "needed": needed, "strangers": people, "supportable": supportable},
    )
