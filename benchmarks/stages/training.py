"""Wall time from photos of LFW and the ten people to a recognizer: Mien and the course's recipe."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from measuring_photos import data_folder
from peers.catalogue import PEERS
from peers.venvs import python_of
from stages.found_faces import all_photos, chosen

COURSE = Path(__file__).with_name("course.py")
LFW_PLUS = {"people": 5756, "train": 9300, "validate": 8100}
"""Approximate sizes for the course's recipe on LFW and the ten people. It trains on 70 % of each
person's photos and on the only photo of 4,069 people; it validates on the others and on mirrored
copies."""


def mien_training(work: Path, fraction: float) -> dict[str, Any]:
    """Return the seconds that Mien takes for a share of LFW's people and all of the ten people.

    They are not extrapolated; `photos` is the number of photos.
    """
    mien = next(peer for peer in PEERS if peer.name == "mien")
    folder = work / "training"
    shutil.rmtree(folder, ignore_errors=True)
    photos = folder / "lfw"
    taken = [path for path in all_photos(work) if chosen(path.stem, fraction)]
    for path in taken:
        person = photos / path.parent.name
        person.mkdir(parents=True, exist_ok=True)
        (person / path.name).symlink_to(path.resolve())
    run = [str(python_of(mien, work)), "-m", "mien"]
    sources = [str(photos), str(data_folder() / "ten-indian-people.zip")]
    times = {}
    for what, arguments in (
        ("build_s", ["dataset", "build", *sources, "-o", str(folder / "dataset")]),
        ("train_s", ["train", str(folder / "dataset"), "-o", str(folder / "people.onnx")]),
    ):
        start = time.perf_counter()
        subprocess.run([*run, *arguments], check=True, stdout=subprocess.DEVNULL)
        times[what] = time.perf_counter() - start
    return times | {"total_s": sum(times.values()), "photos": len(taken) + 81}


def course_training(work: Path, fraction: float) -> dict[str, Any]:
    """Return the extrapolated seconds of the course's recipe on LFW and the ten people."""
    facenet = next(peer for peer in PEERS if peer.name == "facenet_pytorch")
    numbers = [part for key, value in LFW_PLUS.items() for part in (f"--{key}", str(value))]
    count = max(16, round(512 * fraction))
    photos = all_photos(work)[0].parents[1]
    command = [str(python_of(facenet, work)), str(COURSE), "--photos", str(photos)]
    done = subprocess.run(
        [*command, "--count", str(count), *numbers], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
