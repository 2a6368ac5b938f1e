"""Evaluation protocols and reports.

- `evaluate_people`: a recognizer on the held-out photos of a dataset, and on strangers.
- `evaluate_lfw`: the pairs of Labeled Faces in the Wild.
- `evaluate_pair_list`: the user's own pairs of photos.
- `evaluate_all_pairs`: all pairs of photos of a dataset.
- `evaluate_open_set`: open-set identification with galleries drawn from a dataset.

Each returns a result with `to_dict()` for JSON, shown as a table in a notebook; `report` writes
some of them as a page.
"""

from mien.evaluation.embedder.measure import EmbedderMeasurement, measure_embedder
from mien.evaluation.identification.held_out import PeopleResult, evaluate_head, evaluate_people
from mien.evaluation.open_set.lfw_people import read_lfw_people
from mien.evaluation.open_set.protocols import OpenSetRow, OpenSetTable, evaluate_open_set
from mien.evaluation.report import Facts, all_pairs_report, lfw_report, people_report, write_report
from mien.evaluation.verification.all_pairs import AllPairsResult, evaluate_all_pairs
from mien.evaluation.verification.lfw import LfwResult, evaluate_lfw
from mien.evaluation.verification.pair_list import (
    PairListResult,
    PhotoPair,
    evaluate_pair_list,
    read_pair_list,
)
from mien.evaluation.verification.pairs_file import LfwPairs, read_pairs
from mien.evaluation.verification.score_pairs import ScoredPairs, score_pairs

__all__ = [
    "AllPairsResult",
    "EmbedderMeasurement",
    "Facts",
    "LfwPairs",
    "LfwResult",
    "OpenSetRow",
    "OpenSetTable",
    "PairListResult",
    "PeopleResult",
    "PhotoPair",
    "ScoredPairs",
    "all_pairs_report",
    "evaluate_all_pairs",
    "evaluate_head",
    "evaluate_lfw",
    "evaluate_open_set",
    "evaluate_pair_list",
    "evaluate_people",
    "lfw_report",
    "measure_embedder",
    "people_report",
    "read_lfw_people",
    "read_pair_list",
    "read_pairs",
    "score_pairs",
    "write_report",
]
