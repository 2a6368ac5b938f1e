"""Time that a large gallery takes to identify, open, enrol and forget.

    python benchmarks/gallery.py [--people N] [--photos N] [--calls N] [--json OUT]

People are random points on a sphere of the default embedder's dimension, their photos points near
them, as similar as photos of one person; no weights are needed. Measured are

- `identify`: identifying 1 and 8 faces of a photo, and the same call on an empty gallery in turns;
  the difference is the time that the people add;
- `open`: from the files to the first answer in a new process, plain and encrypted, without imports;
- `enrol`, `forget`: one change, on the disk and in the index when the call returns.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine import contract_of
from mien.gallery import FaceSample, Gallery, ImportedPerson, Origin, key_text, new_key
from mien.models.cards import DEFAULT_DETECTOR, DEFAULT_EMBEDDER, card
from mien.models.weight_store import WeightStore
from mien.types import Embeddings

GROUPS = (1, 8)
SPREAD = 0.75
"""Length of a photo's deviation from its person: the mean cosine of two photos is 0.64."""

OPENER = """
import os, sys, time
import numpy as np
from mien.gallery import Gallery, find_key
from mien.types import Embeddings
face = np.zeros((1, int(sys.argv[2])), np.float32)
face[0, 0] = 1
begin = time.perf_counter()
gallery = Gallery.open(sys.argv[1], key=find_key())
gallery.identify(Embeddings(face, gallery.contract))
print(time.perf_counter() - begin)
"""


def origin() -> Origin:
    """Return the origin of the default embedder's embeddings; its weights are not needed."""
    embedder = card(DEFAULT_EMBEDDER, WeightStore.default())
    contract = contract_of(embedder)
    return Origin(
        contract,
        embedder.dimension or 128,
        DEFAULT_EMBEDDER,
        DEFAULT_DETECTOR,
        {},
        embedder.statistics_for(contract),
    )


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the rows scaled to length 1."""
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def random_people(
    made: Origin, people: int, photos: int, *, first: int = 0
) -> Iterator[tuple[NDArray[np.float32], ImportedPerson]]:
    """Yield the mean direction of a random person's photos, and the person with photos."""
    for person in range(first, first + people):
        rng = np.random.default_rng(person)
        centre = unit(rng.normal(size=made.dimension))
        noise = rng.normal(size=(photos, 2, made.dimension)) * SPREAD / np.sqrt(made.dimension)
        views = unit(centre + noise)
        samples = [
            FaceSample(pair[0], pair[1], made.contract, 0.9, f"{person:032x}{photo:032x}")
            for photo, pair in enumerate(views)
        ]
        yield centre, ImportedPerson(f"person {person}", samples)


def identify(empty: Gallery, full: Gallery, calls: int) -> list[dict[str, Any]]:
    """Return the milliseconds of both galleries, by number of faces."""
    rows = []
    for count in GROUPS:
        rng = np.random.default_rng(count)
        took: dict[str, list[float]] = {"empty": [], "full": []}
        for _ in range(calls):
            faces = Embeddings(unit(rng.normal(size=(count, full.origin.dimension))), full.contract)
            for name, gallery in (("empty", empty), ("full", full)):
                begin = time.perf_counter()
                gallery.identify(faces)
                took[name].append(1e3 * (time.perf_counter() - begin))
        row: dict[str, Any] = {"faces": count}
        for name, times in took.items():
            for share in (50, 99):
                row[f"{name}_p{share}_ms"] = float(np.percentile(times, share))
        row["added_p50_ms"] = row["full_p50_ms"] - row["empty_p50_ms"]
        row["added_p99_ms"] = row["full_p99_ms"] - row["empty_p99_ms"]
        rows.append(row)
    return rows


def opening(folder: Path, dimension: int, key: bytes | None = None) -> float:
    """Return the seconds that a new process takes to open a gallery and answer."""
    done = subprocess.run(
        [sys.executable, "-c", OPENER, str(folder), str(dimension)],
        env={"MIEN_KEY": key_text(key) if key else ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def changes(gallery: Gallery, people: int) -> dict[str, float]:
    """Return the median milliseconds of an enrolment and of forgetting a person."""
    enrol, forget = [], []
    for _, person in random_people(gallery.origin, 10, 1, first=people):
        begin = time.perf_counter()
        taken = gallery.enrol(person.name, person.samples[0], force=True)
        enrol.append(time.perf_counter() - begin)
        if len(forget) < 3:
            begin = time.perf_counter()
            gallery.forget(taken.person)
            forget.append(time.perf_counter() - begin)
    return {
        "enrol_ms": 1e3 * float(np.median(enrol)),
        "forget_ms": 1e3 * float(np.median(forget)),
    }


def measure(root: Path, people: int, photos: int, calls: int) -> dict[str, Any]:
    """Return all measurements."""
    made, key = origin(), new_key()
    result: dict[str, Any] = {"people": people, "photos": people * photos}
    with Gallery.create(root / "empty", made) as empty, Gallery.create(root / "full", made) as full:
        begin = time.perf_counter()
        full.import_people(person for _, person in random_people(made, people, photos))
        result["taking_in_s"] = time.perf_counter() - begin
        probes = [centre for centre, _ in random_people(made, min(people, 200), 1)]
        answers = [full.identify(Embeddings(face[None], made.contract))[0] for face in probes]
        right = [
            answer.known and answer.candidates[0].name == f"person {n}"
            for n, answer in enumerate(answers)
        ]
        result["found"] = f"{sum(right)} of {len(right)}"
        result["threshold"] = full.policy.threshold
        result["identify"] = identify(empty, full, calls)
        result |= changes(full, people)
    result["bytes"] = (root / "full" / "gallery.sqlite").stat().st_size
    result["open_s"] = opening(root / "full", made.dimension)
    with Gallery.open(root / "full") as full:
        full.rotate_key(key)
    result["open_encrypted_s"] = opening(root / "full", made.dimension, key)
    return result


def show(result: dict[str, Any]) -> None:
    """Print what was measured."""
    size = result["bytes"] / 1e6
    print(f"{result['people']:,} people, {result['photos']:,} photos, {size:.0f} MB on disk")
    print(f"known faces named correctly: {result['found']}; threshold {result['threshold']:.3f}")
    print("faces   empty p50   p99   full p50   p99   added p50   p99   (ms)")
    for row in result["identify"]:
        print(
            f"{row['faces']:5d} {row['empty_p50_ms']:11.3f} {row['empty_p99_ms']:5.2f} "
            f"{row['full_p50_ms']:10.3f} {row['full_p99_ms']:5.2f} "
            f"{row['added_p50_ms']:11.3f} {row['added_p99_ms']:5.2f}"
        )
    print(f"open: {result['open_s']:.2f} s plain, {result['open_encrypted_s']:.2f} s encrypted")
    print(f"enrol one photo: {result['enrol_ms']:.0f} ms; forget a person: ", end="")
    print(f"{result['forget_ms']:.0f} ms; import of all: {result['taking_in_s']:.1f} s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--photos", type=int, default=5)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mien-gallery-") as root:
        result = measure(Path(root), options.people, options.photos, options.calls)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
