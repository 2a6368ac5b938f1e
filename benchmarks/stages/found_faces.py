"""The central face that each peer finds in each photo of LFW, and its embedding.

The slowest stage by far. Results are saved in parts, so that an interrupted run continues.
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
"""Height and width of LFW's photos in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundFaces:
    """The faces that a peer found.

    Attributes:
        names: N photos, `Tony_Blair_0001`.
        boxes: (N, 4) float32 xyxy of the face nearest to the middle; nan where none was found.
        vectors: (N, D) float32, nan where none was found; D = 0 where only boxes are measured.
        metric: `cosine` or `euclidean`: how the vectors are compared.
    """

    names: list[str]
    boxes: NDArray[np.float32]
    vectors: NDArray[np.float32]
    metric: str


def found_faces(peer: Peer, work: Path, fraction: float, jobs: int = 1) -> FoundFaces:
    """Return the faces that a peer finds in the photos of some of LFW's people.

    Args:
        peer: the library.
        work: folder for everything.
        fraction: share of the people, chosen by a hash of their names.
        jobs: processes at a time; the result does not depend on it.
    """
    paths = [path for path in all_photos(work) if chosen(path.stem, fraction)]
    folder = work / "found" / peer.name
    folder.mkdir(parents=True, exist_ok=True)
    parts = [paths[start : start + PART] for start in range(0, len(paths), PART)]
    missing = [part for part in parts if not _file(folder, part).exists()]
    with ThreadPoolExecutor(jobs) as pool:
        shares = [missing[number::jobs] for number in range(jobs)]
        for _ in pool.map(lambda share: _find_parts(peer, work, folder, share), shares):
            pass
    return _joined([_file(folder, part) for part in parts])


def chosen(name: str, fraction: float) -> bool:
    """Return whether a photo's person is among the chosen."""
    person = name.rsplit("_", 1)[0]
    return sha256(person.encode()).digest()[1] < 256 * fraction


def lfw_recall(found: FoundFaces) -> dict[str, Any]:
    """Return the share of photos in which the middle is inside a box."""
    middle = SIDE / 2
    low, high = found.boxes[:, :2], found.boxes[:, 2:]
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


def _find_parts(peer: Peer, work: Path, folder: Path, parts: list[list[Path]]) -> None:
    """Find the faces of some parts in one process, and save each part."""
    if not parts:
        return
    with PeerProcess(peer, work) as process:
        for number, part in enumerate(parts):
            print(f"{peer.name}: part {number + 1} of {len(parts)}", file=sys.stderr)
            _save(_file(folder, part), part, _find(process, part), process)


def _find(
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
    faces: list[tuple[NDArray[np.float32], NDArray[np.float32]]],
    process: PeerProcess,
) -> None:
    dimension = max((vectors.shape[1] for _, vectors in faces), default=0)
    boxes = np.full((len(part), 4), np.nan, np.float32)
    rows = np.full((len(part), dimension), np.nan, np.float32)
    for number, (found, vectors) in enumerate(faces):
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


def _joined(files: list[Path]) -> FoundFaces:
    parts = [np.load(file, allow_pickle=False) for file in files]
    return FoundFaces(
        names=[str(name) for part in parts for name in part["names"]],
        boxes=np.concatenate([part["boxes"] for part in parts]),
        vectors=np.concatenate([part["vectors"] for part in parts]),
        metric=str(parts[0]["metric"]),
    )
