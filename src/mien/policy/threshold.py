"""Choose the threshold for "unknown" that meets a requested false positive rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from mien.errors import TooFewPeople
from mien.measures import allowed_false_positives, binomial_quantile, wilson_of_parts
from mien.models.statistics import ImpostorStatistics
from mien.policy.card_curve import CardCurve
from mien.policy.own_people import LEAST_PEOPLE, OwnPeople, shift_of
from mien.policy.strangers import Strangers
from mien.text import Notice
from mien.types import Interval, Policy

RULE_OF_THREE = 3.0
"""If none of n strangers is given a name, 3 / n is the upper 95 % limit of the rate."""

OWN_NEEDED = 10.0
"""The gallery's own people measure a rate where it would name as many of them as this."""

_CONTRADICTED = 0.999
"""Confidence that a group's rate lies above the one requested, for the group to contradict it."""


@dataclass(frozen=True, slots=True)
class StrangersRate:
    """How many of one group of strangers are given a name at the threshold.

    Attributes:
        source: where the strangers come from, in words.
        people: number of strangers.
        rate: share of them given a name, for a gallery of the full size.
        threshold: the threshold that this group alone would ask for; None where the group is too
            small to show the rate.
    """

    source: str
    people: int
    rate: Interval
    threshold: float | None


@dataclass(frozen=True, slots=True)
class PolicyChoice:
    """A policy, and the evidence for it.

    Attributes:
        policy: the policy.
        supportable: the lowest rate that the evidence supports; 1 if it supports none.
        people: number of strangers searched in the gallery.
        warnings: what limits the policy; empty where nothing does.
        groups: each group of strangers at the threshold, the gallery's own people last.
    """

    policy: Policy
    supportable: float
    people: int
    warnings: tuple[Notice, ...] = ()
    groups: tuple[StrangersRate, ...] = ()


@dataclass(frozen=True, slots=True)
class _Group:
    """A group of strangers in a gallery of `gallery` people, at a rate requested of it.

    Strangers searched among fewer people P' are corrected to P: 1 - (1 - F)^(P / P').
    """

    strangers: Strangers
    gallery: int
    rate: float
    confidence: float | None
    needed: int
    named_at_once: int = 1

    @property
    def enough(self) -> bool:
        """Whether there are enough strangers to measure the rate."""
        return self.strangers.people >= self.needed

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

        Where there are too few to show it the threshold is above all of them.
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


def choose_policy(
    strangers: Sequence[Strangers],
    counts: NDArray[np.int64],
    rate: float,
    *,
    own: OwnPeople | None = None,
    statistics: ImpostorStatistics | None = None,
    plain: bool = True,
    confidence: float | None = None,
    least: float = -1.0,
) -> PolicyChoice:
    """Choose the lowest threshold at which no evidence says that the FPIR is above the rate.

    It is the highest of these: that of the embedder's card, moved to where the gallery's own
    people lie; that of each group of at least 3 / rate strangers on its own, so that many of one
    kind do not hide few of another, the own people, each left out in turn, among them; and, for
    smaller groups that contradict the threshold so far, one above all of them. Without a card and
    with smaller groups alone it lies above all strangers seen.

    A rate is *supported* if a group of at least 3 / rate strangers measured it, or if the card
    states it for a gallery of this size, of plain prototypes, and of enough people to see how
    alike they look; and if no smaller group contradicts. Where a gallery has fewer people and
    they look more alike than the strangers given, those do not support it either.

    Args:
        strangers: groups of strangers searched in this gallery; may be empty.
        counts: (P,) int64, number of photos of each prototype.
        rate: FPIR requested, in (0, 1).
        own: the gallery's own people; None where there is only one.
        statistics: impostor statistics of the embedder, or None.
        plain: whether the prototypes are plain means, as those of the statistics.
        confidence: that the FPIR is at most the rate, in (0, 1); None for the rate on average.
        least: a threshold that the policy's is not below, whatever the rate would allow.

    Raises:
        ValueError: a rate or confidence is not between 0 and 1.
        TooFewPeople: there are no strangers and no statistics.
    """
    for share in (rate, rate if confidence is None else confidence):
        if not 0 < share < 1:
            raise ValueError(f"a rate must lie between 0 and 1, got {share}")
    groups = _groups(strangers, own, len(counts), rate, confidence)
    curve = None
    if statistics is not None:
        curve = CardCurve(statistics, counts, shift_of(own, counts, statistics))
    measuring = [group for group in groups if group.enough]
    if curve is None and not groups:
        raise TooFewPeople(
            "one person and no strangers: there are no impostors to choose a threshold on",
            hint="Add people, or give strangers.",
            code="no-strangers-for-policy",
        )
    threshold = -1.0 if curve is None else curve.threshold(rate, confidence)
    measured = max(
        (group.threshold() for group in measuring or ([] if curve else groups)), default=-1
    )
    by_card = threshold > measured
    threshold = max(threshold, measured)
    contradicting = [group for group in groups if group.contradicts(threshold)]
    threshold = max([threshold, least, *(group.threshold() for group in contradicting)])
    evidence = _Evidence(
        tuple(groups), curve, rate, own, plain, by_card=by_card, contradicted=bool(contradicting)
    )
    return evidence.choice(threshold)


