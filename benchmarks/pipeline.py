"""Faces per second of Mien, the package face_recognition and a plain OpenCV loop.

    MIEN_DATA=FOLDER python benchmarks/pipeline.py [--work DIR] [--photos N] [--json OUT]

Each library is installed into its own environment under DIR and runs in its own processes. The
libraries take turns on the same photos: N of LFW, drawn with a fixed seed, and those of the ten
people. Measured is the time from the bytes of a photo to the names of its faces, with 610 people
enrolled.

- Single: one photo at a time, each library with its default number of threads.
- Bulk: all cores, one thread each: Mien with threads of one process, the others with one process
  per core.

`benchmarks/field.py` measures more libraries, and more than speed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from measuring_photos import paths_of_photos
from peers.catalogue import Peer, chosen
from peers.machine import described
from peers.speed import PEOPLE, bulk, single

PEERS = "mien,face_recognition,opencv"
GROUPS = {"lfw": "LFW", "ten": "ten people"}
PARTS = 10


def main() -> None:
    """Measure, print tables, write JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path(".bench"), help="default: .bench")
    parser.add_argument("--photos", type=int, default=200, help="of LFW (default: 200)")
    parser.add_argument("--rounds", type=int, default=3, help="runs per photo (default: 3)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers here")
    options = parser.parse_args()

    result = measure(chosen(PEERS), options.work, options.photos, options.rounds)
    print_tables(result)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def measure(peers: list[Peer], work: Path, count: int, rounds: int) -> dict[str, Any]:
    """Return the speed of peers on both groups of photos, and ratios of the first to the others.

    Args:
        peers: the libraries.
        work: folder of environments, weights and photos.
        count: photos of LFW; of the 81 photos of the ten people, count / 200 are used.
        rounds: how often a single photo is processed.
    """
    result: dict[str, Any] = {"machine": described(), "people": PEOPLE, "peers": {}}
    result["peers"] = {peer.name: {"title": peer.title, "note": peer.note} for peer in peers}
    photos = paths_of_photos(work / "photos", lfw=count, ten=min(81, max(4, count * 81 // 200)))
    for group, title in GROUPS.items():
        print(f"{title}: {len(photos[group])} photos, one at a time", file=sys.stderr)
        alone = single(peers, work, photos[group], rounds)
        print(f"{title}: all cores", file=sys.stderr)
        result[group] = {"single": alone, "bulk": bulk(peers, work, photos[group], PARTS)}
    return result


def print_tables(result: dict[str, Any]) -> None:
    """Print the results."""
    for group, title in GROUPS.items():
        for way, heading in (("single", "one photo at a time"), ("bulk", "all cores")):
            found = result[group][way]
            print(f"\n{title}, {heading}\n")
            print("| | faces/s | photos/s | faces | Mien's faces/s over it | photos/s over it |")
            print("|---|---:|---:|---:|---:|---:|")
            for name, about in result["peers"].items():
                row = found[name]
                over = found["over"].get(name)
                ratios = [
                    shown(over[key]) if over else "" for key in ("faces_per_s", "photos_per_s")
                ]
                print(
                    f"| {about['title']} | {row['faces_per_s']:.1f} | {row['photos_per_s']:.1f} "
                    f"| {row['faces']} | {' | '.join(ratios)} |"
                )


def shown(ratio: dict[str, float]) -> str:
    """Return a ratio with its interval as text."""
    return f"{ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"


if __name__ == "__main__":
    main()
