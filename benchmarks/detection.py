"""Detection recall by face size, for several detection sizes.

    MIEN_DATA=FOLDER python benchmarks/detection.py [--scenes N] [--json OUT] [--picture OUT]

Group photos with known boxes are composed: faces of LFW with their surroundings, scaled to a width
of 12 to 900 pixels, are pasted into a photo of 1920 x 1440 on a background of other photos' edges.
A face counts as found when a detection overlaps it (intersection over union of 0.4). Its true box
is the detection in the original photo of 250 x 250, so faces that are never found are not counted.

Each scene is processed with each of five values of `DetectionSettings.max_side`, one after the
other on one thread, so that other load affects all alike. The photos of the ten people, some of
them groups, are processed too; they have no ground truth, and the faces found are counted.

The last column is the median cosine of a face to its original: what a face of that size is worth to
a recognizer.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from measuring_photos import lfw_photos, ten_people_photos
from mien.engine import DetectionSettings, Engine
from mien.measures import wilson
from mien.photo import decode_photo
from mien.types import Detections, Photo

SIDES = (320, 640, 960, 1280, 1920)
REFERENCE = DetectionSettings().max_side
WIDTHS = {12: 48, 16: 48, 20: 48, 24: 48, 32: 40, 40: 40, 60: 30, 120: 12, 240: 6, 480: 2, 900: 1}
"""Width of a face in pixels: number of faces in a scene."""

SCENE = (1440, 1920)
OVERLAP = 0.4
STRIP = 24


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """A face of LFW with its surroundings.

    Attributes:
        picture: the photo.
        box: (4,) of the face.
        embedding: (D,) of the face.
    """

    picture: Image.Image
    box: NDArray[np.float32]
    embedding: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A composed group photo.

    Attributes:
        photo: the picture.
        boxes: (F, 4) true boxes of the faces.
        faces: the originals of the faces.
    """

    photo: Photo
    boxes: NDArray[np.float32]
    faces: tuple[Original, ...]


@dataclass(slots=True)
class Tally:
    """Counts for one detection size.

    Attributes:
        found: faces found, by width.
        asked: faces present, by width.
        alike: cosines to the originals, by width.
        seconds: of each scene.
        real: faces found in the photos of the ten people.
        real_seconds: of each of those photos.
    """

    found: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    asked: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    alike: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    seconds: list[float] = field(default_factory=list)
    real: int = 0
    real_seconds: list[float] = field(default_factory=list)


def originals(engine: Engine, count: int) -> list[Original]:
    """Return faces of LFW, the central one of each photo."""
    faces = []
    for name, data in lfw_photos(count):
        photo = decode_photo(data, name=name)
        found = engine.detect(photo)
        if not len(found):
            continue
        middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
        centre = np.array([photo.width, photo.height]) / 2
        one = [int(np.argmin(np.linalg.norm(middles - centre, axis=1)))]
        face = Detections(found.boxes[one], found.points[one], found.scores[one])
        vector = engine.embed(engine.align(photo, face)).vectors[0]
        faces.append(Original(Image.fromarray(photo.pixels), found.boxes[one[0]], vector))
    return faces


