"""Open-set identification: probes whose person the gallery has, and probes of strangers."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.measures import (
    OpenSet,
    OpenSetCurve,
    bootstrap_mean,
    open_set,
    open_set_curve,
    threshold_at_fpir,
)
from mien.types import Interval, Policy

Protocol = Literal["strangers", "left-out"]


@dataclass(frozen=True, slots=True, eq=False)
class OpenSetResult:
    """How the recognizer treats strangers.

    Attributes:
        protocol: `strangers`: people who are not in the gallery; `left-out`: each probe's own
            person is taken out of the gallery in turn.
        policy: at the recognizer's own threshold.
        fpir_people: the FPIR there, its interval from resampling whole strangers.
        target: the FPIR that the policy was asked for.
        curve: over all thresholds.
        halves: where strangers are many enough: the threshold set on one half of them (by name)
            and measured on the other, both ways.
        gallery: people that a stranger is searched among.
        probes: number of known people's probes.
        strangers: number of strangers' probes.
        stranger_people: number of people they are of.
        scores: (strangers,) float32, similarity of each to the nearest person.
    """

    protocol: Protocol
    policy: OpenSet
    fpir_people: Interval
    target: float
    curve: OpenSetCurve
    halves: tuple[OpenSet, ...]
    gallery: int
    probes: int
    strangers: int
    stranger_people: int
    scores: NDArray[np.float32]


def half_of(name: str) -> int:
    """Return which half of the strangers a person belongs to, 0 or 1, by the name alone.

    The first bit of the name's sha256: the same on every machine and in every dataset, and
    about as many people on either side.
    """
    return sha256(name.encode()).digest()[0] >> 7


def measure_open_set(
    best: ArrayLike,
    correct: ArrayLike,
    strangers: NDArray[np.float32],
    names: tuple[str, ...],
    policy: Policy,
    *,
    protocol: Protocol,
    gallery: int,
) -> OpenSetResult:
    """Measure DIR and FPIR.

    Args:
        best: (N,) float32, similarity of the known people's probes to the nearest person.
        correct: (N,) bool, whether that is the right one.
        strangers: (S,) float32, similarity of the strangers' probes to the nearest person; S > 0.
        names: S names of the strangers.
        policy: the recognizer's.
        protocol: who the strangers are.
        gallery: number of people they were searched among.

    Raises:
        ValueError: when there is no probe or no stranger.
    """
    # The graph compares in float32, and so must this.
    threshold = float(np.float32(policy.threshold))
    side = np.array([half_of(name) for name in names])
    halves = []
    if policy.false_positive_rate * min(np.sum(side == 0), np.sum(side == 1)) >= 1:
        for chosen_on in (0, 1):
            set_there = threshold_at_fpir(strangers[side == chosen_on], policy.false_positive_rate)
            halves.append(open_set(best, correct, strangers[side != chosen_on], set_there))
    return OpenSetResult(
        protocol=protocol,
        policy=open_set(best, correct, strangers, threshold),
        fpir_people=bootstrap_mean(strangers >= threshold, np.asarray(names)),
        target=policy.false_positive_rate,
        curve=open_set_curve(best, correct, strangers),
        halves=tuple(halves),
        gallery=gallery,
        probes=len(np.asarray(best)),
        strangers=len(strangers),
        stranger_people=len(set(names)),
        scores=strangers,
    )
