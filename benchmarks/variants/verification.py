"""Variants of cropping and detection, compared by verification on the pairs of View 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.verification.pairs_file import LfwPairs, LfwPhoto, read_pairs
from mien.measures import PairScores, best_threshold, mcnemar, tar_gain_over_people, tar_over_people
from mien.measures.templates import unit_rows
from variants.crops import MIN_SIDES, SCALES, Vectors, embeddings_of

FARS = (1e-4, 1e-5)
THE_CROP = "the crop"


def variants(vectors: Vectors) -> dict[str, NDArray[np.float32]]:
    """Return (N, D) embeddings per variant; photos without a face have rows of zeros."""
    crop, mirror = vectors["crop 1.0"], vectors["mirror 1.0"]
    crops, mirrors = (
        sum(vectors[f"{kind} {scale}"] for scale in SCALES) for kind in ("crop", "mirror")
    )
    found = {
        THE_CROP: crop,
        "and its mirror image": crop + mirror,
        **{
            f"face at {scale} of its size in the crop": vectors[f"crop {scale}"]
            for scale in SCALES[1:]
        },
        "five sizes": crops,
        "five sizes and mirror images": crops + mirrors,
        **{f"detected at {side} pixels": vectors[f"side {side}"] for side in MIN_SIDES},
    }
    return {name: _unit(rows) for name, rows in found.items()}


def verification(root: Path, lists: Path, work: Path) -> dict[str, Any]:
    """Return TAR over all pairs of View 1's photos, and accuracy on View 1's own pairs.

    Args:
        root: LFW's archive.
        lists: folder of `pairsDevTrain.txt` and `pairsDevTest.txt`.
        work: folder for saved embeddings.
    """
    train, test = (read_pairs(lists / f"pairsDev{side}.txt") for side in ("Train", "Test"))
    photos = sorted(train.photos() | test.photos(), key=lambda photo: photo.file_name)
    place = {photo: row for row, photo in enumerate(photos)}
    _, labels = np.unique([photo.person for photo in photos], return_inverse=True)
    tried = variants(embeddings_of(photos, root, work))
    scored = {name: _all_pairs(rows, labels) for name, rows in tried.items()}
    correct = {name: _correct(rows, place, train, test) for name, rows in tried.items()}
    rows = []
    for name, pairs in scored.items():
        gains = tar_gain_over_people(scored[THE_CROP], pairs, FARS)
        rows.append(
            {
                "way": name,
                "tar": [rate.value for rate in tar_over_people(pairs, FARS, rounds=1)],
                "gain": [[gain.value, gain.low, gain.high] for gain in gains],
                "view1_accuracy": float(correct[name].mean()),
                "view1_p": mcnemar(correct[THE_CROP], correct[name]),
                "missed": int(np.sum(~tried[name].any(axis=1))),
            }
        )
    genuine = len(scored[THE_CROP].genuine)
    count = len(photos)
    return {
        "photos": count,
        "people": int(labels.max()) + 1,
        "genuine": genuine,
        "impostor": count * (count - 1) // 2 - genuine,
        "fars": FARS,
        "ways": rows,
    }


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(rows.any(axis=1, keepdims=True), unit_rows(rows), 0).astype(np.float32)


def _all_pairs(rows: NDArray[np.float32], labels: NDArray[np.int64]) -> PairScores:
    """Compare all photos with each other; of the impostor scores only the highest are kept."""
    first, second = np.triu_indices(len(rows), 1)
    scores = (rows @ rows.T)[first, second]
    same = labels[first] == labels[second]
    others = np.flatnonzero(~same)
    kept = round(2 * max(FARS) * len(others))
    highest = others[np.argpartition(-scores[others], kept)[:kept]]
    return PairScores(
        people=int(labels.max()) + 1,
        genuine=scores[same].astype(np.float64),
        genuine_person=labels[first[same]],
        impostor=scores[highest].astype(np.float64),
        impostor_people=labels[np.stack([first[highest], second[highest]], axis=1)],
        photos=np.bincount(labels).astype(np.int64),
    )


def _correct(
    rows: NDArray[np.float32], place: dict[LfwPhoto, int], train: LfwPairs, test: LfwPairs
) -> NDArray[np.bool_]:
    """Return which of View 1's test pairs are decided correctly at the best training threshold."""

    def scores(pairs: LfwPairs) -> NDArray[np.float64]:
        first, second = (
            rows[[place[photo] for photo in side]]
            for side in zip(*[(pair.first, pair.second) for pair in pairs.pairs], strict=True)
        )
        found: NDArray[np.float64] = np.sum(first * second, axis=1, dtype=np.float64)
        return found

    threshold, _ = best_threshold(scores(train), [pair.same for pair in train.pairs])
    decided: NDArray[np.bool_] = (scores(test) >= threshold) == [pair.same for pair in test.pairs]
    return decided
