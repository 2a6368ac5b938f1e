"""When to say "unknown", and how sure to be: thresholds from strangers, and probabilities."""

from mien.policy.probability import PRIOR, CalibrationFit, fit_calibration
from mien.policy.strangers import Strangers, cohort
from mien.policy.threshold import (
    PolicyChoice,
    choose_policy,
    false_positive_rates,
    needed_for,
)

__all__ = [
    "PRIOR",
    "CalibrationFit",
    "PolicyChoice",
    "Strangers",
    "choose_policy",
    "cohort",
    "false_positive_rates",
    "fit_calibration",
    "needed_for",
]