def _groups(
    strangers: Sequence[Strangers],
    own: OwnPeople | None,
    gallery: int,
    rate: float,
    confidence: float | None,
) -> list[_Group]:
    """Return the groups of strangers, the gallery's own people last."""
    needed = needed_for(rate)
    found = [
        _Group(group, gallery, rate, confidence, needed) for group in strangers if group.people
    ]
    if own is not None:
        # They have moved the card's curve already, so that as a group they count where they are
        # enough to be more than noise.
        enough = ceil(OWN_NEEDED / rate)
        # Of two people who look alike each takes the name of the other.
        found.append(_Group(own.strangers, gallery, rate, confidence, enough, named_at_once=2))
    return found


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What is known of strangers in a gallery, and what follows from it for a rate."""

    groups: tuple[_Group, ...]
    curve: CardCurve | None
    rate: float
    own: OwnPeople | None
    plain: bool
    by_card: bool
    contradicted: bool

    @property
    def people(self) -> int:
        return sum(group.strangers.people for group in self.groups)

    @property
    def card_supports(self) -> bool:
        """Whether the card supports rates in this gallery at all."""
        return self.curve is not None and self.plain and not self._few

    @property
    def _few(self) -> bool:
        """Whether the gallery has too few people to see how alike they look."""
        return self.own is None or self.own.strangers.people < LEAST_PEOPLE

    @property
    def supportable(self) -> float:
        """The lowest rate that the evidence supports."""
        most = max((group.strangers.people for group in self.groups), default=0)
        measured = min(1.0, RULE_OF_THREE / most) if most else 1.0
        if self.curve is None or not self.card_supports or self.contradicted:
            return measured
        return min(measured, self.curve.lowest_rate)

    def choice(self, threshold: float) -> PolicyChoice:
        """Return the policy of a threshold, with its evidence."""
        measuring = [group for group in self.groups if group.enough]
        by_card = self.curve is not None and not measuring
        reached = self.curve is not None and self.curve.lowest_rate <= self.rate + 1e-12
        measured = bool(measuring) and not (self.by_card and self._few)
        supported = measured or (self.card_supports and reached)
        policy = Policy(
            threshold=float(np.float32(threshold)),
            false_positive_rate=self.rate,
            expected=self._expected(threshold),
            strangers=sum(len(group.strangers.similarity) for group in self.groups),
            supported=supported and not self.contradicted,
            source=self._source(),
            basis="strangers" if measuring else "card" if by_card else "few",
            shift=0.0 if self.curve is None else self.curve.shift.value,
        )
        found = tuple(
            StrangersRate(
                group.strangers.source,
                group.strangers.people,
                group.interval(threshold),
                group.threshold() if group.enough else None,
            )
            for group in self.groups
        )
        warnings = self._warnings(policy)
        return PolicyChoice(policy, self.supportable, self.people, warnings, found)

    def _expected(self, threshold: float) -> Interval:
        """Return the highest of the rates that were measured, or the card's."""
        measured = [group.interval(threshold) for group in self.groups if group.enough]
        if not measured and self.curve is not None:
            return self.curve.interval(threshold)
        found = measured or [group.interval(threshold) for group in self.groups]
        return max(found, key=lambda interval: interval.value)

    def _source(self) -> str:
        seen = "; ".join(
            f"{group.strangers.people:,} of {group.strangers.source}" for group in self.groups
        )
        if any(group.enough for group in self.groups):
            return f"Measured on strangers: {seen}."
        if self.curve is None:
            return f"No stranger seen is named: {seen}."
        text = (
            "From how alike strangers look to the embedder (its card), for a gallery of "
            f"{len(self.curve.counts):,}: {self.curve.statistics.measured_on.rstrip('.')}. "
        )
        needed = f"{needed_for(self.rate):,} strangers are needed to measure {_rate(self.rate)}"
        if not self.groups:
            return f"{text}Not measured here: {needed}."
        return f"{text}Too few to measure it here ({needed}): {seen}."

    def _warnings(self, policy: Policy) -> tuple[Notice, ...]:
        warnings = []
        if self.contradicted:
            warnings.append(_CONTRADICTION)
        if self.curve is not None and not self.plain and policy.basis != "strangers":
            warnings.append(_OTHER_HEAD)
        if not policy.supported:
            warnings.append(self._shortfall())
        return tuple(warnings)

    def _shortfall(self) -> Notice:
        most = max((group.strangers.people for group in self.groups), default=0)
        needed, supportable = needed_for(self.rate), self.supportable
        data = {"rate": self.rate, "needed": needed, "strangers": most, "supportable": supportable}
        if self.by_card and most >= needed:
            return Notice(
                "too-few-people",
                f"A false positive rate of {_rate(self.rate)} cannot be supported: this gallery's "
                "people look more alike than the strangers given, and it takes "
                f"{LEAST_PEOPLE} people to see how much.",
                data,
            )
        nearest = (
            f"The nearest rate that can be supported is {100 * supportable:.2g} %."
            if supportable < 1
            else "So few can support no rate at all."
        )
        missing = f"and {most:,} are there, {max(needed - most, 0):,} too few"
        if self.curve is not None and self.plain and self._few:
            missing += f"; or {LEAST_PEOPLE} people in the gallery, to see how alike they look"
        return Notice(
            "too-few-strangers",
            f"A false positive rate of {_rate(self.rate)} cannot be supported: that takes "
            f"{needed:,} strangers, {missing}. {nearest}",
            data,
        )


