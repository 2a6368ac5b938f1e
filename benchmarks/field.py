"""Mien compared with similar libraries, each in its own environment and processes.

    MIEN_DATA=FOLDER python benchmarks/field.py --work DIR [--fraction F] [--only PEER,...]
        [--stages STAGE,...] [--jobs N] [--json OUT]

Stages, in this order:

- cost: seconds and bytes to install, seconds to the first answer, memory;
- recall: faces found on sheets of LFW photos, by their size, and in all photos of LFW;
- accuracy: LFW View 2, and open-set identification at FPIR 1 %;
- speed: faces per second, one photo at a time and on all cores;
- training: from photos of LFW and ten more people to a recognizer, by Mien and by the course's
  recipe.

Results are saved under DIR per peer and stage (recall and accuracy in parts of a hundred photos),
so that a stopped run continues; remove DIR/results to measure again. A full run takes hours;
--fraction uses a share of the photos. docs/benchmarks.md describes the method.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pipeline
from field_table import print_table
from peers.catalogue import Peer, chosen
from peers.machine import described
from stages.accuracy import open_set_by_halves, view2
from stages.cost import cost
from stages.found_faces import FoundFaces, found_faces, lfw_recall
from stages.groups import group_recall
from stages.training import course_training, mien_training

STAGES = ("cost", "recall", "accuracy", "speed", "training")
PHOTOS = 200
"""Photos of LFW in the speed stage."""

OWN_DETECTOR = {"mien", "face_recognition", "opencv", "facenet_pytorch", "deepface"}


def main() -> None:
    """Measure what was not measured before, print a table, write JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path(".bench"), help="default: .bench")
    parser.add_argument("--fraction", type=float, default=1.0, help="share of the photos")
    parser.add_argument("--only", metavar="PEERS", help="comma-separated; default: all")
    parser.add_argument("--stages", default=",".join(STAGES), help="comma-separated; default: all")
    parser.add_argument(
        "--jobs", type=int, default=1, help="processes that search LFW for faces (default: 1)"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers here")
    options = parser.parse_args()
    stages = options.stages.split(",")
    if unknown := set(stages) - set(STAGES):
        parser.error(f"no such stage: {', '.join(sorted(unknown))}")

    peers = chosen(options.only)
    kept = Kept(options.work / "results", options.fraction)
    run = Run(options.work, options.fraction, options.jobs, kept)
    result = {
        "machine": described(),
        "fraction": options.fraction,
        "peers": {peer.name: {"title": peer.title, "note": peer.note} for peer in peers},
    }
    for stage in STAGES:
        if stage in stages:
            result[stage] = STAGE_OF[stage](peers, run)
    print_table(result)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


class Kept:
    """Results on disk, one file each."""

    def __init__(self, folder: Path, fraction: float) -> None:
        self._folder = folder / f"{fraction:g}"

    def __call__(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the saved result; calls `work` where there is none."""
        path = self._folder / f"{name}.json"
        if not path.exists():
            print(f"measuring {name}", file=sys.stderr)
            found = work()
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".part")
            partial.write_text(json.dumps(found) + "\n", encoding="utf-8")
            partial.replace(path)
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return kept


@dataclass(frozen=True, slots=True)
class Run:
    """The options of a run, and the results of earlier runs."""

    work: Path
    fraction: float
    jobs: int
    kept: Kept

    def faces_of(self, peer: Peer) -> FoundFaces:
        """Return the faces that a peer finds in LFW."""
        return found_faces(peer, self.work, self.fraction, self.jobs)


def _cost(peers: list[Peer], run: Run) -> dict[str, Any]:
    return {
        peer.name: run.kept(f"cost-{peer.name}", lambda peer=peer: cost(peer, run.work))
        for peer in peers
    }


def _recall(peers: list[Peer], run: Run) -> dict[str, Any]:
    def of(peer: Peer) -> dict[str, Any]:
        return {
            "groups": group_recall(peer, run.work, run.fraction),
            "lfw": lfw_recall(run.faces_of(peer)),
        }

    own = [peer for peer in peers if peer.name in OWN_DETECTOR]
    return {peer.name: run.kept(f"recall-{peer.name}", lambda peer=peer: of(peer)) for peer in own}


def _accuracy(peers: list[Peer], run: Run) -> dict[str, Any]:
    def of(peer: Peer) -> dict[str, Any]:
        faces = run.faces_of(peer)
        return {"view2": view2(faces), "open_set": open_set_by_halves(faces)}

    own = [peer for peer in peers if peer.own_weights]
    return {
        peer.name: run.kept(f"accuracy-{peer.name}", lambda peer=peer: of(peer)) for peer in own
    }


def _speed(peers: list[Peer], run: Run) -> dict[str, Any]:
    name = "speed-" + "-".join(peer.name for peer in peers)
    count = max(10, round(PHOTOS * run.fraction))
    return run.kept(name, lambda: pipeline.measure(peers, run.work, count, rounds=3))


def _training(peers: list[Peer], run: Run) -> dict[str, Any]:
    of = {"mien": mien_training, "facenet_pytorch": course_training}
    wanted = [peer.name for peer in peers if peer.name in of]
    return {
        name: run.kept(f"training-{name}", lambda name=name: of[name](run.work, run.fraction))
        for name in wanted
    }


STAGE_OF = {
    "cost": _cost,
    "recall": _recall,
    "accuracy": _accuracy,
    "speed": _speed,
    "training": _training,
}


if __name__ == "__main__":
    main()
