"""Compare with a recognizer's people and with others that are given with each run.

The static page runs this graph where a visitor has added people in the browser: the decision
stays the compare stage's own.
"""

from __future__ import annotations

import numpy as np
import onnx

from mien.graph.assemble import output_named
from mien.graph.builder import Graph, Value
from mien.graph.compare import CANDIDATES, PeopleTensors, compare
from mien.types import Head


def extra_people_graph(head: Head) -> onnx.ModelProto:
    """Return a graph like `assemble.compare_graph` with P people of a file and E more.

    The people of `head` are an input, as the file with the recognizer has them already; its
    calibration, threshold and negatives are constants. Inputs:

    - embeddings (F, D) float32 unit rows: the faces;
    - prototypes (D, P) float32: of `head`, a column a person, as they lie in the file;
    - visitors, mirrors (N, D) float32 unit rows: the added people's photos, straight and mirrored;
    - owners (N,) int64: to which of the added people each photo belongs, 0 to E-1;
    - added () int64: E;
    - negatives (R, D) float32 unit rows, negative_of (R,) int64: faces that are not a certain
      person, 0 to P + E - 1.

    A person's prototype is the mean of the photos' both views, as in training without weights for
    quality. Outputs as those of `compare_graph`; the added people come after the file's.
    """
    graph = Graph()
    dimension = head.prototypes.shape[1]
    embeddings = graph.input("embeddings", "float32", ["faces", dimension])
    file = graph.input("prototypes", "float32", [dimension, "people"])
    prototypes = graph.concat([file, _added(graph, dimension)], axis=1)
    negatives = graph.input("negatives", "float32", ["rejected", dimension]).transpose(1, 0)
    negative_of = graph.input("negative_of", "int64", ["rejected"])
    if len(head.negatives):
        own = np.ascontiguousarray(head.negatives.T)
        negatives = graph.concat([own, negatives], axis=1)
        negative_of = graph.concat([head.negative_of, negative_of], axis=0)
    everybody = PeopleTensors(
        prototypes=prototypes,
        listed=graph.op("Min", prototypes.size(1).unsqueeze(0), np.array([CANDIDATES])),
        slope=float(head.calibration.slope),
        offset=float(head.calibration.offset),
        threshold=float(head.policy.threshold),
        negatives=negatives,
        negative_of=negative_of,
    )
    output_named(graph, compare(graph, embeddings, everybody))
    return graph.model("compare_with_visitors")


def _added(graph: Graph, dimension: int) -> Value:
    """Return (D, E) unit columns, the added people's prototypes."""
    visitors = graph.input("visitors", "float32", ["photos", dimension])
    mirrors = graph.input("mirrors", "float32", ["photos", dimension])
    owners = graph.input("owners", "int64", ["photos"])
    people = graph.input("added", "int64", [])
    rows = graph.op("LpNormalization", visitors + mirrors, axis=1, p=2)
    shape = graph.concat([people.unsqueeze(0), np.array([dimension])], axis=0)
    nothing = graph.op("Expand", np.float32(0), shape)
    sums = graph.op("ScatterND", nothing, owners.unsqueeze(1), rows, reduction="add")
    return graph.op("LpNormalization", sums, axis=1, p=2).transpose(1, 0)
