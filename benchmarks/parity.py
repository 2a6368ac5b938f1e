"""The one-file graph against the staged road: do they agree, and what does each stage cost?

    MIEN_DATA=FOLDER python benchmarks/parity.py [--photos N] [--json OUT]

Taken are N photos of LFW, drawn with a fixed seed, and all of the ten people.

Agreement: each photo goes through `Engine` stage by stage, and through one recognizer file that
knows 610 people (random directions, since agreement does not depend on who they are).

Time: one thread, the stages, the whole file and the bare models taking turns on each photo, so
that a busy machine slows all alike. The bare models get the tensors that the road gives them,
ready made; the detector as often as the road runs it (twice on large photos).
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
    """How far the two roads are apart, at most.

    Attributes:
        photos: how many were compared.
        faces: how many faces they show.
        similarity: largest difference to any of the people, and within the file's own list.
        box: largest difference of a box's edge, in pixels.
        different: photos in which the roads find different faces or name them differently.
    """

    photos: int = 0
    faces: int = 0
    similarity: float = 0.0
    box: float = 0.0
    different: list[str] = field(default_factory=list)


def main() -> None:
    """Measure, print two tables and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=500, help="of LFW (default: 500)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers here")
    options = parser.parse_args()

    engine = Engine.open(threads=1)
    head = random_head(engine)
    recognizer = Recognizer.build(head, engine, threads=1)
    road = Road(engine, head, recognizer)
    result: dict[str, Any] = {"people": PEOPLE, "threads": 1}
    for group, photos in (
        ("LFW", lfw_photos(options.photos)),
        ("ten people", ten_people_photos()),
    ):
        result[group] = measure(road, photos)
    print_tables(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


class Road:
    """Both roads over the same models, and the models alone."""

    def __init__(self, engine: Engine, head: Head, recognizer: Recognizer) -> None:
        self.engine, self.head, self.recognizer = engine, head, recognizer
        self.compare = Session(compare_graph(head).SerializeToString(), name="compare", threads=1)
        parts = engine.parts
        self.detector = Session(parts.detector.SerializeToString(), name="detector", threads=1)
        self.embedder = Session(parts.embedder.SerializeToString(), name="embedder", threads=1)

    def turn(self, name: str, data: bytes, agreement: Agreement) -> dict[str, float]:
        """Take one photo down both roads; return milliseconds by stage."""
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
    """Return what `work` returns, and note its milliseconds."""
    start = time.perf_counter()
    done = work()
    times[stage] = (time.perf_counter() - start) * 1e3
    return done


def random_head(engine: Engine) -> Head:
    """Return a head of PEOPLE random directions."""
    prototypes = np.random.default_rng(0).normal(size=(PEOPLE, engine.dimension))
    prototypes /= np.linalg.norm(prototypes, axis=1, keepdims=True)
    # A threshold that about half of the faces reach, so that both answers are compared.
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
    """Return what the detector gets to see of a photo: one picture, or two of a large one."""
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


def measure(road: Road, photos: Iterable[NamedBytes]) -> dict[str, Any]:
    """Return agreement and times over some photos."""
    agreement = Agreement()
    turns = [road.turn(name, data, agreement) for name, data in photos]
    turns = turns[1:]  # the first pays for what is made only once
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
    """Print what was measured for people."""
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
    told_apart = " | ".join(str(len(group["different"])) for group in groups.values())
    print(f"| photos told differently | {told_apart} |")
    for stage in STAGES:
        cells = " | ".join(f"{group['mean_ms'][stage]:.2f}" for group in groups.values())
        print(f"| {stage}, ms a photo | {cells} |")
    for title, key in (
        ("whole / bare models, median", "whole_over_bare"),
        ("whole / bare models, of the sums", "whole_over_bare_of_sums"),
    ):
        cells = " | ".join(f"{group[key]:.2f}" for group in groups.values())
        print(f"| {title} (target {TARGET}) | {cells} |")


if __name__ == "__main__":
    main()
