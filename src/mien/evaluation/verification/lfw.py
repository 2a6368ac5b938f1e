"""Verification on Labeled Faces in the Wild by its own rules.

Source: G. B. Huang et al., "Labeled Faces in the Wild", UMass TR 07-49 (2007). The embedder was
trained on other photos, so the results are of the kind "unrestricted, labelled outside data".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import NothingToMeasure
from mien.evaluation.verification.embed_photos import EmbeddedFace, centre_face, embed_photos
from mien.evaluation.verification.lfw_photos import lfw_photos
from mien.evaluation.verification.pairs_file import Pairs, PhotoId
from mien.evaluation.verification.score_pairs import MISSED, ScoredPairs, score_pairs
from mien.matching import PhotoEmbedder
from mien.types import Progress, silent


@dataclass(frozen=True, slots=True, eq=False)
class LfwResult:
    """Verification on the pairs of one file.

    Attributes:
        pairs: in the file's order.
        scored: what was measured on them.
        photos: number of photos compared.
        missed: photos without a usable face, by file name.
        crops: JPEG crops by photo, where they were wanted.
        contract: how the embeddings were made.
    """

    pairs: Pairs
    scored: ScoredPairs
    photos: int
    missed: tuple[str, ...]
    crops: dict[PhotoId, bytes]
    contract: str


def evaluate_lfw(
    engine: PhotoEmbedder,
    root: Path | str,
    pairs: Pairs,
    *,
    choose_on: Pairs | None = None,
    keep_crops: bool = False,
    workers: int = 2,
    progress: Progress = silent,
) -> LfwResult:
    """Compare the pairs of LFW.

    The person of a photo is the face nearest its centre, as LFW's photos are made. View 2 is
    judged fold by fold at the threshold best on the other folds; View 1 (no folds) at the one best
    on `choose_on`, or else at its own best, which flatters.

    Args:
        engine: embeds a photo; called from several threads.
        root: the archive or its folder, see `lfw_photos`.
        pairs: what to compare.
        choose_on: pairs that the threshold is chosen on instead.
        keep_crops: whether the result shall have the crops, to show them.
        workers: number of threads.
        progress: told of each photo.

    Raises:
        SourceNotFound: nothing is at `root`.
        UnusableSource: it is not LFW, or lacks a photo of the pairs.
        NothingToMeasure: none of the photos shows a face.
    """
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


def _same(pairs: Pairs) -> NDArray[np.bool_]:
    return np.array([pair.same for pair in pairs.pairs], np.bool_)


def _scores(pairs: Pairs, faces: Mapping[PhotoId, EmbeddedFace]) -> NDArray[np.float64]:
    scores = np.full(len(pairs.pairs), MISSED)
    for index, pair in enumerate(pairs.pairs):
        first, second = faces.get(pair.first), faces.get(pair.second)
        if first is not None and second is not None:
            scores[index] = float(first.vector @ second.vector)
    return scores
