"""Training: prototypes or a learned head from embeddings, with policy and calibration."""

from mien.training.head_choice import HeadChoice, HeldOutScores, choose_head
from mien.training.heads import Fit, Recipe, fit_margin, fit_prototype, fit_softmax
from mien.training.leave_one_out import LeaveOneOut, leave_one_out
from mien.training.samples import Samples
from mien.training.stranger_scores import leave_people_out, possible_duplicates, stranger_rows
from mien.training.train_recognizer import train
from mien.training.trainer import TrainedHead, train_head

__all__ = [
    "Fit",
    "HeadChoice",
    "HeldOutScores",
    "LeaveOneOut",
    "Recipe",
    "Samples",
    "TrainedHead",
    "choose_head",
    "fit_margin",
    "fit_prototype",
    "fit_softmax",
    "leave_one_out",
    "leave_people_out",
    "possible_duplicates",
    "stranger_rows",
    "train",
    "train_head",
]
