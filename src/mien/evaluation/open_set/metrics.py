"""Open-set identification of a trained recognizer: DIR of known people, FPIR of strangers.

Each stranger has the same weight, however many photos show that person; training does the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.evaluation.result_parts import ends, number_or_none
from mien.measures import (
    OpenSetCurve,
    OpenSetPoint,
    equal_shares,
    open_set_at,
    open_set_curve,
    rate_over_people,
    threshold_at_fpir,
    wilson,
    wilson_of_parts,
)
from mien.types import Interval, Policy

Protocol = Literal["strangers", "left-out"]


@dataclass(frozen=True, slots=True, eq=False)
class OpenSetResult:
    """How a recognizer identifies known people and rejects strangers.

    Attributes:
        protocol: `strangers`: people who are not in the gallery; `left-out`: each probe is
            searched in the gallery without its own person.
        policy: FPIR and DIR at the recognizer's own threshold.
        fpir_people: the same FPIR, with an interval from resampling strangers as whole people.
        target: the FPIR requested in training.
        curve: DIR against FPIR over all thresholds.
        halves: FPIR and DIR with the threshold chosen on one half of the strangers (split by
            name) and measured on the other, both ways; empty if there are too few strangers.
        gallery: number of people that a stranger is searched among.
        probes: number of probes of known people.
        strangers: number of photos of strangers.
        stranger_people: number of strangers.
        scores: (strangers,) float32, similarity of each photo to the most similar person.
        shares: (strangers,) float64, weight of each photo; those of one stranger add up to 1.
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

    def to_dict(self) -> dict[str, Any]:
        """Return the measurements as JSON values; rates lie in [0, 1], None if unknown."""
        at = self.policy
        return {
            "fpir_target": self.target,
            "fpir": number_or_none(at.fpir.value),
            "fpir_interval": ends(at.fpir),
            "fpir_interval_over_people": ends(self.fpir_people),
            "dir": number_or_none(at.dir.value),
            "dir_interval": ends(at.dir),
            "gallery": self.gallery,
            "probes": self.probes,
            "strangers": self.strangers,
            "stranger_people": self.stranger_people,
            "protocol": self.protocol,
            "threshold": at.threshold,
            "halves": [
                {
                    "threshold": half.threshold,
                    "fpir": number_or_none(half.fpir.value),
                    "fpir_interval": ends(half.fpir),
                    "dir": number_or_none(half.dir.value),
                }
                for half in self.halves
            ],
        }


def half_of(name: str) -> int:
    """Return which half of the strangers a person belongs to, 0 or 1.

    It is the first bit of the sha256 of the name: the same on every machine and in every dataset.
    """
    return sha256(name.encode()).digest()[0] >> 7


def measure_open_set(
    best: NDArray[np.float32],
    correct: NDArray[np.bool_],
    strangers: NDArray[np.float32],
    names: tuple[str, ...],
    policy: Policy,
    named: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    *,
    protocol: Protocol,
    gallery: int,
) -> OpenSetResult:
    """Measure DIR and FPIR.

    Args:
        best: (N,) float32, similarity of each known person's probe to the most similar person.
        correct: (N,) bool, whether that person is the mate.
        strangers: (S,) float32, similarity of each stranger's photo to the most similar person.
        names: S names of the strangers.
        policy: policy of the recognizer.
        named: (N,) and (S,) bool, which of the probes and of the strangers' photos the recognizer
            gives a name.
        protocol: where the strangers come from.
        gallery: number of people that strangers were searched among.

    Raises:
        ValueError: there is no probe or no stranger.
    """
    known_named, strangers_named = named
    who, codes = np.unique(np.asarray(names), return_inverse=True)
    shares = equal_shares(codes)
    halves = _halves(best, correct, strangers, codes, who, policy.false_positive_rate)
    named_shares = shares * strangers_named
    point = OpenSetPoint(
        float(np.float32(policy.threshold)),  # as in the graph
        wilson_of_parts(float(named_shares.sum()), len(who)),
        wilson(int(np.sum(known_named & correct)), len(correct)),
    )
    return OpenSetResult(
        protocol=protocol,
        policy=point,
        fpir_people=rate_over_people(np.bincount(codes, weights=named_shares), np.arange(len(who))),
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
    """Choose the threshold on one half of the strangers and measure on the other, both ways."""
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
