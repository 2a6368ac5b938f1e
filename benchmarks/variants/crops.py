"""Embeddings of the central face of each photo, detected and cropped in several ways.

This takes minutes, so embeddings are saved in parts: a stopped run continues.
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
from mien.evaluation.verification.pairs_file import LfwPhoto
from mien.graph.align import TEMPLATE
from mien.graph.assemble import align_graph
from mien.photo import decode_photo
from mien.session import Session
from mien.types import CROP_SIDE, Photo

SCALES = (1.0, 0.9, 0.95, 1.05, 1.1)
"""Scale of the face in its crop; the first is the recognizer's own."""

MIN_SIDES = (320, 640)
"""Values of `min_side` to detect at, besides the default: LFW's photos are enlarged to them."""

PART = 256

Vectors = dict[str, NDArray[np.float32]]
"""(N, D) unit rows per variant: `crop 1.05`, `mirror 1.05`, `side 320`. A photo without a face has
a row of zeros."""


@dataclass(frozen=True, slots=True, eq=False)
class Embedder:
    """Detects, crops and embeds the central face of a photo in all variants.

    Attributes:
        engine: with the default settings.
        scaled: the align stage for each of `SCALES`.
        by_side: an engine for each of `MIN_SIDES`.
    """

    engine: Engine
    scaled: dict[float, Session]
    by_side: dict[int, Engine]

    @classmethod
    def open(cls) -> Embedder:
        """Build the stages with one thread each: photos are processed in parallel."""
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
            by_side={
                side: Engine.open(threads=1, settings=DetectionSettings(min_side=side))
                for side in MIN_SIDES
            },
        )

    def embed(self, data: bytes, name: str) -> Vectors:
        """Return one row (D,) per variant."""
        photo = decode_photo(data, name=name)
        crops = self._scaled(photo)
        crops |= {
            key.replace("crop", "mirror"): None if crop is None else crop[:, ::-1]
            for key, crop in crops.items()
        }
        for side, engine in self.by_side.items():
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


def embeddings_of(photos: Sequence[LfwPhoto], root: Path, work: Path) -> Vectors:
    """Return the embeddings of photos, in their order.

    Args:
        photos: N photos of LFW.
        root: LFW's archive.
        work: folder for saved embeddings.
    """
    folder = work / "choices"
    folder.mkdir(parents=True, exist_ok=True)
    embedder = Embedder.open()
    parts = [photos[start : start + PART] for start in range(0, len(photos), PART)]
    files = [_file(folder, part, embedder.engine.contract) for part in parts]
    missing = [(part, file) for part, file in zip(parts, files, strict=True) if not file.exists()]
    if missing:
        data = dict(lfw_photos(root, {photo for part, _ in missing for photo in part}))
        with ThreadPoolExecutor(2) as pool:
            for number, (part, file) in enumerate(missing):
                print(f"crops: part {number + 1} of {len(missing)}", file=sys.stderr)
                rows = list(pool.map(lambda p: embedder.embed(data[p], p.file_name), part))
                _save(file, rows)
    kept = [np.load(file, allow_pickle=False) for file in files]
    return {key: np.concatenate([part[key] for part in kept]) for key in kept[0].files}


def _file(folder: Path, part: Sequence[LfwPhoto], contract: str) -> Path:
    """Return the file of a part; its name is a hash of all that its embeddings depend on."""
    made = [contract, str(SCALES), str(MIN_SIDES), *(photo.file_name for photo in part)]
    return folder / f"{sha256(chr(10).join(made).encode()).hexdigest()[:16]}.npz"


def _save(path: Path, rows: Sequence[Vectors]) -> None:
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez(file, **{key: np.stack([row[key] for row in rows]) for key in rows[0]})
    partial.replace(path)
