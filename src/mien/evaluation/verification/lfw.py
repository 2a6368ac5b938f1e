"""Verification on Labeled Faces in the Wild by its published protocol.

Source: G. B. Huang et al., "Labeled Faces in the Wild", UMass TR 07-49 (2007). The embedder is
trained on other photos: the results belong to the category "unrestricted, labelled outside data".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import NothingToMeasure
from mien.evaluation.verification.embed_photos import EmbeddedFace, centre_face, embed_photos
from mien.evaluation.verification.lfw_photos import lfw_photos
from mien.evaluation.verification.pairs_file import LfwPairs, LfwPhoto, read_pairs
from mien.evaluation.verification.score_pairs import (
    MISSED,
    ScoredPairs,
    pairs_to_dict,
    score_pairs,
)
from mien.matching import PhotoEmbedder
from mien.text import count
from mien.types import Progress, silent


@dataclass(frozen=True, slots=True, eq=False)
class LfwResult:
    """Verification on the pairs of one file.

    Attributes:
        pairs: the pairs, in the order of the file.
        scored: the measurements on them.
        photos: number of photos compared.
        missed: file names of photos in which no face was found, or that cannot be read.
        crops: JPEG crops by photo; empty unless requested.
        contract: contract id of the embeddings.
    """

    pairs: LfwPairs
    scored: ScoredPairs
    photos: int
    missed: tuple[str, ...]
    crops: dict[LfwPhoto, bytes]
    contract: str

    def to_dict(self) -> dict[str, Any]:
        """Return what `mien evaluate lfw --json` prints; rates lie in [0, 1]."""
        return pairs_to_dict(self.scored, self.photos, self.missed, self.contract)

    def __repr__(self) -> str:
        return f"<LfwResult {self.scored.summary()}, {count(len(self.missed), 'photo')} missed>"

    def _repr_html_(self) -> str:
        return self.scored.html("Labeled Faces in the Wild")


def evaluate_lfw(
    engine: PhotoEmbedder,
    root: Path | str,
    pairs: LfwPairs | str | os.PathLike[str],
    *,
    choose_on: LfwPairs | str | os.PathLike[str] | None = None,
    keep_crops: bool = False,
    workers: int = 2,
    progress: Progress = silent,
) -> LfwResult:
    """Compare the pairs of Labeled Faces in the Wild: `mien evaluate lfw`.

    The person of a photo is the face nearest its centre: LFW's photos are centred on the person.
    For View 2 the threshold of each fold is the best one of the other folds. For View 1, which has
    no folds, it is the best one on `choose_on`; without that, the best one on the pairs
    themselves, which is optimistic.

    Example:
        `mien.evaluate_lfw(mien.Engine.open(), "lfw-deepfunneled.tgz", "pairs.txt")`

    Args:
        engine: embeds photos, such as an `Engine` or a `Pipeline`; called from several threads.
        root: LFW's archive, or the folder it unpacks to.
        pairs: the pairs to compare, or the path of a pairs file.
        choose_on: pairs to choose the threshold on, or the path of their file.
        keep_crops: whether to keep the aligned crops, for the report.
        workers: number of threads.
        progress: called after each photo.

    Raises:
        InvalidPairs: a pairs file does not exist or is malformed.
        SourceNotFound: nothing is at `root`.
        UnusableSource: it is not LFW, or lacks a photo of the pairs.
        NothingToMeasure: none of the photos shows a face.
    """
    pairs, choose_on = _opened(pairs), None if choose_on is None else _opened(choose_on)
    wanted = pairs.photos() | (choose_on.photos() if choose_on else frozenset())
    found = embed_photos(
        engine,
        ((photo, photo.file_name, data) for photo, data in lfw_photos(root, wanted)),
        total=len(wanted),
        which=centre_face,
        keep_crops=keep_crops,
        workers=workers,
        progress=progress,
    )
    faces = {photo: face for photo, face in found if face is not None}
    if not faces:
        raise NothingToMeasure("no face was found in any photo of the pairs")
    names = {name: i for i, name in enumerate(sorted({photo.person for photo in wanted}))}
    return LfwResult(
        pairs=pairs,
        scored=score_pairs(
            _scores(pairs, faces),
            _same(pairs),
            np.array([pair.fold for pair in pairs.pairs], np.int64),
            np.array([[names[p.first.person], names[p.second.person]] for p in pairs.pairs]),
            chosen=(_scores(choose_on, faces), _same(choose_on)) if choose_on else None,
        ),
        photos=len(pairs.photos()),
        missed=tuple(sorted(p.file_name for p in pairs.photos() - faces.keys())),
        crops={p: found.crop for p, found in faces.items() if found.crop is not None},
        contract=next(iter(faces.values())).contract,
    )


def _opened(pairs: LfwPairs | str | os.PathLike[str]) -> LfwPairs:
    return read_pairs(os.fspath(pairs)) if isinstance(pairs, str | os.PathLike) else pairs


def _same(pairs: LfwPairs) -> NDArray[np.bool_]:
    return np.array([pair.same for pair in pairs.pairs], np.bool_)


def _scores(pairs: LfwPairs, faces: Mapping[LfwPhoto, EmbeddedFace]) -> NDArray[np.float64]:
    scores = np.full(len(pairs.pairs), MISSED)
    for index, pair in enumerate(pairs.pairs):
        first, second = faces.get(pair.first), faces.get(pair.second)
        if first is not None and second is not None:
            scores[index] = float(first.vector @ second.vector)
    return scores
