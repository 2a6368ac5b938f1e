"""From the similarity to the nearest person to the probability that the name is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.measures import expected_calibration_error
from mien.types import Calibration

PRIOR = (
    "the probability that the name is right where a photo is as likely to be of somebody known "
    "as of a stranger"
)

TYPICAL_SLOPE = 30.0
"""Of SFace on Labeled Faces in the Wild; used where there is nothing to learn a slope from."""

FEW = 20
"""With fewer held-out photos named rightly, or fewer of strangers, a fitted curve would be flat
for want of evidence: the smoothed targets pull it towards 1/2."""

_GUESS = (
    "Probabilities are typical ones of the embedder, 1/2 at the threshold: {right} photos held out "
    f"and named rightly and {{strangers}} of strangers are too few to learn them from, {FEW} of "
    "each are needed."
)

_LEAST_SLOPE = 1.0
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class CalibrationFit:
    """A calibration and how well it holds.

    Attributes:
        calibration: similarity to probability.
        error: expected calibration error of answers that it was not fitted on; None where
            there were too few.
        warnings: sentences for the user.
    """

    calibration: Calibration
    error: float | None
    warnings: tuple[str, ...] = ()


def fit_calibration(
    known: NDArray[np.float32],
    correct: NDArray[np.bool_],
    strangers: NDArray[np.float32],
    weights: NDArray[np.float64],
    *,
    threshold: float,
) -> CalibrationFit:
    """Fit a logistic curve; known people and strangers count equally, whatever their numbers.

    Args:
        known: (H,) similarity of held-out photos of known people to the nearest person.
        correct: (H,) bool, whether that person is the right one.
        strangers: (S,) similarity of strangers to the nearest person.
        weights: (S,) how much each stranger's photo counts.
        threshold: where the probability is 1/2 if there is nothing to fit.

    Source: J. Platt, "Probabilistic outputs for support vector machines" (1999), with his
    smoothed targets, so that separable scores give a finite slope.
    """
    if min(correct.sum(), len(strangers)) < FEW:
        guess = Calibration(TYPICAL_SLOPE, -TYPICAL_SLOPE * threshold)
        why = _GUESS.format(right=int(correct.sum()), strangers=len(strangers))
        return CalibrationFit(guess, None, (why,))
    scores = np.concatenate([known, strangers]).astype(np.float64)
    truth = np.concatenate([correct, np.zeros(len(strangers), np.bool_)])
    shares = np.concatenate([np.full(len(known), 0.5 / len(known)), 0.5 * weights / weights.sum()])
    calibration = _logistic(scores, truth, shares)
    warnings: tuple[str, ...] = ()
    if calibration.slope <= _LEAST_SLOPE:
        warnings = ("Strangers look as similar as known people do: the probabilities say little.",)
    return CalibrationFit(calibration, _cross_fitted(scores, truth, shares), warnings)


def _cross_fitted(
    scores: NDArray[np.float64], truth: NDArray[np.bool_], shares: NDArray[np.float64]
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
        fit = _logistic(scores[~inside], truth[~inside], shares[~inside])
        found[inside] = fit.probability(scores[inside].astype(np.float32))
    return expected_calibration_error(found, truth, weights=shares)


def _logistic(
    scores: NDArray[np.float64], truth: NDArray[np.bool_], shares: NDArray[np.float64]
) -> Calibration:
    """Return the weighted maximum-likelihood curve by damped Newton steps."""
    right, wrong = int(truth.sum()), int((~truth).sum())
    target = np.where(truth, (right + 1) / (right + 2), 1 / (wrong + 2))
    shares = shares / shares.sum()
    centre = float(shares @ scores)
    design = np.stack([scores - centre, np.ones(len(scores))], axis=1)
    answer = np.array([TYPICAL_SLOPE, 0.0])

    def loss(candidate: NDArray[np.float64]) -> float:
        logit = design @ candidate
        return float(shares @ (np.logaddexp(0, logit) - target * logit))

    now = loss(answer)
    for _ in range(100):
        p = 0.5 * (1 + np.tanh(design @ answer / 2))
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
    slope_found = max(float(answer[0]), _LEAST_SLOPE)
    return Calibration(slope_found, float(answer[1]) - slope_found * centre)
