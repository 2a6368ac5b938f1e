"""From embeddings to what a recognizer knows: prototypes, policy and calibration."""

from mien.training.choice import HeadChoice, HeldOut, choose_head
from mien.training.heads import Fit, Recipe, fit_margin, fit_prototype, fit_softmax
from mien.training.leave_one_out import LeaveOneOut, leave_one_out
from mien.training.policy import PolicyChoice, choose_policy
from mien.training.probability import CalibrationFit, fit_calibration
from mien.training.samples import Samples
from mien.training.strangers import Strangers, cohort, left_out
from mien.training.trainer import Training, train

__all__ = [
    "CalibrationFit",
    "Fit",
    "HeadChoice",
    "HeldOut",
    "LeaveOneOut",
    "PolicyChoice",
    "Recipe",
    "Samples",
    "Strangers",
    "Training",
    "choose_head",
    "choose_policy",
    "cohort",
    "fit_calibration",
    "fit_margin",
    "fit_prototype",
    "fit_softmax",
    "leave_one_out",
    "left_out",
    "train",
]
