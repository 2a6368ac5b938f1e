"""Variants of templates, crops and calibration without new weights, compared on LFW's View 1.

    mien dataset build lfw:lfw-deepfunneled.tgz -o lfw
    MIEN_DATA=FOLDER python benchmarks/choices.py lfw [--work DIR] [--json OUT]

Two tables compare variants with what Mien does; 95 % intervals are from a paired bootstrap over
people:

- verification over all pairs of View 1's photos: the crop, its mirror image, larger and smaller
  faces in their crops, other detection sizes;
- open-set identification of the people of `peopleDevTrain.txt`: mirror images, weights by quality,
  shrinkage, normalisation of scores with a cohort. Statistics for these are from
  `peopleDevTest.txt`.

A third table is about calibration: the weight of the embedder's typical curve, in photos, by the
log loss on photos that were not fitted to.

Variants have their own thresholds, so they are compared at the same FAR or at the same requested
FPIR. The tables contain many comparisons: of 72 intervals of 95 %, three or four exclude zero by
chance.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from measuring_photos import data_folder
from mien.dataset import Dataset
from peers.machine import described
from variants.calibration import calibration
from variants.templates import AS_IS, SIZES, templates
from variants.verification import THE_CROP, verification

_AS_IS = {AS_IS.name, THE_CROP}
Found = dict[str, Any]


def main() -> None:
    """Measure, print the tables, write JSON on request."""
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
            f" of one person, {found['impostor']:,} of two people\n"
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
    """Return the second table as Markdown: DIR, and the gain of each variant."""
    lines = [
        (
            f"{found['people']:,} people, {found['probes']:,} probes, {found['strangers']:,}"
            f" strangers, a cohort of {found['cohort']:,}, {found['draws']} draws\n"
        ),
        f"| variant | requested FPIR | {' | '.join(f'{n} photos: DIR | gain' for n in SIZES)} |",
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
    """Return the third table as Markdown: log loss on photos that were not fitted to."""
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
