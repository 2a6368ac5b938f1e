"""Policies: thresholds for "unknown" from strangers, and calibrated probabilities."""

from mien.policy.decision import decide
from mien.policy.evidence import PolicyChoice, StrangersRate
from mien.policy.likely_known import find_likely_known, likely_known_notice
from mien.policy.own_people import ImpostorHistogram, OwnPeople
from mien.policy.probability import PRIOR, CalibrationFit, fit_calibration, typical_slope
from mien.policy.similarity_limits import NOT_CALIBRATED, CleaningLimits, EnrolmentLimits
from mien.policy.stranger_groups import needed_for
from mien.policy.strangers import Strangers, search_strangers, stacked_similarities
from mien.policy.threshold import choose_policy, false_positive_rates

__all__ = [
    "NOT_CALIBRATED",
    "PRIOR",
    "CalibrationFit",
    "CleaningLimits",
    "EnrolmentLimits",
    "ImpostorHistogram",
    "OwnPeople",
    "PolicyChoice",
    "Strangers",
    "StrangersRate",
    "choose_policy",
    "decide",
    "false_positive_rates",
    "find_likely_known",
    "fit_calibration",
    "likely_known_notice",
    "needed_for",
    "search_strangers",
    "stacked_similarities",
    "typical_slope",
]
