"""LFW View 2 and open-set identification with the faces that a peer found, by the same rules.

A photo in which no face was found counts as an error: its pairs are dissimilar, its probe unknown.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from measuring_photos import data_folder
from mien.evaluation import read_pairs
from mien.evaluation.open_set.metrics import half_of
from mien.measures import folded_accuracy, open_set_at, tar_at_far, threshold_at_fpir
from stages.found_faces import FoundFaces

ENROLLED = 3
"""Photos per enrolled person."""

FPIR = 0.01
_MISSED = -1e3
"""Similarity to a face that was not found."""


def view2(faces: FoundFaces) -> dict[str, Any]:
    """Return accuracy over the folds of View 2 and TAR at FAR 1e-3, for the chosen people."""
    pairs = read_pairs(data_folder() / "lfw" / "pairs.txt").pairs
    row = {name: number for number, name in enumerate(faces.names)}
    scores, same, folds = [], [], []
    for pair in pairs:
        names = [photo.file_name.removesuffix(".jpg") for photo in (pair.first, pair.second)]
        if all(name in row for name in names):
            first, second = (faces.vectors[[row[name]]] for name in names)
            scores.append(similarities(faces.metric, first, second)[0, 0])
            same.append(pair.same)
            folds.append(pair.fold)
    if not 0 < sum(same) < len(same):
        return {"pairs": len(same)}
    truth = np.array(same)
    folded = folded_accuracy(scores, truth, folds)
    values = np.array(scores)
    return {
        "pairs": len(same),
        "accuracy": folded.accuracy,
        "accuracy_se": folded.standard_error,
        "tar_at_far_1e-3": tar_at_far(values[truth], values[~truth], 1e-3).tar,
    }


def open_set_by_halves(faces: FoundFaces) -> dict[str, Any]:
    """Return DIR at FPIR 1 % for two ways to compare with a person's three photos.

    The gallery: people with more than three photos, by their first three. Probes: their other
    photos. Strangers: people with one photo. The threshold is set on one half of the strangers, by
    the first bit of the sha256 of their names, and measured on the other half; then the halves
    change places. Reported is the mean of both.
    """
    people = defaultdict(list)
    for number, name in enumerate(faces.names):
        people[name.rsplit("_", 1)[0]].append(number)
    gallery = {name: rows for name, rows in people.items() if len(rows) > ENROLLED}
    strangers = [(name, rows[0]) for name, rows in people.items() if len(rows) == 1]
    probes = [(n, row) for n, rows in enumerate(gallery.values()) for row in rows[ENROLLED:]]
    if len(gallery) < 2 or len(strangers) * FPIR < 2:
        return {"gallery": len(gallery), "strangers": len(strangers)}
    known = [faces.vectors[rows[:ENROLLED]] for rows in gallery.values()]
    found: dict[str, Any] = {
        "gallery": len(gallery),
        "probes": len(probes),
        "strangers": len(strangers),
    }
    for way, search in (("nearest", _nearest), ("mean", _mean)):
        own = search(faces.metric, faces.vectors[[row for _, row in probes]], known)
        others = search(faces.metric, faces.vectors[[row for _, row in strangers]], known)
        mates = np.array([mate for mate, _ in probes])
        sides = np.array([half_of(name) for name, _ in strangers])
        found[way] = _both_halves(own, mates, others.max(1), sides)
    return found


def _both_halves(
    own: NDArray[np.float32],
    mates: NDArray[np.int64],
    strangers: NDArray[np.float32],
    sides: NDArray[np.int64],
) -> dict[str, Any]:
    results = []
    for chosen_on in (0, 1):
        threshold = threshold_at_fpir(strangers[sides == chosen_on], FPIR)
        correct = own.argmax(1) == mates
        results.append(open_set_at(own.max(1), correct, strangers[sides != chosen_on], threshold))
    return {
        "fpir": float(np.mean([each.fpir.value for each in results])),
        "dir": float(np.mean([each.dir.value for each in results])),
        "dir_low": min(each.dir.low for each in results),
        "dir_high": max(each.dir.high for each in results),
    }


def similarities(
    metric: str, first: NDArray[np.float32], second: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return (A, B) similarities, higher is more similar; `_MISSED` where a face was not found."""
    a, b = (np.nan_to_num(vectors.astype(np.float32)) for vectors in (first, second))
    if metric == "cosine":
        scores = _unit(a) @ _unit(b).T
    else:
        squares = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T
        scores = -np.sqrt(np.maximum(squares, 0))
    lost = np.isnan(first).any(1)[:, None] | np.isnan(second).any(1)[None]
    return np.where(lost, np.float32(_MISSED), scores).astype(np.float32)


def _nearest(
    metric: str, probes: NDArray[np.float32], known: list[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return (N, P): the similarity to the most similar of each person's photos."""
    scores = similarities(metric, probes, np.concatenate(known))
    return scores.reshape(len(probes), len(known), ENROLLED).max(2)


def _mean(
    metric: str, probes: NDArray[np.float32], known: list[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return (N, P): the similarity to the mean of each person's photos with a face."""
    rows = []
    for vectors in known:
        there = vectors[~np.isnan(vectors).any(1)]
        there = _unit(there) if metric == "cosine" else there
        rows.append(there.mean(0) if len(there) else np.full(vectors.shape[1], np.nan))
    return similarities(metric, probes, np.array(rows, np.float32))


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(lengths, 1e-12)
    return unit
