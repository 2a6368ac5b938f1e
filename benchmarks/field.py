"""The field side by side: Mien and its peers, each in an environment and processes of its own.

    MIEN_DATA=FOLDER python benchmarks/field.py --work DIR [--fraction F] [--only PEER,...]
        [--stages STAGE,...] [--jobs N] [--json OUT]

Stages, in this order:

- cost: seconds and bytes to install, seconds to the first answer, memory;
- recall: faces found on sheets of LFW photos, by their size, and in all photos of LFW;
- accuracy: LFW View 2, and open-set identification at FPIR 1 %;
- speed: faces per second, one photo at a time and on all cores;
- training: from LFW and ten more people to a recognizer, by Mien and by the course's recipe.

What is done is kept under DIR and not done again, peer by peer (recall and accuracy in parts of a
hundred photos), so a stopped run goes on where it was; remove DIR/results to measure anew. All of
it takes hours. --fraction takes a share of the photos, to try it out. docs/benchmarks.md says what
is measured, and how.
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
from stages.groups import group_recall
from stages.sightings import Sightings, lfw_recall, sightings
from stages.training import course_training, mien_training

STAGES = ("cost", "recall", "accuracy", "speed", "training")
PHOTOS = 200
"""Of LFW for the speed stage."""

OWN_DETECTOR = {"mien", "face_recognition", "opencv", "facenet_pytorch", "deepface"}


def main() -> None:
    """Measure what is not there yet, print a table and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path(".bench"), help="default: .bench")
    parser.add_argument("--fraction", type=float, default=1.0, help="share of the photos")
    parser.add_argument("--only", metavar="PEERS", help="comma-separated; default: all")
    parser.add_argument("--stages", default=",".join(STAGES), help="comma-separated; default: all")
    parser.add_argument(
        "--jobs", type=int, default=1, help="processes that look through LFW (default: 1)"
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
    """Results on disk, a file each."""

    def __init__(self, folder: Path, fraction: float) -> None:
        self._folder = folder / f"{fraction:g}"

    def __call__(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what `work` returned the first time."""
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
    """How this run goes: the options, and what earlier runs kept."""

    work: Path
    fraction: float
    jobs: int
    kept: Kept

    def seen_by(self, peer: Peer) -> Sightings:
        """Return what a peer sees in LFW."""
        return sightings(peer, self.work, self.fraction, self.jobs)


def _cost(peers: list[Peer], run: Run) -> dict[str, Any]:
    return {
        peer.name: run.kept(f"cost-{peer.name}", lambda peer=peer: cost(peer, run.work))
        for peer in peers
    }


def _recall(peers: list[Peer], run: Run) -> dict[str, Any]:
    def of(peer: Peer) -> dict[str, Any]:
        return {
            "groups": group_recall(peer, run.work, run.fraction),
            "lfw": lfw_recall(run.seen_by(peer)),
        }

    own = [peer for peer in peers if peer.name in OWN_DETECTOR]
    return {peer.name: run.kept(f"recall-{peer.name}", lambda peer=peer: of(peer)) for peer in own}


def _accuracy(peers: list[Peer], run: Run) -> dict[str, Any]:
    def of(peer: Peer) -> dict[str, Any]:
        seen = run.seen_by(peer)
        return {"view2": view2(seen), "open_set": open_set_by_halves(seen)}

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
