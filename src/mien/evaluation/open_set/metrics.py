"""Open-set identification: probes whose person the gallery has, and probes of strangers.

Each stranger weighs one, whatever the number of their photos; so it is in training, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.measures import (
    OpenSetCurve,
    OpenSetPoint,
    bootstrap_mean,
    equal_shares,
    open_set_at,
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
        shares: (strangers,) float64, how much each counts; those of one stranger add up to 1.
    """

    protocol: Protocol
    policy: OpenSetPoint
    fpir_people: Interval
    target: float
    curve: OpenSetCurve
    halves: tuple[OpenSetPoint, ...]
    gallery: int
    probes: int
    strangers: int
    stranger_people: int
    scores: NDArray[np.float32]
    shares: NDArray[np.float64]


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
    who, codes = np.unique(np.asarray(names), return_inverse=True)
    shares = equal_shares(codes)
    halves = _halves(best, correct, strangers, codes, who, policy.false_positive_rate)
    named = shares * (strangers >= threshold)
    return OpenSetResult(
        protocol=protocol,
        policy=open_set_at(best, correct, strangers, threshold, people=codes),
        fpir_people=bootstrap_mean(np.bincount(codes, weights=named), np.arange(len(who))),
        target=policy.false_positive_rate,
        curve=open_set_curve(best, correct, strangers, people=codes),
        halves=halves,
        gallery=gallery,
        probes=len(np.asarray(best)),
        strangers=len(strangers),
        stranger_people=len(who),
        scores=strangers,
        shares=shares,
    )


def _halves(
    best: ArrayLike,
    correct: ArrayLike,
    strangers: NDArray[np.float32],
    codes: NDArray[np.int64],
    who: NDArray[np.str_],
    rate: float,
) -> tuple[OpenSetPoint, ...]:
    """Set the threshold on one half of the strangers and measure on the other, both ways."""
    half = np.array([half_of(str(name)) for name in who])
    if rate * min(np.sum(half == 0), np.sum(half == 1)) < 1:
        return ()
    found = []
    for chosen_on in (0, 1):
        here = half[codes] == chosen_on
        threshold = threshold_at_fpir(strangers[here], rate, people=codes[here])
        there = open_set_at(best, correct, strangers[~here], threshold, people=codes[~here])
        found.append(there)
    return tuple(found)
