"""Check that the graph of a recognizer file and its people belong together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.graph.settings import UNKNOWN_PERSON
from mien.onnx_files.graph_checks import CheckedGraph
from mien.recognizer.metadata import LearnedFields, unreadable
from mien.types import CROP_SIDE

_OUTPUTS = {
    "boxes", "points", "scores", "crops", "embeddings",
    "candidates", "similarities", "probabilities", "person",
}  # fmt: skip


def check_people(checked: CheckedGraph, learned: LearnedFields, name: str) -> None:
    """Check that a file has one prototype for each of its people, and the inputs and outputs.

    Args:
        checked: its graph.
        learned: its metadata.
        name: of the file, for errors.

    Raises:
        NotARecognizer: they do not fit.
    """
    if checked.inputs != ("image",) or not set(checked.outputs) >= _OUTPUTS:
        raise unreadable(name, "its inputs or outputs are not those of a recognizer")
    for stored, count in (("prototypes", len(learned.people)), ("negatives", _rejected(learned))):
        shapes = [shape for key, shape in checked.shapes.items() if key.startswith(stored)]
        if [shape[1:] for shape in shapes] != ([(count,)] if count else []):
            raise unreadable(name, f"its {stored} do not fit its list of people")


def fits_people(outputs: Sequence[NDArray[Any]], people: int) -> bool:
    """Return whether the outputs of a graph for one photo have the shapes and indices they must.

    Args:
        outputs: boxes, points, scores, crops, embeddings, candidates, similarities,
            probabilities, person.
        people: P.
    """
    boxes, points, scores, crops, vectors, candidates, similarities, probabilities, person = outputs
    faces = len(scores) if scores.ndim == 1 else -1
    listed = candidates.shape[1:]
    shapes = (
        (boxes, (faces, 4)), (points, (faces, 5, 2)), (crops, (faces, CROP_SIDE, CROP_SIDE, 3)),
        (vectors, (faces, *vectors.shape[1:2])), (candidates, (faces, *listed[:1])),
        (similarities, (faces, *listed[:1])), (probabilities, (faces, *listed[:1])),
        (person, (faces,)),
    )  # fmt: skip
    if len(listed) != 1 or vectors.ndim != 2 or any(a.shape != shape for a, shape in shapes):
        return False
    indices = (candidates, 0), (person, UNKNOWN_PERSON)
    return (
        (crops.dtype == np.uint8)
        and all(
            array.dtype == np.int64
            and (not array.size or least <= array.min() <= array.max() < people)
            for array, least in indices
        )
        and (not faces or listed[0] > 0)
    )


def _rejected(learned: LearnedFields) -> int:
    return len(learned.negative_of)