_CONTRADICTION = Notice(
    "people-more-alike-than-card",
    "Some strangers, or people of this gallery, take another's name far more often than the other "
    "evidence says: the threshold is raised for them.",
)

_OTHER_HEAD = Notice(
    "statistics-of-another-head",
    "The card's statistics are of plain prototypes, not of this head: only strangers' photos can "
    "measure its rate.",
)


def false_positive_rates(
    strangers: Sequence[Strangers],
    counts: NDArray[np.int64],
    similarities: NDArray[np.float32],
    *,
    own: OwnPeople | None = None,
    statistics: ImpostorStatistics | None = None,
) -> NDArray[np.float64] | None:
    """Return how often a stranger reaches each similarity to any person of the gallery.

    It is the highest of the rates measured on each group of strangers in this gallery and of the
    rate that the embedder's card predicts for it. Without a card it is at least one in the number
    of strangers searched, also above the highest similarity of a stranger.

    Args:
        strangers: groups of strangers searched in this gallery; may be empty.
        counts: (P,) int64, number of photos of each prototype.
        similarities: (N,) float32 cosines.
        own: the gallery's own people; None where there is only one.
        statistics: impostor statistics of the embedder, or None.

    Returns:
        (N,) float64 in [0, 1], falling with the similarity; None if nothing is known of strangers.
    """
    groups = _groups(strangers, own, len(counts), 1.0, None)
    found = [group.rates(similarities) for group in groups]
    if statistics is not None:
        curve = CardCurve(statistics, counts, shift_of(own, counts, statistics))
        found.append(curve.rates(similarities))
    elif groups:
        most = max(group.strangers.people for group in groups)
        found.append(np.full(len(similarities), 1 / most))
    return np.max(found, axis=0) if found else None


def needed_for(rate: float) -> int:
    """Return the number of strangers needed to measure a rate: 3 / rate.

    Source: the rule of three, J. Hanley and A. Lippman-Hand, JAMA 249 (1983).
    """
    return ceil(RULE_OF_THREE / rate - 1e-9)


def _rate(rate: float) -> str:
    return f"{100 * rate:.3g} %"
