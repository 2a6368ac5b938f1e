"""Calibration: from the similarity to the most similar person to a probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.measures import expected_calibration_error
from mien.models.statistics import EmbedderStatistics
from mien.text import Notice
from mien.types import Calibration

PRIOR = (
    "the probability that the name is right where a photo is as likely to be of a known person "
    "as of a stranger"
)

TYPICAL_SHARE = 0.9
"""Slope of the typical curve, which every fit begins from, as a share of the slope that the
embedder's card states for two photos: 30 with SFace, chosen on Labeled Faces in the Wild."""

TYPICAL_WEIGHT = 3.0
"""What that curve counts, in photos: of 1, 3, 10, 30 and 100 the least log loss with 20 to 50
photos to fit to, and near it with others, for people of LFW's View 1 (`benchmarks/choices.py`)."""

_TYPICAL_LOGITS = np.arange(-3.0, 4.0)
"""Where on that curve its photos are."""

FEW = 20
"""With fewer held-out photos named right, or fewer of strangers, the curve is mostly the typical
one, and its error is not reported."""

_GUESS = (
    "Probabilities are about the typical ones of the embedder, 1/2 at the threshold: {right} "
    f"photos held out and named rightly and {{strangers}} of strangers say little, {FEW} of each "
    "are needed."
)

_NOT_CALIBRATED = (
    "Probabilities are not calibrated for this embedder: its card has no [verification] curve to "
    f"begin from, and {{right}} photos held out and named rightly and {{strangers}} of strangers "
    f"are too few to fit one, {FEW} of each are needed."
)

_LEAST_SLOPE = 1.0
_FOLDS = 5
_ROUNDS = 30


@dataclass(frozen=True, slots=True)
class CalibrationFit:
    """A calibration and how well it holds.

    Attributes:
        calibration: similarity to probability.
        error: expected calibration error of answers that it was not fitted on; None where
            there were too few.
        warnings: what limits the probabilities; empty where nothing does.
    """

    calibration: Calibration
    error: float | None
    warnings: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class _Typical:
    """The curve that a fit begins from: where it is 1/2, how steep, and its weight in photos."""

    threshold: float
    slope: float | None
    weight: float


def typical_slope(statistics: EmbedderStatistics | None) -> float | None:
    """Return the slope of an embedder's typical curve; None where its card does not state one."""
    if statistics is None or statistics.verification is None:
        return None
    return TYPICAL_SHARE * statistics.verification.slope


def fit_calibration(
    known: NDArray[np.float32],
    correct: NDArray[np.bool_],
    strangers: NDArray[np.float32],
    weights: NDArray[np.float64],
    *,
    threshold: float,
    typical_slope: float | None,
    typical_weight: float = TYPICAL_WEIGHT,
) -> CalibrationFit:
    """Fit shared odds; known people and strangers count equally, whatever their numbers.

    The probability of the most similar person is fitted, o / (1 + sum of all people's odds).

    The fit begins from the embedder's typical curve, 1/2 at the threshold: it counts as a few
    photos, so that little evidence bends it little, and separable scores give a finite slope.
    Without one the curve is fitted to these photos alone; where they are too few it is not
    calibrated, and a warning says so.

    Args:
        known: (H, K) similarities of held-out photos of known people to the K most similar
            people, best first; or (H,), to the most similar one alone.
        correct: (H,) bool, whether the most similar person is the right one.
        strangers: (S, K) similarities of strangers to the K most similar people, or (S,).
        weights: (S,) how much each stranger's photo counts.
        threshold: where the typical curve's probability is 1/2.
        typical_slope: of the typical curve (`typical_slope`); None where none is known.
        typical_weight: what that curve counts, in photos.

    Source: J. Platt, "Probabilistic outputs for support vector machines" (1999), with the typical
    curve, where there is one, in place of his smoothed targets, which flatten the curve where
    photos are few.
    """
    scores = _rows(known, strangers)
    truth = np.concatenate([correct, np.zeros(len(strangers), np.bool_)])
    # Either side counts as many photos as the smaller has.
    each = min(float(len(known)), float(weights.sum()))
    shares = np.concatenate(
        [
            np.full(len(known), each / max(len(known), 1)),
            weights * (each / max(weights.sum(), 1e-9)),
        ]
    )
    typical = _Typical(threshold, typical_slope, typical_weight)
    calibration = _logistic(scores, truth, shares, typical)
    if min(correct.sum(), len(strangers)) < FEW:
        found = {"right": int(correct.sum()), "strangers": len(strangers)}
        few = Notice(
            "uncalibrated-probabilities" if typical_slope is None else "typical-probabilities",
            (_NOT_CALIBRATED if typical_slope is None else _GUESS).format(**found),
            {**found, "needed": FEW},
        )
        return CalibrationFit(calibration, None, (few,))
    warnings: tuple[Notice, ...] = ()
    if calibration.slope <= _LEAST_SLOPE:
        flat = "Strangers look as similar as known people do: the probabilities say little."
        warnings = (Notice("probabilities-flat", flat),)
    error = _cross_fitted(scores, truth, shares, typical)
    return CalibrationFit(calibration, error, warnings)


