"""Results of evaluation: one line as text, a table in a notebook, JSON values from `to_dict`."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import hand_worked as hand
import numpy as np
import pytest
from PIL import Image
from test_all_pairs import made
from test_lfw import PAIRS, GreyEngine, write_photos

from mien.evaluation import (
    evaluate_all_pairs,
    evaluate_head,
    evaluate_lfw,
    evaluate_open_set,
    evaluate_pair_list,
    read_pairs,
)
from mien.evaluation.identification.comparison import compare_recognizers
from mien.evaluation.verification.differential import evaluate_differential
from mien.names import name_key
from mien.training import leave_one_out
from sphere import sphere_dataset


class Cells(HTMLParser):
    """Collects the rows of the tables of a page, and the names of its elements."""

    def __init__(self, document):
        super().__init__()
        self.rows, self.elements = [], []
        self.feed(document)
        self.close()

    def handle_starttag(self, name, _):
        self.elements.append(name)
        if name == "tr":
            self.rows.append([])
        elif name in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def pair_list(folder):
    for name, grey in {"a": 20, "b": 30, "c": 110}.items():
        Image.fromarray(np.full((16, 16, 3), grey, np.uint8)).save(folder / f"{name}.png")
    (folder / "pairs.csv").write_text("a.png,b.png,1\na.png,c.png,0\n")
    return evaluate_pair_list(GreyEngine(), folder, folder / "pairs.csv")


def lfw(folder):
    (folder / "pairs.txt").write_text(PAIRS)
    return evaluate_lfw(GreyEngine(), write_photos(folder), folder / "pairs.txt")


def differential(_):
    side = {name_key(f"p{i:03}"): "<even>" if i % 2 == 0 else "odd" for i in range(60)}
    return evaluate_differential(made()[0], {"side": side}, far=0.01)


RESULTS = {
    "PeopleResult": lambda _: evaluate_head(hand.head(), hand.dataset(hand.PHOTOS)),
    "LfwResult": lfw,
    "PairListResult": pair_list,
    "AllPairsResult": lambda _: evaluate_all_pairs(made()[0]),
    "OpenSetTable": lambda _: evaluate_open_set(made(2, people=150)[0], sizes=(1, 2), draws=2),
    "Comparison": lambda _: compare_recognizers(
        hand.head(), hand.head(), hand.dataset(hand.PHOTOS)
    ),
    "Differential": differential,
    "LeaveOneOut": lambda _: leave_one_out(sphere_dataset([3] * 5)),
}


@pytest.mark.parametrize("name", RESULTS)
def test_results_show_as_a_line_a_table_and_json(name, tmp_path):
    result = RESULTS[name](tmp_path)
    text = repr(result)
    assert text.startswith(f"<{name} ")
    assert text.endswith(">")
    assert "\n" not in text
    assert len(text) < 250
    table = Cells(result._repr_html_())
    assert table.elements.count("table") == 1
    assert set(table.elements) <= {"div", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    assert len(table.rows) >= 2
    assert len({len(row) for row in table.rows}) == 1
    json.dumps(result.to_dict(), allow_nan=False)


def test_rates_and_intervals_of_a_recognizer():
    result = RESULTS["PeopleResult"](None)
    assert repr(result) == (
        "<PeopleResult rank-1 80.00\u00a0% (37.55 to 96.38\u00a0%) of 5 photos,"
        " FPIR 16.67\u00a0% (0.00 to 79.23\u00a0%) of 3 strangers>"
    )
    rows = {row[0]: row[1:] for row in Cells(result._repr_html_()).rows}
    assert rows["rank-1, all held out"] == ["80.00\u00a0%", "37.55 to 96.38\u00a0%", "5 photos"]
    assert rows["strangers named (FPIR)"][2] == "3 strangers"


def test_rates_of_pairs(tmp_path):
    result = lfw(tmp_path)
    assert repr(result).startswith("<LfwResult accuracy 0.7500 ± 0.2500 of 4 pairs, TAR 50.00")
    rows = {row[0]: row[1:] for row in Cells(result._repr_html_()).rows}
    assert rows["accuracy"][2] == "4 pairs"
    assert rows["TAR at FAR 0.001"][2] == "2 pairs of one person"


def test_names_in_tables_stay_text():
    assert "&lt;even&gt;" in differential(None)._repr_html_()


def test_pairs_are_given_as_paths_or_opened(tmp_path):
    by_path = lfw(tmp_path)
    opened = evaluate_lfw(GreyEngine(), tmp_path, read_pairs(tmp_path / "pairs.txt"))
    chosen = evaluate_lfw(
        GreyEngine(), tmp_path, str(tmp_path / "pairs.txt"), choose_on=tmp_path / "pairs.txt"
    )
    assert opened.to_dict() == by_path.to_dict()
    assert "4 other pairs" in chosen.scored.rule
