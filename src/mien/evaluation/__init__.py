"""How good is it? Held-out photos named, strangers turned away, pairs told apart.

`people.evaluate_people` measures a recognizer on a dataset, `lfw.evaluate_lfw` the road from photo
to embedding on Labeled Faces in the Wild, `listed.evaluate_list` on any pairs of photos and
`all_pairs.evaluate_all_pairs` on all pairs of a dataset, `open_sets.evaluate_open_set` galleries
made of a dataset; `results` turns each into JSON and
`report` into a page.
"""

from mien.evaluation.identification.held_out import PeopleResult, evaluate_people
from mien.evaluation.open_set.lfw_people import read_lfw_people
from mien.evaluation.open_set.protocols import OpenSetTable, evaluate_open_set
from mien.evaluation.report import Facts, all_pairs_report, lfw_report, people_report, write_report
from mien.evaluation.results import (
    all_pairs_json,
    lfw_json,
    list_json,
    open_set_json,
    people_json,
)
from mien.evaluation.verification.all_pairs import AllPairsResult, evaluate_all_pairs
from mien.evaluation.verification.lfw import LfwResult, evaluate_lfw
from mien.evaluation.verification.pair_list import (
    PairListResult,
    PhotoPair,
    evaluate_pair_list,
    read_pair_list,
)
from mien.evaluation.verification.pairs_file import Pairs, read_pairs
from mien.evaluation.verification.score_pairs import ScoredPairs, score_pairs

__all__ = [
    "AllPairsResult",
    "Facts",
    "LfwResult",
    "OpenSetTable",
    "PairListResult",
    "Pairs",
    "PeopleResult",
    "PhotoPair",
    "ScoredPairs",
    "all_pairs_json",
    "all_pairs_report",
    "evaluate_all_pairs",
    "evaluate_lfw",
    "evaluate_open_set",
    "evaluate_pair_list",
    "evaluate_people",
    "lfw_json",
    "lfw_report",
    "list_json",
    "open_set_json",
    "people_json",
    "people_report",
    "read_lfw_people",
    "read_pair_list",
    "read_pairs",
    "score_pairs",
    "write_report",
]
