"""Pairs judged by their similarities: accuracy by the fold rule, and the whole curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import NothingToMeasure
from mien.measures import (
    OperatingPoint,
    PairScores,
    Roc,
    best_threshold,
    crossing_of,
    folded_accuracy,
    point_at_far,
    roc,
    tar_over_people,
    wilson,
)
from mien.types import Interval

MISSED = -1.0
"""Similarity of a pair in which a photo shows no face: below that of any two faces."""

FARS = (1e-1, 1e-2, 1e-3)
"""False accept rates at which the true accept rate is told."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPairs:
    """Verification on N pairs.

    Attributes:
        scores: (N,) float64, cosine similarities; `MISSED` where a photo shows no face.
        same: (N,) whether the pair is one person.
        thresholds: (N,) float64, the threshold each pair is judged at.
        accuracy: mean over the folds; its interval is Wilson's over all pairs.
        standard_error: of that mean over the folds; 0 for one fold.
        folds: accuracy of each fold.
        rule: where the thresholds come from, a sentence.
        curve: ROC over all pairs.
        at_far: the ROC at `FARS`, and the true accept rates' Wilson intervals.
        tar_people: true accept rates at `FARS`, their intervals from resampling whole people and
            finding the threshold anew.
        equal_error: the equal error rate.
    """

    scores: NDArray[np.float64]
    same: NDArray[np.bool_]
    thresholds: NDArray[np.float64]
    accuracy: Interval
    standard_error: float
    folds: tuple[float, ...]
    rule: str
    curve: Roc
    at_far: tuple[tuple[OperatingPoint, Interval], ...]
    tar_people: tuple[Interval, ...]
    equal_error: float

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """(N,) whether the pair is judged wrongly."""
        judged: NDArray[np.bool_] = (self.scores >= self.thresholds) != self.same
        return judged


def score_pairs(
    scores: NDArray[np.float64],
    same: NDArray[np.bool_],
    fold_of: NDArray[np.int64],
    people: NDArray[np.int64],
    *,
    chosen: tuple[NDArray[np.float64], NDArray[np.bool_]] | None = None,
) -> ScoredPairs:
    """Judge pairs: each fold at the threshold best on the others, or all at one chosen elsewhere.

    Args:
        scores: (N,) similarities, `MISSED` where there is none.
        same: (N,) whether the pair is one person.
        fold_of: (N,) number of the fold each pair belongs to, from 0.
        people: (N, 2) number of the person of either photo.
        chosen: scores of other pairs and whether they are one person: the threshold is the best
            on them.

    Raises:
        NothingToMeasure: there is no pair of one person, or none of two people.
    """
    if same.all() or not same.any():
        raise NothingToMeasure(
            "there are no pairs of one person, or none of two people",
            hint="A pairs file needs both kinds.",
        )
    thresholds, rule = _thresholds(scores, same, fold_of, chosen)
    right = (scores >= thresholds) == same
    folds = tuple(float(right[fold_of == fold].mean()) for fold in np.unique(fold_of))
    spread = float(np.std(folds, ddof=1) / np.sqrt(len(folds))) if len(folds) > 1 else 0.0
    curve = roc(scores[same], scores[~same])
    points = [point_at_far(curve, far) for far in FARS]
    genuine = int(same.sum())
    return ScoredPairs(
        scores=scores,
        same=same,
        thresholds=thresholds,
        accuracy=wilson(int(right.sum()), len(right)),
        standard_error=spread,
        folds=folds,
        rule=rule,
        curve=curve,
        at_far=tuple((p, wilson(round(p.tar * genuine), genuine)) for p in points),
        tar_people=_over_people(scores, same, people),
        equal_error=crossing_of(curve),
    )


def _over_people(
    scores: NDArray[np.float64], same: NDArray[np.bool_], people: NDArray[np.int64]
) -> tuple[Interval, ...]:
    names, codes = np.unique(people, return_inverse=True)
    codes = codes.reshape(people.shape)
    pairs = PairScores(len(names), scores[same], codes[same, 0], scores[~same], codes[~same])
    return tar_over_people(pairs, FARS)


def _thresholds(
    scores: NDArray[np.float64],
    same: NDArray[np.bool_],
    fold_of: NDArray[np.int64],
    chosen: tuple[NDArray[np.float64], NDArray[np.bool_]] | None,
) -> tuple[NDArray[np.float64], str]:
    """Return the threshold each pair is judged at, and the rule it came by."""
    if chosen is not None:
        threshold, _ = best_threshold(*chosen)
        rule = f"one threshold, best on {len(chosen[0]):,} other pairs"
        return np.full(len(scores), threshold), rule
    names, places = np.unique(fold_of, return_inverse=True)
    by_fold = np.array(folded_accuracy(scores, same, fold_of).thresholds)
    if len(names) > 1:
        return by_fold[places], "each fold at the threshold best on the other folds"
    return by_fold[places], "the threshold best on these very pairs, which flatters"
