"""How good is it? Held-out photos named, strangers turned away, pairs told apart.

`people.evaluate_people` measures a recognizer on a dataset, `lfw.evaluate_lfw` the road from photo
to embedding on Labeled Faces in the Wild, `listed.evaluate_list` on any pairs of photos and
`all_pairs.evaluate_all_pairs` on all pairs of a dataset, `open_sets.evaluate_open_set` galleries
made of a dataset; `results` turns each into JSON and
`report` into a page.
"""

from mien.evaluation.all_pairs import AllPairsResult, evaluate_all_pairs
from mien.evaluation.judge import Judged, judge
from mien.evaluation.lfw import LfwResult, evaluate_lfw
from mien.evaluation.lfw_people import read_people
from mien.evaluation.listed import ListedPair, ListedResult, evaluate_list, read_list
from mien.evaluation.open_sets import OpenSetTable, evaluate_open_set
from mien.evaluation.pairs import Pairs, read_pairs
from mien.evaluation.people import PeopleResult, evaluate_people
from mien.evaluation.report import Facts, all_pairs_report, lfw_report, people_report, write_report
from mien.evaluation.results import (
    all_pairs_json,
    lfw_json,
    list_json,
    open_set_json,
    people_json,
)

__all__ = [
    "AllPairsResult",
    "Facts",
    "Judged",
    "LfwResult",
    "ListedPair",
    "ListedResult",
    "OpenSetTable",
    "Pairs",
    "PeopleResult",
    "all_pairs_json",
    "all_pairs_report",
    "evaluate_all_pairs",
    "evaluate_lfw",
    "evaluate_list",
    "evaluate_open_set",
    "evaluate_people",
    "judge",
    "lfw_json",
    "lfw_report",
    "list_json",
    "open_set_json",
    "people_json",
    "people_report",
    "read_list",
    "read_pairs",
    "read_people",
    "write_report",
]
