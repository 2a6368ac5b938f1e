"""Verification (1:1): ROC, true accept rates, equal error rate, accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """False and true match rates at every threshold that changes them.

    Attributes:
        thresholds: (T,) float64, descending; the first is infinite and accepts nothing.
        fmr: (T,) share of impostor scores accepted (also FAR), ascending from 0 to 1.
        tmr: (T,) share of genuine scores accepted (also TAR, 1 - FNMR), ascending from 0 to 1.
    """

    thresholds: NDArray[np.float64]
    fmr: NDArray[np.float64]
    tmr: NDArray[np.float64]

    @property
    def fnmr(self) -> NDArray[np.float64]:
        """Share of genuine scores rejected; plotted against `fmr` it is the DET curve."""
        return 1 - self.tmr


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Rates at one threshold.

    Attributes:
        threshold: lowest score that is accepted.
        far: share of impostor scores accepted.
        tar: share of genuine scores accepted.
    """

    threshold: float
    far: float
    tar: float


@dataclass(frozen=True, slots=True)
class FoldedAccuracy:
    """Accuracy by the protocol of LFW: the threshold of each fold is the best of the others.

    Attributes:
        accuracy: mean over the folds.
        standard_error: of that mean, sd / sqrt(folds) with ddof = 1; 0 for a single fold.
        folds: accuracy of each fold, in the order of the folds' numbers.
        thresholds: threshold of each fold.
    """

    accuracy: float
    standard_error: float
    folds: tuple[float, ...]
    thresholds: tuple[float, ...]


def roc(genuine: ArrayLike, impostor: ArrayLike) -> Roc:
    """Return the receiver operating characteristic; tied scores share a threshold.

    Args:
        genuine: (G,) scores of pairs of one person.
        impostor: (I,) scores of pairs of two people.

    Raises:
        ValueError: either is empty, or has a score that is not finite.

    Source: ISO/IEC 19795-1; A. Martin et al., "The DET curve in assessment of detection task
    performance", Eurospeech 1997.
    """
    same, other = _scores(genuine, "genuine"), _scores(impostor, "impostor")
    steps = np.unique(np.concatenate([same, other]))[::-1]
    thresholds = np.concatenate([[np.inf], steps])
    return Roc(thresholds, _share_at_least(other, thresholds), _share_at_least(same, thresholds))


def roc_of_counts(thresholds: ArrayLike, genuine: ArrayLike, impostor: ArrayLike) -> Roc:
    """Return the ROC of scores counted in bins, with the lower edges of the bins as thresholds.

    The rates at these thresholds are exact; thresholds within a bin are not included.

    Args:
        thresholds: (B,) lower edges of the bins, ascending.
        genuine: (B,) int, number of scores of pairs of one person per bin.
        impostor: (B,) int, number of scores of pairs of two people per bin.

    Raises:
        ValueError: the shapes differ, or there is no score of one kind.
    """
    edges = np.asarray(thresholds, np.float64)
    same, other = np.asarray(genuine, np.int64), np.asarray(impostor, np.int64)
    if not edges.shape == same.shape == other.shape:
        raise ValueError(f"{edges.shape} edges, {same.shape} and {other.shape} counts")
    if same.sum() <= 0 or other.sum() <= 0 or min(same.min(), other.min()) < 0:
        raise ValueError("there is no score of one kind")
    filled = np.flatnonzero(same + other)[::-1]
    rates = [
        np.concatenate([[0.0], np.cumsum(counts[filled]) / counts.sum()])
        for counts in (other, same)
    ]
    return Roc(np.concatenate([[np.inf], edges[filled]]), rates[0], rates[1])


def tar_at_far(genuine: ArrayLike, impostor: ArrayLike, far: float) -> OperatingPoint:
    """Return the point of the ROC with the highest TAR whose FAR is at most `far`.

    Nothing is interpolated: an actual threshold has these rates. Arguments as for `roc`; `far`
    lies in [0, 1].
    """
    return point_at_far(roc(genuine, impostor), far)


def point_at_far(curve: Roc, far: float) -> OperatingPoint:
    """Return the point of a curve with the highest TAR whose FAR is at most `far`."""
    if not 0 <= far <= 1:
        raise ValueError(f"a rate must lie between 0 and 1, got {far}")
    index = int(np.searchsorted(curve.fmr, far, side="right")) - 1
    # Of the thresholds with this TAR, the highest has the lowest FAR.
    index = int(np.searchsorted(curve.tmr, curve.tmr[index], side="left"))
    return OperatingPoint(
        float(curve.thresholds[index]), float(curve.fmr[index]), float(curve.tmr[index])
    )


