"""The one-file graph compared with the separate stages: agreement, and the time of each stage.

    MIEN_DATA=FOLDER python benchmarks/parity.py [--photos N] [--json OUT]

The photos are N of LFW, drawn with a fixed seed, and all of the ten people.

Agreement: each photo is processed by `Engine` stage by stage, and by one recognizer file with 610
people (random directions, since agreement does not depend on who they are).

Time: one thread; the stages, the whole file and the bare models take turns on each photo, so that
other load affects all alike. The bare models get ready-made input tensors; the detector runs as
often as in the stages (twice on large photos).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from measuring_photos import NamedBytes, lfw_photos, ten_people_photos
from mien.engine import DetectionSettings, Engine, Session
from mien.graph.assemble import compare_graph
from mien.photo import decode_photo
from mien.recognizer import Recognizer
from mien.types import Calibration, Head, Interval, Photo, Policy

T = TypeVar("T")

PEOPLE = 610
STAGES = (
    "decode",
    "detect",
    "align",
    "embed",
    "compare",
    "whole",
    "bare detector",
    "bare embedder",
)
TARGET = 1.3


@dataclass(slots=True)
class Agreement:
    """Largest differences between the stages and the file.

    Attributes:
        photos: number of photos.
        faces: number of faces.
        similarity: largest difference of a similarity to any person.
        box: largest difference of a box's edge, in pixels.
        different: photos in which different faces are found, or named differently.
    """

    photos: int = 0
    faces: int = 0
    similarity: float = 0.0
    box: float = 0.0
    different: list[str] = field(default_factory=list)


def main() -> None:
    """Measure, print the table, write JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=500, help="photos of LFW (default: 500)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers here")
    options = parser.parse_args()

    engine = Engine.open(threads=1)
    head = random_head(engine)
    recognizer = Recognizer.build(head, engine, threads=1)
    comparison = Comparison(engine, head, recognizer)
    result: dict[str, Any] = {"people": PEOPLE, "threads": 1}
    for group, photos in (
        ("LFW", lfw_photos(options.photos)),
        ("ten people", ten_people_photos()),
    ):
        result[group] = measure(comparison, photos)
    print_tables(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


class Comparison:
    """Stages and recognizer file over the same models, and the models alone."""

    def __init__(self, engine: Engine, head: Head, recognizer: Recognizer) -> None:
        self.engine, self.head, self.recognizer = engine, head, recognizer
        self.compare = Session(compare_graph(head).SerializeToString(), name="compare", threads=1)
        parts = engine.parts
        self.detector = Session(parts.detector.SerializeToString(), name="detector", threads=1)
        self.embedder = Session(parts.embedder.SerializeToString(), name="embedder", threads=1)

    def turn(self, name: str, data: bytes, agreement: Agreement) -> dict[str, float]:
        """Process one photo both ways; return milliseconds per stage."""
        times: dict[str, float] = {}
        photo = timed(times, "decode", lambda: decode_photo(data, name=name))
        found = timed(times, "detect", lambda: self.engine.detect(photo))
        crops = timed(times, "align", lambda: self.engine.align(photo, found))
        vectors = timed(times, "embed", lambda: self.engine.embed(crops)).vectors
        _, _, _, person = timed(times, "compare", lambda: self.compare.run(embeddings=vectors))
        faces = timed(times, "whole", lambda: self.recognizer.identify(photo))
        inputs = detector_inputs(photo, self.engine.settings)
        timed(times, "bare detector", lambda: [self.detector.run(input=each) for each in inputs])
        planes = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)
        timed(times, "bare embedder", lambda: self.embedder.run(input=planes))

        agreement.photos += 1
        agreement.faces += len(found)
        names = [self.head.people[index] if index >= 0 else None for index in person]
        if names != [face.name for face in faces]:
            agreement.different.append(name)
            return times
        index = {person: row for row, person in enumerate(self.head.people)}
        for number, face in enumerate(faces):
            expected = self.head.prototypes @ vectors[number]
            listed = [abs(expected[index[c.name]] - c.similarity) for c in face.candidates]
            apart = np.abs(self.head.prototypes @ face.embedding - expected).max()
            agreement.similarity = float(max(agreement.similarity, apart, *listed))
            box = np.abs(face.box - found.boxes[number]).max()
            agreement.box = float(max(agreement.box, box))
        return times


