"""Compare, calibrate and decide: embeddings to names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.graph.builder import Array, Graph, Value
from mien.graph.settings import EVEN_ODDS, UNKNOWN_PERSON
from mien.types import Head

CANDIDATES = 10
"""Number of candidates per face, if there are that many people."""


REJECTED = -1.0
"""Replaces the similarity to a person that a face was rejected as: the lowest possible value."""


@dataclass(frozen=True, slots=True, eq=False)
class PeopleTensors:
    """The P people to compare faces against, as constants or inputs of a graph.

    Attributes:
        prototypes: (D, P) float32, one unit column per person.
        listed: K, number of candidates per face; at least 1.
        slope: of the calibration.
        offset: of the calibration.
        threshold: least similarity for which a name is given.
        negatives: (D, N) float32, one unit column per rejected face; None where there are none.
        negative_of: (N,) int64, index of the person that each of them is not.
    """

    prototypes: Value
    listed: Value | Array
    slope: Value | float
    offset: Value | float
    threshold: Value | float
    negatives: Value | None = None
    negative_of: Value | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Results for F faces, with K = min(P, CANDIDATES) candidates each.

    Attributes:
        candidates: (F, K) int64 indices of people, best first.
        similarities: (F, K) float32 cosines to them; REJECTED where a face was rejected as that
            person.
        probabilities: (F, K) float32 in [0, 1].
        person: (F,) int64, index of the person named, or UNKNOWN_PERSON.
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
        # An integer would become an int64 constant.
        slope=float(head.calibration.slope),
        offset=float(head.calibration.offset),
        threshold=float(head.policy.threshold),
        negatives=graph.constant(np.ascontiguousarray(head.negatives.T), "negatives")
        if rejected
        else None,
        negative_of=graph.constant(head.negative_of, "negative_of") if rejected else None,
    )


def given_people(graph: Graph, dimension: int) -> PeopleTensors:
    """Return the people of each run as inputs of a graph, named like the attributes."""
    prototypes = graph.input("prototypes", "float32", [dimension, "people"])
    count = prototypes.size(1).unsqueeze(0)
    return PeopleTensors(
        prototypes=prototypes,
        listed=graph.op("Min", count, np.array([CANDIDATES])),
        slope=graph.input("slope", "float32", []),
        offset=graph.input("offset", "float32", []),
        threshold=graph.input("threshold", "float32", []),
        negatives=graph.input("negatives", "float32", [dimension, "rejected"]),
        negative_of=graph.input("negative_of", "int64", ["rejected"]),
    )


def compare(graph: Graph, embeddings: Value, people: PeopleTensors) -> Compared:
    """Add comparison with people, calibration and decision to a graph.

    Args:
        graph: the graph to add to.
        embeddings: (F, D) float32 unit rows.
        people: the people to compare against.
    """
    cosines = _without_rejected(graph, embeddings, embeddings @ people.prototypes, people)
    # onnxruntime's WebAssembly divides by zero in a TopK without rows, so one row is added.
    one_more = graph.op("Pad", cosines, np.array([0, 0, 1, 0]), 0.0)
    similarities, candidates = (
        _all_but_last(graph, best) for best in graph.ops("TopK", 2, one_more, people.listed)
    )
    # The odds of all people are shared: o / (1 + sum of all o). The row added is left out again.
    logits = one_more * people.slope + people.offset
    every = graph.op("ReduceLogSumExp", logits, np.array([1]), keepdims=1)
    total = _all_but_last(graph, graph.op("Softplus", every))
    probabilities = graph.op("Exp", similarities * people.slope + people.offset - total)
    nearest, similarity = candidates.at(0, axis=1), similarities.at(0, axis=1)
    likely = probabilities.at(0, axis=1) >= EVEN_ODDS
    person = _decide(graph, nearest, similarity, likely & (similarity >= people.threshold))
    return Compared(candidates, similarities, probabilities, person)


def _all_but_last(graph: Graph, rows: Value) -> Value:
    return graph.op("Slice", rows, np.array([0]), np.array([-1]), np.array([0]))


def _without_rejected(
    graph: Graph, embeddings: Value, cosines: Value, people: PeopleTensors
) -> Value:
    """Return (F, P) cosines, REJECTED where a face was rejected as a person.

    That is where the face is at least as similar to a rejected face as to the person.
    """
    if people.negatives is None or people.negative_of is None:
        return cosines
    rejected = embeddings @ people.negatives
    shape = graph.op("Shape", rejected)
    owner = graph.op("Expand", people.negative_of, shape)
    lowest = graph.op("Expand", np.float32(-2), graph.op("Shape", cosines))
    most = graph.op("ScatterElements", lowest, owner, rejected, axis=1, reduction="max")
    return graph.op("Where", most >= cosines, np.float32(REJECTED), cosines)


def _decide(graph: Graph, nearest: Value, similarity: Value, known: Value) -> Value:
    """Return (F,) person per face, or UNKNOWN_PERSON: the only place that decides "unknown".

    A face gets a name if its similarity reaches the threshold, the name is at least as likely as
    everything else together (of two people who look too alike neither is), and no other face of
    the photo is more similar to the same person: no person is named twice in a photo. Of two equal
    faces the one with the higher detection score, which comes first, gets the name.
    """
    order = graph.op("Range", 0, nearest.size(0), 1)
    same = graph.op("Equal", nearest.unsqueeze(1), nearest.unsqueeze(0))
    mine, other = similarity.unsqueeze(1), similarity.unsqueeze(0)
    earlier = graph.op("Equal", other, mine) & (order.unsqueeze(0) < order.unsqueeze(1))
    outranked = same & known.unsqueeze(0) & ((other > mine) | earlier)
    outranked_by_any = graph.op("ReduceMax", outranked.cast("int64"), np.array([1]), keepdims=0) > 0
    return graph.op("Where", known & graph.op("Not", outranked_by_any), nearest, UNKNOWN_PERSON)