def scene_of(faces: Sequence[Original], width: int, generator: np.random.Generator) -> Scene:
    """Compose a group photo with faces of one width."""
    height, across = SCENE
    canvas = Image.fromarray(_background(faces, generator))
    cell = min(height, 2 * width + 8)
    rows, columns = height // cell, across // cell
    places = generator.permutation(rows * columns)[: WIDTHS[width]]
    chosen = [faces[i] for i in generator.integers(0, len(faces), len(places))]
    boxes = []
    for face, place in zip(chosen, places, strict=True):
        top, left = (int(place) // columns) * cell, (int(place) % columns) * cell
        boxes.append(_paste(canvas, face, width, (left, top), cell))
    pixels = np.asarray(canvas)
    return Scene(Photo(pixels, "0" * 64, "scene"), np.array(boxes, np.float32), tuple(chosen))


def _background(faces: Sequence[Original], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Return a background of the left and right edges of photos, which mostly show no face."""
    height, across = SCENE
    background = np.zeros((height, across, 3), np.uint8)
    side = faces[0].picture.height
    for top in range(0, height, side):
        for left in range(0, across, STRIP):
            pixels = np.asarray(faces[int(generator.integers(len(faces)))].picture)
            strip = pixels[:, :STRIP] if generator.random() < 0.5 else pixels[:, -STRIP:]
            space = background[top : top + side, left : left + STRIP]
            space[:] = strip[: space.shape[0], : space.shape[1]]
    return background


def _paste(
    canvas: Image.Image, face: Original, width: int, corner: tuple[int, int], cell: int
) -> list[float]:
    """Paste a face with a margin of half its width; return its box."""
    left, top, right, bottom = (float(side) for side in face.box)
    scale = width / (right - left)
    room = (right - left) / 2
    cut = (
        max(0.0, left - room),
        max(0.0, top - room),
        min(float(face.picture.width), right + room),
        min(float(face.picture.height), bottom + room),
    )
    size = tuple(max(1, round(scale * (cut[i + 2] - cut[i]))) for i in (0, 1))
    piece = face.picture.resize(size, Image.Resampling.LANCZOS, box=cut, reducing_gap=None)
    piece = piece.crop((0, 0, min(size[0], cell), min(size[1], cell)))
    canvas.paste(piece, corner)
    ratio = (size[0] / (cut[2] - cut[0]), size[1] / (cut[3] - cut[1]))
    at = [(face.box[i] - cut[i % 2]) * ratio[i % 2] + corner[i % 2] for i in range(4)]
    return [float(side) for side in at]


def overlaps(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (F, G): intersection over union of each box with each other."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(each[:, 2:] - each[:, :2], axis=1) for each in (boxes, others)]
    result: NDArray[np.float64] = shared / (areas[0][:, None] + areas[1][None] - shared)
    return result


def detect_in(engine: Engine, scene: Scene, width: int, tally: Tally) -> None:
    """Detect the faces of a scene and count those found."""
    began = time.perf_counter()
    found = engine.detect(scene.photo)
    tally.seconds.append(time.perf_counter() - began)
    tally.asked[width] += len(scene.boxes)
    if not len(found):
        return
    shared = overlaps(scene.boxes, found.boxes)
    best = shared.argmax(axis=1)
    hit = shared.max(axis=1) >= OVERLAP
    tally.found[width] += int(hit.sum())
    if hit.any():
        rows = best[hit]
        faces = Detections(found.boxes[rows], found.points[rows], found.scores[rows])
        vectors = engine.embed(engine.align(scene.photo, faces)).vectors
        own = np.stack(
            [face.embedding for face, is_hit in zip(scene.faces, hit, strict=True) if is_hit]
        )
        tally.alike[width] += np.sum(vectors * own, axis=1).tolist()


def _scenes(faces: Sequence[Original], count: int) -> Iterator[tuple[int, Scene]]:
    generator = np.random.default_rng(0)
    for width in WIDTHS:
        for _ in range(count):
            yield width, scene_of(faces, width, generator)


def measure(engines: dict[int, Engine], faces: Sequence[Original], count: int) -> dict[int, Tally]:
    """Process all photos with every detection size."""
    tallies = {side: Tally() for side in engines}
    for width, scene in _scenes(faces, count):
        for side, engine in engines.items():
            detect_in(engine, scene, width, tallies[side])
    for name, data in ten_people_photos():
        photo = decode_photo(data, name=name)
        for side, engine in engines.items():
            began = time.perf_counter()
            tallies[side].real += len(engine.detect(photo))
            tallies[side].real_seconds.append(time.perf_counter() - began)
    return tallies


def table(tallies: dict[int, Tally]) -> str:
    """Return the results as a table of Markdown."""
    sides = list(tallies)
    best = tallies[sides[-1]]
    lines = [
        "| face in a photo of 1920 px | " + " | ".join(map(str, sides)) + " | cosine to original |",
        "|---|" + "---|" * (len(sides) + 1),
    ]
    for width in best.asked:
        cells = [_cell(tallies[side], width) for side in sides]
        alike = f"{np.median(best.alike[width]):.2f}" if best.alike[width] else ""
        lines.append(f"| {width} px | " + " | ".join(cells) + f" | {alike} |")
    real = " | ".join(str(tallies[side].real) for side in sides)
    lines.append(f"| faces found in the ten people's 81 photos | {real} | |")
    share = [
        np.median(np.array(tallies[side].seconds) / np.array(tallies[REFERENCE].seconds))
        for side in sides
    ]
    against = " | ".join(f"{value:.2f}" for value in share)
    lines.append(f"| time per scene, relative to {REFERENCE} | {against} | |")
    for what, which in (("scene", "seconds"), ("of the 81 photos", "real_seconds")):
        times = [f"{1000 * np.median(getattr(tallies[side], which)):.0f} ms" for side in sides]
        lines.append(f"| one {what}, one thread | " + " | ".join(times) + " | |")
    return "\n".join(lines)


def _cell(tally: Tally, width: int) -> str:
    rate = wilson(tally.found[width], tally.asked[width])
    return f"{100 * rate.value:.0f} % ({100 * rate.low:.0f} to {100 * rate.high:.0f})"


def as_json(tallies: dict[int, Tally]) -> list[dict[str, Any]]:
    """Return the results, one object per detection size."""
    return [
        {
            "side": side,
            "found": dict(tally.found),
            "asked": dict(tally.asked),
            "alike": {width: float(np.median(c)) for width, c in tally.alike.items()},
            "scene_seconds": float(np.median(tally.seconds)),
            "ten_people_faces": tally.real,
            "ten_people_seconds": float(np.median(tally.real_seconds)),
        }
        for side, tally in tallies.items()
    ]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Recall against the detection size.")
    parser.add_argument("--scenes", type=int, default=10, help="scenes per width")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument(
        "--picture", type=Path, help="write one scene here, to look at; not to publish"
    )
    chosen = parser.parse_args()
    engines = {
        side: Engine.open(
            settings=DetectionSettings(max_side=side, min_side=min(side, 480)), threads=1
        )
        for side in SIDES
    }
    faces = originals(engines[640], 400)
    if chosen.picture:
        scene = scene_of(faces, 32, np.random.default_rng(0))
        Image.fromarray(scene.photo.pixels).save(chosen.picture)
    tallies = measure(engines, faces, chosen.scenes)
    print(table(tallies))
    if chosen.json:
        chosen.json.write_text(json.dumps(as_json(tallies), indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
