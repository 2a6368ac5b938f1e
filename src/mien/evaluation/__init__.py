"""How good is it? Held-out photos named, strangers turned away, pairs told apart.

`people.evaluate_people` measures a recognizer on a dataset, `lfw.evaluate_lfw` the road from photo
to embedding on Labeled Faces in the Wild; `results` turns either into JSON and `report` into a
page.
"""

from mien.evaluation.lfw import LfwResult, evaluate_lfw
from mien.evaluation.pairs import Pairs, read_pairs
from mien.evaluation.people import PeopleResult, evaluate_people
from mien.evaluation.report import Facts, lfw_report, people_report, write_report
from mien.evaluation.results import lfw_json, people_json

__all__ = [
    "Facts",
    "LfwResult",
    "Pairs",
    "PeopleResult",
    "evaluate_lfw",
    "evaluate_people",
    "lfw_json",
    "lfw_report",
    "people_json",
    "people_report",
    "read_pairs",
    "write_report",
]
