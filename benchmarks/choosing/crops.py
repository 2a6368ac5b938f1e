"""The face of each photo, cut and looked for in several ways, and its embeddings.

Minutes of work, so it is kept in parts of some hundred photos: a stopped run goes on where it was.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.engine import DetectionSettings, Engine
from mien.evaluation.verification.embed_photos import centre_face
from mien.evaluation.verification.lfw_photos import lfw_photos
from mien.evaluation.verification.pairs_file import PhotoId
from mien.graph.align import TEMPLATE
from mien.graph.assemble import align_graph
from mien.photo import decode_photo
from mien.session import Session
from mien.types import CROP_SIDE, Photo

SCALES = (1.0, 0.9, 0.95, 1.05, 1.1)
"""Of the face in its crop; the first is as the recognizer has it."""

LEAST_SIDES = (320, 640)
"""Sides that LFW's small photos are brought up to besides the default, to look for faces."""

PART = 256

Vectors = dict[str, NDArray[np.float32]]
"""(N, D) unit rows by how they were made: `crop 1.05`, `mirror 1.05`, `side 320`. A photo without
a face has a row of zeros."""


@dataclass(frozen=True, slots=True, eq=False)
class Cutter:
    """Everything that cuts and embeds a face.

    Attributes:
        engine: at the default settings.
        scaled: the align stage for each of `SCALES`.
        looking: engines for each of `LEAST_SIDES`.
    """

    engine: Engine
    scaled: dict[float, Session]
    looking: dict[int, Engine]

    @classmethod
    def open(cls) -> Cutter:
        """Make the stages, a thread each: photos are worked on side by side."""
        middle = np.float32((CROP_SIDE - 1) / 2)
        stages = {
            scale: align_graph(template=middle + np.float32(scale) * (TEMPLATE - middle))
            for scale in SCALES
        }
        return cls(
            engine=Engine.open(threads=1),
            scaled={
                scale: Session(graph.SerializeToString(), name=f"align {scale}", threads=1)
                for scale, graph in stages.items()
            },
            looking={
                side: Engine.open(threads=1, settings=DetectionSettings(min_side=side))
                for side in LEAST_SIDES
            },
        )

    def embed(self, data: bytes, name: str) -> Vectors:
        """Return the rows of one photo, (D,) each."""
        photo = decode_photo(data, name=name)
        crops = self._scaled(photo)
        crops |= {
            key.replace("crop", "mirror"): None if crop is None else crop[:, ::-1]
            for key, crop in crops.items()
        }
        for side, engine in self.looking.items():
            found = engine.detect(photo)
            crops[f"side {side}"] = (
                engine.align(photo, found)[centre_face(photo, found)] if len(found) else None
            )
        there = [crop for crop in crops.values() if crop is not None]
        rows = iter(self.engine.embed(np.stack(there)).vectors if there else ())
        nothing = np.zeros(self.engine.dimension, np.float32)
        return {key: nothing if crop is None else next(rows) for key, crop in crops.items()}

    def _scaled(self, photo: Photo) -> dict[str, NDArray[np.uint8] | None]:
        found = self.engine.detect(photo)
        crops: dict[str, NDArray[np.uint8] | None] = {}
        for scale, stage in self.scaled.items():
            crops[f"crop {scale}"] = None
            if len(found):
                points = found.points[[centre_face(photo, found)]]
                crops[f"crop {scale}"] = stage.run("crops", image=photo.pixels, points=points)[0][0]
        return crops


def embeddings_of(photos: Sequence[PhotoId], root: Path, work: Path) -> Vectors:
    """Return the rows of the photos, in their order.

    Args:
        photos: N of LFW.
        root: LFW's archive.
        work: folder for what is kept.
    """
    folder = work / "choices"
    folder.mkdir(parents=True, exist_ok=True)
    cutter = Cutter.open()
    parts = [photos[start : start + PART] for start in range(0, len(photos), PART)]
    files = [_file(folder, part, cutter.engine.contract) for part in parts]
    missing = [(part, file) for part, file in zip(parts, files, strict=True) if not file.exists()]
    if missing:
        data = dict(lfw_photos(root, {photo for part, _ in missing for photo in part}))
        with ThreadPoolExecutor(2) as pool:
            for number, (part, file) in enumerate(missing):
                print(f"crops: part {number + 1} of {len(missing)}", file=sys.stderr)
                rows = list(pool.map(lambda p: cutter.embed(data[p], p.file_name), part))
                _save(file, rows)
    kept = [np.load(file, allow_pickle=False) for file in files]
    return {key: np.concatenate([part[key] for part in kept]) for key in kept[0].files}


def _file(folder: Path, part: Sequence[PhotoId], contract: str) -> Path:
    """Return where a part is kept: elsewhere if anything is made in another way."""
    made = [contract, str(SCALES), str(LEAST_SIDES), *(photo.file_name for photo in part)]
    return folder / f"{sha256(chr(10).join(made).encode()).hexdigest()[:16]}.npz"


def _save(path: Path, rows: Sequence[Vectors]) -> None:
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez(file, **{key: np.stack([row[key] for row in rows]) for key in rows[0]})
    partial.replace(path)
