"""What each peer sees in all photos of LFW: the face in the middle, and its embedding.

The slowest stage by far, so it is kept in parts: an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from measuring_photos import lfw_photos
from mien.measures import wilson
from peers.catalogue import Peer
from peers.process import PeerProcess

ALL = 20_000
PART = 100
SIDE = 250
"""Of LFW's photos, in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """What a peer saw.

    Attributes:
        names: N photos, `Tony_Blair_0001`.
        boxes: (N, 4) float32 xyxy of the face nearest the middle; nan where none was found.
        vectors: (N, D) float32, nan there too; D = 0 where embeddings are not judged.
        metric: `cosine` or `euclidean`: how the vectors are compared.
    """

    names: list[str]
    boxes: NDArray[np.float32]
    vectors: NDArray[np.float32]
    metric: str


def sightings(peer: Peer, work: Path, fraction: float, jobs: int = 1) -> Sightings:
    """Return what a peer sees in the photos of a share of LFW's people.

    Args:
        peer: the library.
        work: folder for everything.
        fraction: of the people, by their names.
        jobs: processes at a time; what is seen does not depend on it.
    """
    paths = [path for path in all_photos(work) if chosen(path.stem, fraction)]
    folder = work / "sightings" / peer.name
    folder.mkdir(parents=True, exist_ok=True)
    parts = [paths[start : start + PART] for start in range(0, len(paths), PART)]
    missing = [part for part in parts if not _file(folder, part).exists()]
    with ThreadPoolExecutor(jobs) as pool:
        shares = [missing[number::jobs] for number in range(jobs)]
        for _ in pool.map(lambda share: _see_parts(peer, work, folder, share), shares):
            pass
    return _joined([_file(folder, part) for part in parts])


def chosen(name: str, fraction: float) -> bool:
    """Return whether a photo's person is among the share."""
    person = name.rsplit("_", 1)[0]
    return sha256(person.encode()).digest()[1] < 256 * fraction


def lfw_recall(seen: Sightings) -> dict[str, Any]:
    """Return the share of photos in which the middle lies inside a box."""
    middle = SIDE / 2
    low, high = seen.boxes[:, :2], seen.boxes[:, 2:]
    inside = np.all((low < middle) & (high > middle), axis=1)
    share = wilson(int(inside.sum()), len(inside))
    return {"recall": share.value, "low": share.low, "high": share.high, "photos": len(inside)}


def all_photos(work: Path) -> list[Path]:
    """Return the paths of all photos of LFW, person by person, unpacked once."""
    folder = work / "photos" / "all"
    done = folder / "unpacked"
    if not done.exists():
        for name, data in lfw_photos(ALL):
            path = folder / Path(name).parent.name / Path(name).name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        done.touch()
    return sorted(folder.rglob("*.jpg"))


def _file(folder: Path, part: list[Path]) -> Path:
    names = "\n".join(path.stem for path in part)
    return folder / f"{sha256(names.encode()).hexdigest()[:16]}.npz"


def _see_parts(peer: Peer, work: Path, folder: Path, parts: list[list[Path]]) -> None:
    """See some parts in a process of their own, and keep each."""
    if not parts:
        return
    with PeerProcess(peer, work) as process:
        for number, part in enumerate(parts):
            print(f"{peer.name}: part {number + 1} of {len(parts)}", file=sys.stderr)
            _save(_file(folder, part), part, _see(process, part), process)


def _see(
    process: PeerProcess, part: list[Path]
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    texts = [str(path) for path in part]
    if process.peer.own_weights:
        return process.embed(texts)
    nothing = np.zeros((0, 0), np.float32)
    boxes = process.ask("detect", paths=texts)["boxes"]
    return [(np.array(each, np.float32).reshape(-1, 4), nothing) for each in boxes]


def _save(
    path: Path,
    part: list[Path],
    seen: list[tuple[NDArray[np.float32], NDArray[np.float32]]],
    process: PeerProcess,
) -> None:
    dimension = max((vectors.shape[1] for _, vectors in seen), default=0)
    boxes = np.full((len(part), 4), np.nan, np.float32)
    rows = np.full((len(part), dimension), np.nan, np.float32)
    for number, (found, vectors) in enumerate(seen):
        if not len(found):
            continue
        middles = (found[:, :2] + found[:, 2:]) / 2
        index = int(np.argmin(np.sum((middles - SIDE / 2) ** 2, axis=1)))
        boxes[number] = found[index]
        if dimension:
            rows[number] = vectors[index]
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez(
            file,
            names=np.array([each.stem for each in part]),
            boxes=boxes,
            vectors=rows,
            metric=np.array(process.ask("hello")["metric"]),
        )
    partial.replace(path)


def _joined(files: list[Path]) -> Sightings:
    parts = [np.load(file, allow_pickle=False) for file in files]
    return Sightings(
        names=[str(name) for part in parts for name in part["names"]],
        boxes=np.concatenate([part["boxes"] for part in parts]),
        vectors=np.concatenate([part["vectors"] for part in parts]),
        metric=str(parts[0]["metric"]),
    )
