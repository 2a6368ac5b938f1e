"""Measure the numbers of docs/accuracy.md on a dataset of LFW, and draw its charts.

    python scripts/accuracy.py lfw-plus --people-list people.txt   # about a minute on two cores
    python scripts/accuracy.py                                     # only redraw the charts

The numbers are stored in docs/accuracy.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from mien.dataset import Dataset
from mien.evaluation import (
    evaluate_all_pairs,
    evaluate_open_set,
    read_lfw_people,
)
from mien.evaluation.report.charts import Axis, Plot, log_axis, rate_axis
from mien.html import Html

DOCS = Path(__file__).resolve().parent.parent / "docs"
NUMBERS = DOCS / "accuracy.json"
PICTURES = DOCS / "pictures"

# The part of the report's style sheet that these charts use; readable on light and dark pages.
STYLE = """
svg{background:#fff;font:12px system-ui,sans-serif}text{fill:#444}.grid{stroke:#e8e4dc}
.axis{stroke:#888}.line{fill:none;stroke-width:2}.whisker{stroke-width:1.5}
.good{stroke:#2d7a4f}.strange{stroke:#b8402f}.plain{stroke:#2f5d8a}
.dot.good{fill:#2d7a4f}.dot.strange{fill:#b8402f}.dot.plain{fill:#2f5d8a}
"""

Row = dict[str, Any]


def measure(dataset: Path, people_list: Path) -> Row:
    """Return all results, as `mien evaluate … --json` prints them."""
    photos, people = Dataset.open(dataset), read_lfw_people(people_list)
    results: Row = {"all_pairs": evaluate_all_pairs(photos).to_dict()}
    for protocol in ("sizes", "galleries", "blufr", "best-rowden"):
        results[protocol] = evaluate_open_set(photos, protocol, people=people).to_dict()
        print(protocol, flush=True)
    return results


def whiskers(plot: Plot, points: list[tuple[float, float, list[float] | None]], kind: str) -> Html:
    """Return a line through points, with their intervals."""
    marks = [plot.line([x for x, _, _ in points], [y for _, y, _ in points], kind)]
    for x, y, ends in points:
        if ends:
            marks.append(plot.whisker(x, ends[0], ends[1], kind))
        marks.append(plot.dot(x, y, kind, f"{100 * y:.2f} %"))
    return Html("".join(marks))


def pairs_chart(results: Row) -> Html:
    """Return a chart of TAR by FAR over all pairs, with intervals from a bootstrap over people."""
    rows = [row for row in results["all_pairs"]["at_far"] if row["tar_interval"]]
    plot = Plot(log_axis(1e-6, "accepted pairs of different people (FAR)"), rate_axis(0.9, 1.0, ""))
    points = [(row["far"], row["tar"], row["tar_interval"]) for row in rows]
    return plot.draw("True accept rate at false accept rates", whiskers(plot, points, "good"))


def open_set_chart(results: Row, protocol: str, title: str) -> Html:
    """Return a chart of DIR at FPIR 1 % (green) and 0.1 % (red) for each row of a protocol."""
    rows = results[protocol]["rows"]
    ticks = tuple((i + 0.5, row["name"].removesuffix(" people")) for i, row in enumerate(rows))
    plot = Plot(Axis(0.0, float(len(rows)), ticks, title), rate_axis(0.5, 1.0, ""))
    marks = []
    for at, kind, aside in ((0, "good", -0.05), (1, "strange", 0.05)):
        found = [row["open_set"][at] for row in rows]
        points = [(i + 0.5 + aside, f["dir"], f["dir_interval"]) for i, f in enumerate(found)]
        marks.append(whiskers(plot, points, kind))
    return plot.draw("Detection and identification rate", *marks)


def write(name: str, chart: Html) -> None:
    """Write a chart as an SVG file."""
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="630" height="405" '
    text = (
        str(chart)
        .replace("<svg ", head, 1)
        .replace("</title>", f"</title><style>{STYLE}</style>", 1)
    )
    (PICTURES / name).write_text(text + "\n", "utf-8")


def main() -> None:
    """Measure where a dataset is given, and draw the charts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path, nargs="?")
    parser.add_argument("--people-list", type=Path)
    arguments = parser.parse_args()
    if arguments.dataset:
        if arguments.people_list is None:
            parser.error("--people-list people.txt is needed")
        NUMBERS.write_text(
            json.dumps(measure(arguments.dataset, arguments.people_list), indent=1) + "\n"
        )
    results = json.loads(NUMBERS.read_text("utf-8"))
    PICTURES.mkdir(parents=True, exist_ok=True)
    write("all-pairs.svg", pairs_chart(results))
    write("template-sizes.svg", open_set_chart(results, "sizes", "photos in a template"))
    write("galleries.svg", open_set_chart(results, "galleries", "people enrolled, one photo each"))


if __name__ == "__main__":
    main()
