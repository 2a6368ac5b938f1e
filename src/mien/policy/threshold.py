"""Choose the threshold for "unknown" that meets a requested false positive rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.errors import TooFewPeople
from mien.models.statistics import ImpostorStatistics
from mien.policy.card_curve import CardCurve
from mien.policy.evidence import Evidence, PolicyChoice
from mien.policy.own_people import OwnPeople, shift_of
from mien.policy.stranger_groups import stranger_groups
from mien.policy.strangers import Strangers


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
    kind do not hide few of another; that of the own people, each left out in turn, from 10 / rate
    on; and that of each smaller group that contradicts the threshold so far. Without a card it is
    that of the smaller groups where no group has enough, and the own people count as the others.

    A rate is *supported* if a group of so many strangers measured it, or if the card
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
    groups = stranger_groups(
        strangers, own, len(counts), rate, confidence, card=statistics is not None
    )
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
    evidence = Evidence(
        tuple(groups), curve, rate, own, plain, by_card=by_card, contradicting=tuple(contradicting)
    )
    return evidence.choice(threshold)


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
    groups = stranger_groups(strangers, own, len(counts), 1.0, None, card=statistics is not None)
    found = [group.rates(similarities) for group in groups]
    if statistics is not None:
        curve = CardCurve(statistics, counts, shift_of(own, counts, statistics))
        found.append(curve.rates(similarities))
    elif groups:
        most = max(group.strangers.people for group in groups)
        found.append(np.full(len(similarities), 1 / most))
    return np.max(found, axis=0) if found else None
