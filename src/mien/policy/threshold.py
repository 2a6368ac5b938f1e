"""When to say "unknown": a threshold that holds a stranger's chance of a name to a rate."""

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
from mien.types import Interval, Policy

RULE_OF_THREE = 3.0
"""Of n strangers of whom none is named, 3 / n is the 95 % upper limit of the rate."""

MORE_STRANGERS = " Give more strangers with --strangers DATASET."


@dataclass(frozen=True, slots=True)
class PolicyChoice:
    """The policy and what the user should know of it.

    Attributes:
        policy: the policy.
        supportable: the lowest rate that could be supported; 1 where none could.
        people: how many strangers were searched in the gallery.
        warnings: sentences for the user; empty where all is well.
    """

    policy: Policy
    supportable: float
    people: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pool:
    """All strangers together: the share of them who reach a similarity in this gallery."""

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
        """The lowest rate that so many strangers can support."""
        return min(1.0, RULE_OF_THREE / self.people) if self.people else 1.0

    @property
    def source(self) -> str:
        return "; ".join(f"{group.people:,} of {group.source}" for group in self.groups)

    def rates(self, thresholds: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the FPIR at each threshold, as for a gallery of the full size.

        Searched among fewer people a stranger has fewer chances of a name: 1 - (1 - F)^(P / P').
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
        """Return the least threshold that names at most `rate` of the strangers."""
        steps = np.unique(np.concatenate([group.similarity for group in self.groups]))
        above = np.nextafter(steps, np.float32(np.inf))
        # Rates fall along the thresholds; above the last of them nobody is named.
        allowed = self.rates(above) <= rate + 1e-12
        return float(above[int(np.argmax(allowed))])

    def interval(self, threshold: float) -> Interval:
        """Return the FPIR at a threshold; the interval takes each stranger for one trial."""
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
    """Choose the threshold at which a stranger is given any name at most at the rate asked for.

    In order of trust: enough strangers searched in this gallery (at least 3 / rate of them); the
    embedder's own statistics of strangers, raised where this gallery's people are more alike than
    those; else no stranger seen may be named.

    A rate is *supported* when what the threshold stands on can bear it. With 3 / rate strangers
    the upper end of the rate's interval stays below three times the rate; with fewer even none of
    them named would not show it. The card can bear a rate that its statistics reach for a gallery
    of this size, of plain prototypes, and that this gallery's own people do not contradict.

    Args:
        strangers: those searched in this gallery; may be empty.
        counts: (P,) photos behind each prototype.
        rate: FPIR asked for, in (0, 1).
        statistics: of the embedder, or None.
        plain: whether the rows are plain means, which is what the statistics are of.

    Raises:
        ValueError: the rate is not between 0 and 1.
        TooFewPeople: nothing is known of any stranger.
    """
    if not 0 < rate < 1:
        raise ValueError(f"a rate lies between 0 and 1, got {rate}")
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
            "one person and no strangers: nobody to learn the meaning of unknown from",
            hint="Add people to the dataset, or give strangers: --strangers DATASET.",
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
    """Return how often a stranger gets each similarity, or a higher one, to any person.

    The higher of what was measured on strangers in this gallery and what the embedder's card
    expects of one of its size. Beyond the highest stranger measured, and without a card, at least
    one in as many strangers as were searched.

    Args:
        strangers: those searched in this gallery; may be empty.
        counts: (P,) photos behind each prototype.
        similarities: (N,) float32.
        statistics: of the embedder, or None.

    Returns:
        (N,) in [0, 1], falling with the similarity; None where nothing is known of strangers.
    """
    pool = _Pool(tuple(group for group in strangers if group.people), len(counts))
    if statistics is None and not pool.people:
        return None
    measured = pool.rates(similarities) if pool.people else np.zeros(len(similarities))
    if statistics is None:
        return np.maximum(measured, 1 / pool.people)
    return np.maximum(measured, statistics.false_positive_rates(similarities, counts))


def needed_for(rate: float) -> int:
    """Return how many strangers it takes to measure a rate: 3 / rate.

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
        warnings.append(
            "The people of this gallery look more alike than the strangers on the card "
            f"({own.value:.1%} of them would take another's name): the threshold is raised."
        )
    if not plain:
        warnings.append(
            "The card's statistics are of plain prototypes, not of this head: give strangers "
            "with --strangers DATASET for a rate that was measured."
        )
    if not supported:
        warnings.append(_shortfall(pool.people, rate, supportable))
    return PolicyChoice(policy, supportable, pool.people, tuple(warnings))


def _of_card(pool: _Pool, gallery: int, rate: float, statistics: ImpostorStatistics) -> str:
    """Return how a threshold was found by the card, and what this data alone could say."""
    text = (
        "From how alike strangers look to the embedder (its card), "
        f"for a gallery of {gallery:,}: {statistics.measured_on.rstrip('.')}. "
    )
    needed = f"{needed_for(rate):,} strangers are needed to measure {100 * rate:.3g} %"
    if not pool.people:
        return f"{text}Not measured here: {needed}."
    return f"{text}Too few to measure it here ({needed}): {pool.source}."


def _shortfall(people: int, rate: float, supportable: float) -> str:
    needed = needed_for(rate)
    nearest = (
        f"The nearest rate that can be supported is {100 * supportable:.2g} %."
        if supportable < 1
        else "So few can support no rate at all."
    )
    return (
        f"A false positive rate of {100 * rate:.3g} % cannot be supported: that takes {needed:,} "
        f"strangers, and {people:,} are there, {needed - people:,} too few. {nearest}"
        + MORE_STRANGERS
    )