def equal_error_rate(genuine: ArrayLike, impostor: ArrayLike) -> float:
    """Return the equal error rate: where false match and false non-match rates are equal.

    Rates are interpolated linearly between points of the DET curve. Arguments as for `roc`.
    """
    return curve_equal_error_rate(roc(genuine, impostor))


def curve_equal_error_rate(curve: Roc) -> float:
    """Return the equal error rate of a curve, as `equal_error_rate` does of scores."""
    gap = curve.fmr - curve.fnmr  # rises from -1 to 1
    after = int(np.argmax(gap >= 0))
    before = after - 1
    share = -gap[before] / (gap[after] - gap[before])
    return float(curve.fmr[before] + share * (curve.fmr[after] - curve.fmr[before]))


def best_threshold(scores: ArrayLike, same: ArrayLike) -> tuple[float, float]:
    """Return the threshold with the highest accuracy, and that accuracy.

    Thresholds lie midway between neighbouring scores; of several equally good ones the middle one
    is returned.

    Args:
        scores: (N,) similarities.
        same: (N,) bool, whether the pair is one person.

    Raises:
        ValueError: there is no score, or the lengths differ.
    """
    values, truth = _scores(scores, "paired"), np.asarray(same, np.bool_)
    if values.shape != truth.shape:
        raise ValueError(f"{values.shape} scores and {truth.shape} answers")
    steps, group = np.unique(values, return_inverse=True)
    genuine = np.bincount(group, weights=truth, minlength=len(steps))
    impostor = np.bincount(group, weights=~truth, minlength=len(steps))
    # right[i]: decisions that are right when the scores from the i-th distinct one on are accepted
    accepted = np.concatenate([np.cumsum(genuine[::-1])[::-1], [0]])
    refused = np.concatenate([[0], np.cumsum(impostor)])
    right = accepted + refused
    best = np.flatnonzero(right == right.max())
    index = int(best[len(best) // 2])
    edges = np.concatenate([[steps[0] - 1e-6], (steps[:-1] + steps[1:]) / 2, [steps[-1] + 1e-6]])
    return float(edges[index]), float(right[index] / len(values))


def folded_accuracy(scores: ArrayLike, same: ArrayLike, folds: ArrayLike) -> FoldedAccuracy:
    """Return the accuracy by LFW's View 2: the threshold of a fold is the best of the other folds.

    A single fold uses its own best threshold.

    Args:
        scores: (N,) similarities.
        same: (N,) bool, whether the pair is one person.
        folds: (N,) int, fold of each pair.

    Raises:
        ValueError: there is no score, or the lengths differ.

    Source: G. B. Huang et al., "Labeled Faces in the Wild", UMass TR 07-49 (2007).
    """
    values, truth = _scores(scores, "paired"), np.asarray(same, np.bool_)
    fold_of = np.asarray(folds)
    if not values.shape == truth.shape == fold_of.shape:
        raise ValueError(f"{values.shape} scores, {truth.shape} answers, {fold_of.shape} folds")
    accuracies, thresholds = [], []
    names = np.unique(fold_of)
    for name in names:
        inside = fold_of == name
        outside = ~inside if len(names) > 1 else inside
        threshold, _ = best_threshold(values[outside], truth[outside])
        accuracies.append(float(np.mean((values[inside] >= threshold) == truth[inside])))
        thresholds.append(threshold)
    spread = float(np.std(accuracies, ddof=1)) if len(names) > 1 else 0.0
    return FoldedAccuracy(
        float(np.mean(accuracies)),
        spread / float(np.sqrt(len(names))),
        tuple(accuracies),
        tuple(thresholds),
    )


def _scores(scores: ArrayLike, kind: str) -> NDArray[np.float64]:
    array = np.asarray(scores, np.float64).ravel()
    if not array.size:
        raise ValueError(f"there is no {kind} score")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"a {kind} score is not a finite number")
    return array


def _share_at_least(
    scores: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    below = np.searchsorted(np.sort(scores), thresholds, side="left")
    share: NDArray[np.float64] = (len(scores) - below) / len(scores)
    return share
