"""From embeddings to what a recognizer knows: prototypes, and through `policy` its thresholds."""

from mien.training.head_choice import HeadChoice, HeldOut, choose_head
from mien.training.heads import Fit, Recipe, fit_margin, fit_prototype, fit_softmax
from mien.training.leave_one_out import LeaveOneOut, leave_one_out
from mien.training.left_out import doubled, left_out, outsiders
from mien.training.samples import Samples
from mien.training.train_recognizer import train
from mien.training.trainer import TrainedHead, train_head

__all__ = [
    "Fit",
    "HeadChoice",
    "HeldOut",
    "LeaveOneOut",
    "Recipe",
    "Samples",
    "TrainedHead",
    "choose_head",
    "doubled",
    "fit_margin",
    "fit_prototype",
    "fit_softmax",
    "leave_one_out",
    "left_out",
    "outsiders",
    "train",
    "train_head",
]
