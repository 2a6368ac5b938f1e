"""Verification measures of scored pairs: accuracy per fold, ROC, true accept rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import NothingToMeasure
from mien.evaluation.result_parts import RATE_COLUMNS, ends, html_table, rate_row
from mien.measures import (
    OperatingPoint,
    PairScores,
    Roc,
    best_threshold,
    curve_equal_error_rate,
    folded_accuracy,
    point_at_far,
    roc,
    tar_over_people,
    wilson,
)
from mien.text import count, percent
from mien.types import Interval

MISSED = -1.0
"""Similarity of a pair in which a photo shows no face: below that of any two faces."""

FARS = (1e-1, 1e-2, 1e-3)
"""False accept rates at which the true accept rate is reported."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPairs:
    """Verification on N pairs.

    Attributes:
        scores: (N,) float64, cosine similarities; `MISSED` where a photo shows no face.
        same: (N,) bool, whether the pair shows one person.
        thresholds: (N,) float64, the threshold applied to each pair.
        accuracy: mean over the folds; its interval is Wilson's over all pairs.
        standard_error: of that mean over the folds; 0 for one fold.
        folds: accuracy of each fold.
        rule: how the thresholds were chosen, one sentence.
        curve: ROC over all pairs.
        at_far: points of the ROC at `FARS`, and Wilson intervals of their true accept rates.
        tar_people: true accept rates at `FARS`, with intervals from resampling people; the
            threshold is chosen again in each resample.
        equal_error: equal error rate, in [0, 1].
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
        """(N,) bool, whether the decision on the pair is wrong."""
        wrong: NDArray[np.bool_] = (self.scores >= self.thresholds) != self.same
        return wrong

    def to_dict(self) -> dict[str, Any]:
        """Return the measurements as JSON values; rates lie in [0, 1].

        The intervals of true accept rates come from resampling people.
        """
        rates: dict[str, Any] = {}
        for i, ((point, _), interval) in enumerate(zip(self.at_far, self.tar_people, strict=True)):
            rates[f"tar_at_far_1e-{i + 1}"] = point.tar
            rates[f"tar_at_far_1e-{i + 1}_interval"] = ends(interval)
        return {
            "accuracy": self.accuracy.value,
            "accuracy_se": self.standard_error,
            "accuracy_interval": ends(self.accuracy),
            **rates,
            "equal_error_rate": self.equal_error,
            "pairs": len(self.scores),
            "folds": list(self.folds),
            "thresholds": sorted(set(self.thresholds.tolist())),
            "rule": self.rule,
        }

    def summary(self) -> str:
        """Return the main results in a few words."""
        (_, tar), far = self.at_far[-1], FARS[-1]
        error = f" ± {self.standard_error:.4f}" if len(self.folds) > 1 else ""
        pairs = count(len(self.scores), "pair")
        return (
            f"accuracy {self.accuracy.value:.4f}{error} of {pairs},"
            f" TAR {percent(tar.value)} at FAR {far:g}"
        )

    def html(self, title: str) -> str:
        """Return the rates as a table for a notebook."""
        genuine = count(int(self.same.sum()), "pair of one person", "pairs of one person")
        rows = [rate_row("accuracy", self.accuracy, count(len(self.scores), "pair"))]
        rows += [
            rate_row(f"TAR at FAR {far:g}", tar, genuine)
            for far, tar in zip(FARS, self.tar_people, strict=True)
        ]
        return html_table(title, RATE_COLUMNS, rows)


def score_pairs(
    scores: NDArray[np.float64],
    same: NDArray[np.bool_],
    fold_of: NDArray[np.int64],
    people: NDArray[np.int64],
    *,
    chosen: tuple[NDArray[np.float64], NDArray[np.bool_]] | None = None,
) -> ScoredPairs:
    """Measure verification: each fold at the best threshold of the other folds.

    With `chosen`, one threshold for all pairs instead: the best on those other pairs.

    Args:
        scores: (N,) float64 similarities, `MISSED` where a photo shows no face.
        same: (N,) bool, whether the pair shows one person.
        fold_of: (N,) int64, number of the fold of each pair, from 0.
        people: (N, 2) int64, number of the person in each of the two photos.
        chosen: scores of other pairs, and whether they show one person; the threshold is the
            best one on these.

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
        equal_error=curve_equal_error_rate(curve),
    )


def pairs_to_dict(
    scored: ScoredPairs, photos: int, missed: Sequence[str], contract: str
) -> dict[str, Any]:
    """Return the measurements on pairs of photos as JSON values.

    Args:
        scored: the measurements.
        photos: number of photos compared.
        missed: photos in which no face was found.
        contract: contract id of the embeddings.
    """
    found = scored.to_dict()
    first = ("accuracy", "accuracy_se", "tar_at_far_1e-3", "pairs")
    return {
        **{name: found[name] for name in first},
        "missed": len(missed),
        **found,
        "photos": photos,
        "missed_photos": list(missed),
        "contract": contract,
    }


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
    """Return the threshold applied to each pair, and how it was chosen."""
    if chosen is not None:
        threshold, _ = best_threshold(*chosen)
        rule = f"one threshold, best on {len(chosen[0]):,} other pairs"
        return np.full(len(scores), threshold), rule
    names, places = np.unique(fold_of, return_inverse=True)
    by_fold = np.array(folded_accuracy(scores, same, fold_of).thresholds)
    if len(names) > 1:
        return by_fold[places], "each fold at the threshold best on the other folds"
    return by_fold[places], "the threshold best on these very pairs, which is optimistic"
