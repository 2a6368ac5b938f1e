"""Compare, calibrate and decide: embeddings to names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.graph.builder import Graph, Value
from mien.graph.settings import NOBODY
from mien.types import Head

CANDIDATES = 10
"""How many people are listed for a face, where there are that many."""


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """What is known of F faces; K = min(P, CANDIDATES).

    Attributes:
        candidates: (F, K) int64 indices of people, best first.
        similarities: (F, K) float32 cosines to them.
        probabilities: (F, K) float32 in [0, 1].
        person: (F,) int64, index of the person named, or NOBODY.
    """

    candidates: Value
    similarities: Value
    probabilities: Value
    person: Value


def compare(graph: Graph, embeddings: Value, head: Head) -> Named:
    """Add comparison with the people of `head`, calibration and decision to a graph.

    Args:
        graph: to add to.
        embeddings: (F, D) float32 unit rows.
        head: what was learned.
    """
    prototypes = graph.constant(np.ascontiguousarray(head.prototypes.T), "prototypes")
    listed = min(len(head.people), CANDIDATES)
    similarities, candidates = graph.ops("TopK", 2, embeddings @ prototypes, np.array([listed]))
    scores = similarities * head.calibration.slope + head.calibration.offset
    probabilities = graph.op("Sigmoid", scores)
    person = _decide(graph, candidates.at(0, axis=1), similarities.at(0, axis=1), head)
    return Named(candidates, similarities, probabilities, person)


def _decide(graph: Graph, nearest: Value, similarity: Value, head: Head) -> Value:
    """Return (F,) the person each face is, or NOBODY: the only place that says "unknown".

    A face is named when it is as alike as the policy asks, and when no other face of the photo
    is more like the same person: nobody is twice in one photo. Of two exactly equal faces the
    one with the better detection (which comes first) is named.
    """
    order = graph.op("Range", 0, nearest.size(0), 1)
    same = graph.op("Equal", nearest.unsqueeze(1), nearest.unsqueeze(0))
    mine, other = similarity.unsqueeze(1), similarity.unsqueeze(0)
    earlier = graph.op("Equal", other, mine) & (order.unsqueeze(0) < order.unsqueeze(1))
    beaten = same & ((other > mine) | earlier)
    beaten_by_any = graph.op("ReduceMax", beaten.cast("int64"), np.array([1]), keepdims=0) > 0
    alike = similarity >= head.policy.threshold
    return graph.op("Where", alike & graph.op("Not", beaten_by_any), nearest, NOBODY)
