"""Groups of strangers, each with the rate at which a gallery names it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from mien.measures import allowed_false_positives, binomial_quantile, wilson_of_parts
from mien.policy.own_people import OwnPeople
from mien.policy.strangers import Strangers
from mien.types import Interval

RULE_OF_THREE = 3.0
"""If none of n strangers is given a name, 3 / n is the upper 95 % limit of the rate."""

OWN_NEEDED = 10.0
"""Beside a card the gallery's own people measure a rate that would name so many of them."""

_CONTRADICTED = 0.999
"""Confidence that a group's rate lies above the one requested, for the group to contradict it."""


@dataclass(frozen=True, slots=True)
class StrangerGroup:
    """A group of strangers in a gallery of `gallery` people, at a rate requested of it.

    Strangers searched among fewer people P' are corrected to P: 1 - (1 - F)^(P / P').

    Attributes:
        strangers: the group.
        gallery: P, number of people of the full gallery.
        rate: FPIR requested.
        confidence: that it holds; None for the rate on average.
        least_named: the group measures a rate that would name at least so many of it.
        named_at_once: how many of the group take a name together.
    """

    strangers: Strangers
    gallery: int
    rate: float
    confidence: float | None
    least_named: float = RULE_OF_THREE
    named_at_once: int = 1

    @property
    def needed(self) -> int:
        """Number of strangers needed to measure the rate."""
        return ceil(self.least_named / self.rate - 1e-9)

    @property
    def enough(self) -> bool:
        """Whether there are enough strangers to measure the rate."""
        return self.strangers.people >= self.needed

    @property
    def lowest_rate(self) -> float:
        """The lowest rate that there are enough strangers to measure; at most 1."""
        return min(1.0, self.least_named / self.strangers.people)

    def rates(self, thresholds: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the FPIR at each threshold, for a gallery of the full size."""
        found, growth = self.strangers, self.gallery / self.strangers.gallery
        order = np.argsort(found.similarity)
        above = np.concatenate([np.cumsum(found.weights[order][::-1])[::-1], [0.0]])
        first = np.searchsorted(found.similarity[order], thresholds.astype(np.float32), side="left")
        share: NDArray[np.float64] = np.clip(above[first] / found.people, 0, 1)
        return share if growth == 1 else 1 - (1 - share) ** growth

    def interval(self, threshold: float) -> Interval:
        """Return the FPIR at a threshold; the interval counts each stranger as one trial."""
        value = float(self.rates(np.array([threshold]))[0])
        return wilson_of_parts(value * self.strangers.people, self.strangers.people)

    def threshold(self) -> float:
        """Return the lowest threshold at which the rate holds for others of the group's kind.

        It is above all of a group of fewer than 2 / rate - 1, without a confidence.
        """
        return self._lowest(
            allowed_false_positives(self.strangers.people, self._searched_rate, self.confidence)
        )

    def contradicts(self, threshold: float) -> bool:
        """Return whether a rate so low would give so many a name in one sample of a thousand."""
        found = self.strangers
        named = float(found.weights[found.similarity >= np.float32(threshold)].sum())
        trials = ceil(found.people / self.named_at_once)
        usual = binomial_quantile(trials, self._searched_rate, _CONTRADICTED)
        return bool(named > self.named_at_once * usual + 1e-9)

    @property
    def _searched_rate(self) -> float:
        """The rate requested, for a gallery of the size that the group was searched among."""
        return float(1 - (1 - self.rate) ** (self.strangers.gallery / self.gallery))

    def _lowest(self, budget: float) -> float:
        """Return the lowest threshold that names strangers of at most a total weight."""
        found = self.strangers
        order = np.argsort(-found.similarity, kind="stable")
        allowed = int(np.searchsorted(np.cumsum(found.weights[order]), budget, side="right"))
        if allowed >= len(order):
            return -1.0
        return float(np.nextafter(found.similarity[order[allowed]], np.float32(np.inf)))


def stranger_groups(
    strangers: Sequence[Strangers],
    own: OwnPeople | None,
    gallery: int,
    rate: float,
    confidence: float | None,
    *,
    card: bool,
) -> list[StrangerGroup]:
    """Return the groups of strangers, the gallery's own people last.

    Args:
        strangers: groups of other people; empty ones are left out.
        own: the gallery's own people; None where there is only one.
        gallery: number of people of the gallery.
        rate: FPIR requested.
        confidence: that it holds; None for the rate on average.
        card: whether the embedder's card has statistics.
    """
    found = [StrangerGroup(group, gallery, rate, confidence) for group in strangers if group.people]
    if own is not None:
        # Where they have moved the card's curve they count as a group only if they are enough to
        # be more than noise. Of two people who look alike each takes the name of the other.
        least = OWN_NEEDED if card else RULE_OF_THREE
        found.append(StrangerGroup(own.strangers, gallery, rate, confidence, least, 2))
    return found


def needed_for(rate: float) -> int:
    """Return the number of strangers needed to measure a rate: 3 / rate.

    Source: the rule of three, J. Hanley and A. Lippman-Hand, JAMA 249 (1983).
    """
    return ceil(RULE_OF_THREE / rate - 1e-9)