def _cross_fitted(
    scores: NDArray[np.float64],
    truth: NDArray[np.bool_],
    shares: NDArray[np.float64],
    typical: _Typical,
) -> float | None:
    fold = np.empty(len(scores), np.int64)
    for value in (True, False):  # right and wrong answers in every fold, in their order
        rows = np.flatnonzero(truth == value)
        fold[rows] = np.arange(len(rows)) % _FOLDS
    if min(truth.sum(), (~truth).sum()) < _FOLDS:
        return None
    found = np.empty(len(scores))
    for number in range(_FOLDS):
        inside = fold == number
        fit = _logistic(scores[~inside], truth[~inside], shares[~inside], typical)
        others = fit.odds(scores[inside, 1:]).sum(axis=1)
        found[inside] = fit.probability(scores[inside, 0].astype(np.float32), others)
    return expected_calibration_error(found, truth, weights=shares)


def _rows(known: NDArray[np.float32], strangers: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (H + S, K) similarities, best first, filled with -inf where there are fewer."""
    parts = [
        part.reshape(len(part), -1) if part.size else np.zeros((0, 1))
        for part in (known, strangers)
    ]
    width = max(part.shape[1] for part in parts)
    return np.concatenate(
        [
            np.pad(
                part.astype(np.float64),
                ((0, 0), (0, width - part.shape[1])),
                constant_values=-np.inf,
            )
            for part in parts
        ]
    )


def _logistic(
    scores: NDArray[np.float64],
    truth: NDArray[np.bool_],
    shares: NDArray[np.float64],
    typical: _Typical,
) -> Calibration:
    """Return the weighted curve of most likelihood, the typical one's photos among the others.

    The other people's odds are those of the curve before, until it no longer moves: given them the
    curve is a logistic one. Without a typical curve the targets are Platt's, smoothed by the number
    of photos on either side; where one side has no photo the curve says nothing, 1/2 at the
    threshold.
    """
    middle = typical.threshold
    best, rest = scores[:, 0], scores[:, 1:]
    if typical.slope is None:
        right, wrong = int(truth.sum()), int((~truth).sum())
        if not right or not wrong:
            return Calibration(_LEAST_SLOPE, -_LEAST_SLOPE * middle)
        target = np.where(truth, (right + 1) / (right + 2), 1 / (wrong + 2))
    else:
        few = len(_TYPICAL_LOGITS)
        best = np.concatenate([best, middle + _TYPICAL_LOGITS / typical.slope])
        rest = np.concatenate([rest, np.full((few, rest.shape[1]), -np.inf)])
        target = np.concatenate([truth, 1 / (1 + np.exp(-_TYPICAL_LOGITS))])
        shares = np.concatenate([shares, np.full(few, typical.weight / few)])
    design = np.stack([best - middle, np.ones(len(best))], axis=1)
    start = _LEAST_SLOPE if typical.slope is None else typical.slope
    found = Calibration(start, -start * middle)
    for _ in range(_ROUNDS):
        others = np.log1p(found.odds(rest).sum(axis=1))
        answer = np.array([found.slope, found.offset + found.slope * middle])
        slope, offset = _most_likely(design, target, shares / shares.sum(), others, answer)
        slope = max(slope, _LEAST_SLOPE)
        before, found = found, Calibration(slope, offset - slope * middle)
        if abs(found.slope - before.slope) < 1e-6 * slope or not rest.shape[1]:
            break
    return found


def _most_likely(
    design: NDArray[np.float64],
    target: NDArray[np.float64],
    shares: NDArray[np.float64],
    others: NDArray[np.float64],
    answer: NDArray[np.float64],
) -> tuple[float, float]:
    """Return slope and offset of least weighted log loss, by damped Newton steps.

    `others` is taken from each photo's logit.
    """

    def loss(candidate: NDArray[np.float64]) -> float:
        logit = design @ candidate - others
        return float(shares @ (np.logaddexp(0, logit) - target * logit))

    now = loss(answer)
    for _ in range(100):
        p = 0.5 * (1 + np.tanh((design @ answer - others) / 2))
        slope = design.T @ (shares * (p - target))
        curve = (design * (shares * p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(curve, slope)
        size = 1.0
        while (after := loss(answer - size * step)) > now and size > 1e-6:
            size /= 2
        answer = answer - size * step
        if now - after < 1e-12:
            break
        now = after
    return float(answer[0]), float(answer[1])
