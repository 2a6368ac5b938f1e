"""Measures of face recognition: pure functions on arrays.

The terms are those of ISO/IEC 19795-1. A *genuine* score compares two faces of one person, an
*impostor* score faces of two people. A *probe* is searched in a *gallery*; its *mate* is its own
person there, and a probe without a mate is a *stranger*. Scores are cosine similarities: a
comparison is accepted if its score is at least the threshold.
"""

from mien.measures.calibration import ReliabilityBin, expected_calibration_error, reliability_bins
from mien.measures.histogram import BINS, ScoreCounts
from mien.measures.identification import cmc, mate_ranks, rank_k
from mien.measures.intervals import (
    at_least_wilson,
    binomial_quantile,
    bootstrap_mean,
    bootstrap_over_people,
    rate_over_people,
    wilson,
    wilson_of_parts,
)
from mien.measures.open_set import (
    OpenSetCurve,
    OpenSetPoint,
    allowed_false_positives,
    dir_at,
    equal_shares,
    fpir_at,
    open_set_at,
    open_set_curve,
    threshold_at_fpir,
)
from mien.measures.pair_bootstrap import PairScores, tar_gain_over_people, tar_over_people
from mien.measures.rejection import RejectPoint, error_versus_reject
from mien.measures.significance import mcnemar
from mien.measures.verification import (
    FoldedAccuracy,
    OperatingPoint,
    Roc,
    best_threshold,
    curve_equal_error_rate,
    equal_error_rate,
    folded_accuracy,
    point_at_far,
    roc,
    roc_of_counts,
    tar_at_far,
)

__all__ = [
    "BINS",
    "FoldedAccuracy",
    "OpenSetCurve",
    "OpenSetPoint",
    "OperatingPoint",
    "PairScores",
    "RejectPoint",
    "ReliabilityBin",
    "Roc",
    "ScoreCounts",
    "allowed_false_positives",
    "at_least_wilson",
    "best_threshold",
    "binomial_quantile",
    "bootstrap_mean",
    "bootstrap_over_people",
    "cmc",
    "curve_equal_error_rate",
    "dir_at",
    "equal_error_rate",
    "equal_shares",
    "error_versus_reject",
    "expected_calibration_error",
    "folded_accuracy",
    "fpir_at",
    "mate_ranks",
    "mcnemar",
    "open_set_at",
    "open_set_curve",
    "point_at_far",
    "rank_k",
    "rate_over_people",
    "reliability_bins",
    "roc",
    "roc_of_counts",
    "tar_at_far",
    "tar_gain_over_people",
    "tar_over_people",
    "threshold_at_fpir",
    "wilson",
    "wilson_of_parts",
]