def timed(times: dict[str, float], stage: str, work: Callable[[], T]) -> T:
    """Return what `work` returns, and record its milliseconds."""
    start = time.perf_counter()
    done = work()
    times[stage] = (time.perf_counter() - start) * 1e3
    return done


def random_head(engine: Engine) -> Head:
    """Return a head of PEOPLE people with random prototypes."""
    prototypes = np.random.default_rng(0).normal(size=(PEOPLE, engine.dimension))
    prototypes /= np.linalg.norm(prototypes, axis=1, keepdims=True)
    # About half of the faces reach this threshold, so that names and "unknown" both occur.
    policy = Policy(0.28, 0.01, Interval(0.01, 0.0, 0.02), 0, supported=False, source="random")
    return Head(
        kind="prototype",
        people=tuple(f"person {number}" for number in range(PEOPLE)),
        prototypes=prototypes.astype(np.float32),
        photos=np.ones(PEOPLE, np.int64),
        contract=engine.contract,
        calibration=Calibration(20.0, -6.0),
        policy=policy,
    )


def detector_inputs(photo: Photo, settings: DetectionSettings) -> list[NDArray[np.float32]]:
    """Return the detector's input tensors: one per photo, two for a large photo."""
    long_side = max(photo.width, photo.height)
    side = min(max(long_side, settings.min_side), settings.max_side)
    sides = [side] if side <= settings.min_side * 4 // 3 else [side, settings.min_side]
    return [_planes(photo, each / long_side) for each in sides]


def _planes(photo: Photo, ratio: float) -> NDArray[np.float32]:
    width, height = round(photo.width * ratio), round(photo.height * ratio)
    picture = Image.fromarray(photo.pixels).resize((width, height), Image.Resampling.BILINEAR)
    planes = np.zeros((1, 3, -(-height // 32) * 32, -(-width // 32) * 32), np.float32)
    planes[0, :, :height, :width] = np.asarray(picture).transpose(2, 0, 1)
    return planes


def measure(comparison: Comparison, photos: Iterable[NamedBytes]) -> dict[str, Any]:
    """Return agreement and times over some photos."""
    agreement = Agreement()
    turns = [comparison.turn(name, data, agreement) for name, data in photos]
    turns = turns[1:]  # without the warm-up
    mean = {stage: float(np.mean([turn[stage] for turn in turns])) for stage in STAGES}
    median = {stage: float(np.median([turn[stage] for turn in turns])) for stage in STAGES}
    ratios = [turn["whole"] / (turn["bare detector"] + turn["bare embedder"]) for turn in turns]
    return {
        **asdict(agreement),
        "mean_ms": mean,
        "median_ms": median,
        "whole_over_bare": float(np.median(ratios)),
        "whole_over_bare_of_sums": mean["whole"] / (mean["bare detector"] + mean["bare embedder"]),
    }


def print_tables(result: dict[str, Any]) -> None:
    """Print the results."""
    groups = {name: value for name, value in result.items() if isinstance(value, dict)}
    print("| | " + " | ".join(groups) + " |")
    print("|---|" + "---:|" * len(groups))
    rows = {
        "photos": "photos",
        "faces": "faces",
        "largest difference in similarity": "similarity",
        "largest difference of a box, px": "box",
    }
    for title, key in rows.items():
        print(f"| {title} | " + " | ".join(f"{group[key]:.3g}" for group in groups.values()) + " |")
    different = " | ".join(str(len(group["different"])) for group in groups.values())
    print(f"| photos answered differently | {different} |")
    for stage in STAGES:
        cells = " | ".join(f"{group['mean_ms'][stage]:.2f}" for group in groups.values())
        print(f"| {stage}, ms per photo | {cells} |")
    for title, key in (
        ("whole / bare models, median", "whole_over_bare"),
        ("whole / bare models, of the sums", "whole_over_bare_of_sums"),
    ):
        cells = " | ".join(f"{group[key]:.2f}" for group in groups.values())
        print(f"| {title} (target {TARGET}) | {cells} |")


if __name__ == "__main__":
    main()
