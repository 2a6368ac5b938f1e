"""Would it be better without new weights? What could be chosen, tried on LFW's View 1 alone.

    mien dataset build lfw:lfw-deepfunneled.tgz -o lfw
    MIEN_DATA=FOLDER python benchmarks/choices.py lfw [--work DIR] [--json OUT]

Two tables of ways beside what Mien does, with 95 % intervals from redrawing people alike for both:

- verification over all pairs of the photos that View 1's lists of pairs name: the crop, its mirror
  image, faces larger and smaller in their crops, other sides to look for faces at;
- open-set identification of the people of `peopleDevTrain.txt`: mirror images, weights by quality,
  templates that shrink, scores set in proportion to a cohort. What has to be learned first is
  learned from `peopleDevTest.txt`.

And one of probabilities: what the embedder's typical curve should count, in photos, beside those
that a calibration is fitted to, by the log loss of other photos.

Each way has thresholds of its own, so ways are compared at the same FAR, and at the same FPIR asked
for. Both tables are many comparisons: of 72 intervals of 95 %, three or four lie beside zero by
chance alone.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from choosing.calibration import calibration
from choosing.templates import AS_IS, SIZES, templates
from choosing.verification import THE_CROP, verification
from measuring_photos import data_folder
from mien.dataset import Dataset
from peers.machine import described

_AS_IS = {AS_IS.name, THE_CROP}
Found = dict[str, Any]


def main() -> None:
    """Measure, print both tables and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path, help="made by mien dataset build lfw:PATH")
    parser.add_argument("--work", type=Path, default=Path(".bench"), help="default: .bench")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers here")
    options = parser.parse_args()
    data, dataset = data_folder(), Dataset.open(options.dataset)
    result = {
        "machine": described(),
        "templates": templates(dataset, data / "lfw"),
        "calibration": calibration(dataset, data / "lfw"),
        "verification": verification(data / "lfw-deepfunneled.tgz", data / "lfw", options.work),
    }
    print(verification_table(result["verification"]))
    print(templates_table(result["templates"]))
    print(calibration_table(result["calibration"]))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def verification_table(found: Found) -> str:
    """Return the first table as Markdown."""
    lines = [
        (
            f"{found['photos']:,} photos of {found['people']:,} people, {found['genuine']:,} pairs"
            f" of one person, {found['impostor']:,} of two\n"
        ),
        "| embedding of a photo | "
        + " | ".join(f"TAR at FAR {far:.0e} | gain" for far in found["fars"])
        + " | View 1 test, p | missed |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found["ways"]:
        rates = [
            f"{tar:.4f} | {_gain(row['way'], gain)}"
            for tar, gain in zip(row["tar"], row["gain"], strict=True)
        ]
        accuracy = f"{row['view1_accuracy']:.4f}, {row['view1_p']:.2f}"
        lines.append(f"| {row['way']} | {' | '.join(rates)} | {accuracy} | {row['missed']} |")
    return "\n".join([*lines, ""])


def templates_table(found: Found) -> str:
    """Return the second table as Markdown: DIR as it is, and what each way gains."""
    lines = [
        (
            f"{found['people']:,} people, {found['probes']:,} probes, {found['strangers']:,}"
            f" strangers, a cohort of {found['cohort']:,}, {found['draws']} draws\n"
        ),
        f"| way | FPIR asked for | {' | '.join(f'{n} photos: DIR | gain' for n in SIZES)} |",
        "|---|---|" + "---|---|" * len(SIZES),
    ]
    cells: dict[tuple[str, float], list[str]] = {}
    for row in found["ways"]:
        text = f"{row['dir']:.4f} | {_gain(row['way'], row['gain'])}"
        cells.setdefault((row["way"], row["target"]), []).append(text)
    lines += [
        f"| {way} | {100 * target:g} % | {' | '.join(texts)} |"
        for (way, target), texts in cells.items()
    ]
    return "\n".join([*lines, ""])


def calibration_table(found: Found) -> str:
    """Return the third table as Markdown: log loss of photos that were not fitted to."""
    weights = [f"{weight:g}" for weight in found["weights"]]
    lines = [
        "| people | fitted to | " + " | ".join(weights) + " |",
        "|---|---|" + "---|" * len(weights),
    ]
    for side, rows in found["sides"].items():
        for row in rows:
            losses = " | ".join(f"{loss:.4f}" for loss in row["log_loss"])
            lines.append(f"| peopleDev{side} | {row['photos']:,} + {row['photos']:,} | {losses} |")
    return "\n".join([*lines, ""])


def _gain(way: str, gain: list[float]) -> str:
    value, low, high = gain
    return "" if way in _AS_IS else f"{value:+.4f} ({low:+.4f} to {high:+.4f})"


if __name__ == "__main__":
    main()
