"""Compare, calibrate and decide: embeddings to names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.graph.builder import Array, Graph, Value
from mien.graph.settings import NOBODY
from mien.types import Head

CANDIDATES = 10
"""How many people are listed for a face, where there are that many."""


REJECTED = -1.0
"""Stands for the similarity to a person whom the face was said not to be: the least there is."""


@dataclass(frozen=True, slots=True, eq=False)
class PeopleTensors:
    """The P people that faces are compared with: constants of a graph, or inputs of it.

    Attributes:
        prototypes: (D, P) float32, a unit column for each person.
        listed: K, how many people are listed for a face; at least 1.
        slope: of the calibration.
        offset: of the calibration.
        threshold: least similarity for which a name is given.
        negatives: (D, N) float32, a unit column for each rejected face; None where there is none.
        negative_of: (N,) int64, who each of them is not.
    """

    prototypes: Value
    listed: Value | Array
    slope: Value | float
    offset: Value | float
    threshold: Value | float
    negatives: Value | None = None
    negative_of: Value | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """What is known of F faces; K = min(P, CANDIDATES).

    Attributes:
        candidates: (F, K) int64 indices of people, best first.
        similarities: (F, K) float32 cosines to them; REJECTED where a face was said not to be
            that person.
        probabilities: (F, K) float32 in [0, 1].
        person: (F,) int64, index of the person named, or NOBODY.
    """

    candidates: Value
    similarities: Value
    probabilities: Value
    person: Value


def fixed_people(graph: Graph, head: Head) -> PeopleTensors:
    """Return the people of `head` as constants of a graph."""
    rejected = bool(len(head.negatives))
    return PeopleTensors(
        prototypes=graph.constant(np.ascontiguousarray(head.prototypes.T), "prototypes"),
        listed=np.array([min(len(head.people), CANDIDATES)]),
        # A whole number would become an integer of the graph.
        slope=float(head.calibration.slope),
        offset=float(head.calibration.offset),
        threshold=float(head.policy.threshold),
        negatives=graph.constant(np.ascontiguousarray(head.negatives.T), "negatives")
        if rejected
        else None,
        negative_of=graph.constant(head.negative_of, "negative_of") if rejected else None,
    )


def given_people(graph: Graph, dimension: int) -> PeopleTensors:
    """Return people who are given with each run: inputs of a graph called like the attributes."""
    people = graph.input("prototypes", "float32", [dimension, "people"])
    count = people.size(1).unsqueeze(0)
    return PeopleTensors(
        prototypes=people,
        listed=graph.op("Min", count, np.array([CANDIDATES])),
        slope=graph.input("slope", "float32", []),
        offset=graph.input("offset", "float32", []),
        threshold=graph.input("threshold", "float32", []),
        negatives=graph.input("negatives", "float32", [dimension, "rejected"]),
        negative_of=graph.input("negative_of", "int64", ["rejected"]),
    )


def compare(graph: Graph, embeddings: Value, gallery: PeopleTensors) -> Named:
    """Add comparison with people, calibration and decision to a graph.

    Args:
        graph: to add to.
        embeddings: (F, D) float32 unit rows.
        gallery: whom they may be.
    """
    cosines = _without_rejected(graph, embeddings, embeddings @ gallery.prototypes, gallery)
    # onnxruntime's WebAssembly divides by zero where TopK has no row: it gets one more.
    one_more = graph.op("Pad", cosines, np.array([0, 0, 1, 0]), 0.0)
    similarities, candidates = (
        _all_but_last(graph, best) for best in graph.ops("TopK", 2, one_more, gallery.listed)
    )
    scores = similarities * gallery.slope + gallery.offset
    probabilities = graph.op("Sigmoid", scores)
    nearest, similarity = candidates.at(0, axis=1), similarities.at(0, axis=1)
    person = _decide(graph, nearest, similarity, gallery.threshold)
    return Named(candidates, similarities, probabilities, person)


def _all_but_last(graph: Graph, rows: Value) -> Value:
    return graph.op("Slice", rows, np.array([0]), np.array([-1]), np.array([0]))


def _without_rejected(
    graph: Graph, embeddings: Value, cosines: Value, gallery: PeopleTensors
) -> Value:
    """Return (F, P) cosines, REJECTED for a person whom a face was said not to be.

    That is where the face is at least as like a rejected face of the person as like the person.
    """
    if gallery.negatives is None or gallery.negative_of is None:
        return cosines
    rejected = embeddings @ gallery.negatives
    shape = graph.op("Shape", rejected)
    owner = graph.op("Expand", gallery.negative_of, shape)
    lowest = graph.op("Expand", np.float32(-2), graph.op("Shape", cosines))
    most = graph.op("ScatterElements", lowest, owner, rejected, axis=1, reduction="max")
    return graph.op("Where", most >= cosines, np.float32(REJECTED), cosines)


def _decide(graph: Graph, nearest: Value, similarity: Value, threshold: Value | float) -> Value:
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
    alike = similarity >= threshold
    return graph.op("Where", alike & graph.op("Not", beaten_by_any), nearest, NOBODY)
