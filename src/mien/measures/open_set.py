"""Open-set identification (1:N): FPIR and DIR at a threshold, and over all thresholds.

Each stranger has the same weight, however many photos show that person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.measures.intervals import binomial_quantile, wilson, wilson_of_parts
from mien.types import Interval


@dataclass(frozen=True, slots=True)
class OpenSetPoint:
    """Open-set rates at one threshold.

    Attributes:
        threshold: lowest similarity to the most similar person for which a name is given.
        fpir: false positive identification rate: share of strangers given any name. Each stranger
            has the same weight, however many photos show that person.
        dir: detection and identification rate at rank 1: share of known people's probes that are
            given the right name.
    """

    threshold: float
    fpir: Interval
    dir: Interval


@dataclass(frozen=True, slots=True, eq=False)
class OpenSetCurve:
    """DIR against FPIR at every threshold that changes the FPIR.

    Attributes:
        thresholds: (T,) float64, descending; at the first, no stranger is given a name.
        fpir: (T,) float64, ascending from 0 to 1.
        dir: (T,) float64, ascending.
    """

    thresholds: NDArray[np.float64]
    fpir: NDArray[np.float64]
    dir: NDArray[np.float64]


def equal_shares(people: ArrayLike) -> NDArray[np.float64]:
    """Return a weight per photo, so that the weights of each person add up to 1.

    Args:
        people: (S,) labels of any type: the person of each photo.
    """
    _, codes = np.unique(np.asarray(people), return_inverse=True)
    shares: NDArray[np.float64] = 1 / np.bincount(codes)[codes]
    return shares


def fpir_at(
    strangers: ArrayLike,
    threshold: float,
    *,
    people: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """Return the share of strangers who are given a name (FPIR), with Wilson's interval.

    Each stranger has weight 1, divided over that person's photos. The sample size of the interval
    is the number of strangers, not of photos.

    Args:
        strangers: (S,), similarity of each photo of a stranger to the most similar person of the
            gallery.
        threshold: lowest similarity for which a name is given.
        people: (S,) labels of any type, the person of each photo; None if all are different.
        level: confidence level of the interval.
    """
    scores, shares = _strangers(strangers, people)
    return wilson_of_parts(float(shares[scores >= threshold].sum()), _total_weight(shares), level)


def dir_at(
    best: ArrayLike, correct: ArrayLike, threshold: float, *, level: float = 0.95
) -> Interval:
    """Return the share of known people's probes given the right name (DIR), with Wilson's interval.

    Args:
        best: (N,), similarity of each probe to the most similar person.
        correct: (N,) bool, whether that person is the mate.
        threshold: lowest similarity for which a name is given.
        level: confidence level of the interval.
    """
    scores, right = np.asarray(best), np.asarray(correct, np.bool_)
    if scores.shape != right.shape:
        raise ValueError(f"{scores.shape} scores and {right.shape} answers")
    return wilson(int(np.sum((scores >= threshold) & right)), scores.size, level)


def allowed_false_positives(people: float, rate: float, confidence: float | None = None) -> float:
    """Return how many strangers of a sample may be named, so that the rate holds for others.

    A threshold at which k of n strangers are named gives others of their kind a name at a rate of
    (k + 1) / (n + 1) on average over samples: k / n is too low. Fewer are allowed where the rate
    is to hold with a confidence.

    Args:
        people: n, number of strangers in the sample, or the sum of their weights.
        rate: highest FPIR for other strangers, in [0, 1].
        confidence: share of samples in which the FPIR is to be at most `rate`, in (0, 1); None
            for the rate on average. `people` is then rounded down.

    Returns:
        The highest k; below 0 where so few strangers cannot show the rate at all.

    Source: for the average, the rank of a new observation among n others; for the confidence, the
    exact limit of C. J. Clopper and E. S. Pearson, Biometrika 26 (1934).
    """
    if confidence is None:
        # The small addition absorbs rounding errors, such as of 0.07 * 100.
        return rate * (people + 1) - 1 + 1e-9
    return binomial_quantile(int(people + 1e-9), rate, 1 - confidence) - 1 + 1e-9


def threshold_at_fpir(
    strangers: ArrayLike, target: float, *, people: ArrayLike | None = None
) -> float:
    """Return the lowest float32 threshold whose FPIR is `target` for other strangers on average.

    Where the strangers are too few to show the rate it is above all of them.

    Args:
        strangers: (S,), as for `fpir_at`.
        target: highest FPIR allowed, in [0, 1].
        people: (S,), as for `fpir_at`.

    Raises:
        ValueError: there is no stranger, or the rate is not in [0, 1].
    """
    scores, shares = _strangers(np.asarray(strangers, np.float32), people)
    if not scores.size:
        raise ValueError("there is no stranger")
    if not 0 <= target <= 1:
        raise ValueError(f"a rate must lie between 0 and 1, got {target}")
    order = np.argsort(-scores, kind="stable")
    budget = allowed_false_positives(_total_weight(shares), target)
    allowed = int(np.searchsorted(np.cumsum(shares[order]), budget, side="right"))
    if allowed >= scores.size:
        return -1.0
    return float(np.nextafter(scores[order[allowed]], np.float32(np.inf)))


def open_set_at(
    best: ArrayLike,
    correct: ArrayLike,
    strangers: ArrayLike,
    threshold: float,
    *,
    people: ArrayLike | None = None,
) -> OpenSetPoint:
    """Return FPIR and DIR at one threshold; arguments as for `dir_at` and `fpir_at`.

    Source: ISO/IEC 19795-1; P. Grother et al., "Face recognition vendor test part 2:
    identification", NIST IR 8271.
    """
    return OpenSetPoint(
        threshold,
        fpir_at(strangers, threshold, people=people),
        dir_at(best, correct, threshold),
    )


def open_set_curve(
    best: ArrayLike, correct: ArrayLike, strangers: ArrayLike, *, people: ArrayLike | None = None
) -> OpenSetCurve:
    """Return DIR against FPIR, with one threshold per distinct similarity of a stranger.

    Arguments as for `dir_at` and `fpir_at`.

    Raises:
        ValueError: there is no probe or no stranger.
    """
    scores, right = np.asarray(best, np.float64), np.asarray(correct, np.bool_)
    others, shares = _strangers(np.asarray(strangers, np.float64), people)
    if not scores.size or not others.size:
        raise ValueError("there is no probe or no stranger")
    steps = np.unique(others)[::-1]
    thresholds = np.concatenate([[np.nextafter(steps[0], np.inf)], steps])
    named = np.sort(scores[right])
    order = np.argsort(others, kind="stable")
    below = np.concatenate([[0.0], np.cumsum(shares[order])])
    fpir = 1 - below[np.searchsorted(others[order], thresholds, side="left")] / below[-1]
    detected = (named.size - np.searchsorted(named, thresholds, side="left")) / scores.size
    return OpenSetCurve(thresholds, fpir, detected)


def _strangers(
    strangers: ArrayLike, people: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the similarities and the weight of each."""
    scores = np.asarray(strangers)
    shares = np.ones(len(scores)) if people is None else equal_shares(people)
    if scores.shape != shares.shape:
        raise ValueError(f"{scores.shape} similarities of strangers and {shares.shape} labels")
    return scores, shares


def _total_weight(shares: NDArray[np.float64]) -> int:
    """Return the number of people that the weights add up to."""
    return round(float(shares.sum()))
