"""What strangers and the embedder's card show of a rate, and how that is reported."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.policy.card_curve import CardCurve
from mien.policy.own_people import LEAST_PEOPLE, OwnPeople
from mien.policy.stranger_groups import StrangerGroup, needed_for
from mien.text import Notice
from mien.types import Interval, Policy


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
class Evidence:
    """What is known of strangers in a gallery, and what follows from it for a rate.

    Attributes:
        groups: of strangers, the gallery's own people last.
        curve: of the embedder's card; None where it has no statistics.
        rate: FPIR requested.
        own: the gallery's own people; None where there is only one.
        plain: whether the prototypes are plain means.
        by_card: whether the card's threshold is above those of the groups that measure the rate.
        contradicting: groups too small to measure the rate that show that it is exceeded.
    """

    groups: tuple[StrangerGroup, ...]
    curve: CardCurve | None
    rate: float
    own: OwnPeople | None
    plain: bool
    by_card: bool
    contradicting: tuple[StrangerGroup, ...]

    @property
    def people(self) -> int:
        """Number of strangers of all groups."""
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
        """The lowest rate that the evidence supports; 1 if it supports none."""
        if self.by_card and self._few:
            return 1.0
        found = [group.lowest_rate for group in self.groups]
        if self.curve is not None and self.card_supports:
            found.append(self.curve.lowest_rate)
        # A group that contradicts is in the way until there are enough of it.
        return max([min(found, default=1.0), *(group.lowest_rate for group in self.contradicting)])

    def choice(self, threshold: float) -> PolicyChoice:
        """Return the policy of a threshold, with its evidence."""
        measuring = [group for group in self.groups if group.enough]
        reached = self.curve is not None and self.curve.lowest_rate <= self.rate + 1e-12
        measured = bool(measuring) and not (self.by_card and self._few)
        supported = measured or (self.card_supports and reached)
        policy = Policy(
            threshold=float(np.float32(threshold)),
            false_positive_rate=self.rate,
            expected=self._expected(threshold),
            strangers=sum(len(group.strangers.similarity) for group in self.groups),
            supported=supported and not self.contradicting,
            source=self._source(),
            basis="strangers" if measuring else "few" if self.curve is None else "card",
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
            return f"Too few strangers to measure {_rate(self.rate)}: {seen}."
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
        if self.contradicting:
            warnings.append(_CONTRADICTION)
        if self.curve is not None and not self.plain and policy.basis != "strangers":
            warnings.append(_OTHER_HEAD)
        if not policy.supported:
            warnings.append(self._shortfall())
        return tuple(warnings)

    def _missing(self) -> tuple[int, int, str]:
        """Return how many strangers are needed, how many there are, and who they are."""
        if self.contradicting:
            group = max(self.contradicting, key=lambda one: one.lowest_rate)
            return group.needed, group.strangers.people, f"of {group.strangers.source}"
        # Where own people have moved the card, more of them are needed than of strangers.
        needed = needed_for(self.rate)
        alike = [group.strangers.people for group in self.groups if group.needed == needed]
        return needed, max(alike, default=0), "strangers"

    def _shortfall(self) -> Notice:
        needed, most, kind = self._missing()
        supportable = self.supportable
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
        if self.curve is not None and self.plain and self._few and not self.contradicting:
            missing += f"; or {LEAST_PEOPLE} people in the gallery, to see how alike they look"
        return Notice(
            "too-few-strangers",
            f"A false positive rate of {_rate(self.rate)} cannot be supported: that takes "
            f"{needed:,} {kind}, {missing}. {nearest}",
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


def _rate(rate: float) -> str:
    return f"{100 * rate:.3g} %"
