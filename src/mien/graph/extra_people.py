"""Compare with the people of a recognizer and with extra people, who are inputs of each run.

The static page runs this graph after people were added in the browser, so that the decision is
still made by the compare stage.
"""

from __future__ import annotations

import numpy as np
import onnx

from mien.graph.assemble import output_compared
from mien.graph.builder import Graph, Value
from mien.graph.compare import CANDIDATES, PeopleTensors, compare
from mien.types import Head


def extra_people_graph(head: Head) -> onnx.ModelProto:
    """Return a graph like `assemble.compare_graph` for P people of a file and E extra people.

    The people of `head` are an input, since the recognizer file already contains them; its
    calibration, threshold and negatives are constants. Inputs:

    - embeddings (F, D) float32 unit rows: the faces;
    - prototypes (D, P) float32: of `head`, one column per person, as in the file;
    - visitors, mirrors (N, D) float32 unit rows: crops and mirrored crops of the extra people;
    - owners (N,) int64: which of the extra people each crop shows, 0 to E-1;
    - added () int64: E;
    - negatives (R, D) float32 unit rows, negative_of (R,) int64: rejected faces, and the person
      that each of them is not, 0 to P + E - 1.

    The prototype of an extra person is the mean over crops and mirrored crops, as in training
    without weights for quality. Outputs are those of `compare_graph`; the extra people come after
    the people of the file.
    """
    graph = Graph()
    dimension = head.prototypes.shape[1]
    embeddings = graph.input("embeddings", "float32", ["faces", dimension])
    file = graph.input("prototypes", "float32", [dimension, "people"])
    prototypes = graph.concat([file, _extra_prototypes(graph, dimension)], axis=1)
    negatives = graph.input("negatives", "float32", ["rejected", dimension]).transpose(1, 0)
    negative_of = graph.input("negative_of", "int64", ["rejected"])
    if len(head.negatives):
        own = np.ascontiguousarray(head.negatives.T)
        negatives = graph.concat([own, negatives], axis=1)
        negative_of = graph.concat([head.negative_of, negative_of], axis=0)
    people = PeopleTensors(
        prototypes=prototypes,
        listed=graph.op("Min", prototypes.size(1).unsqueeze(0), np.array([CANDIDATES])),
        slope=float(head.calibration.slope),
        offset=float(head.calibration.offset),
        threshold=float(head.policy.threshold),
        negatives=negatives,
        negative_of=negative_of,
    )
    output_compared(graph, compare(graph, embeddings, people))
    return graph.model("compare_with_visitors")


def _extra_prototypes(graph: Graph, dimension: int) -> Value:
    """Return (D, E) unit columns, the prototypes of the extra people."""
    crops = graph.input("visitors", "float32", ["photos", dimension])
    mirrors = graph.input("mirrors", "float32", ["photos", dimension])
    owners = graph.input("owners", "int64", ["photos"])
    people = graph.input("added", "int64", [])
    rows = graph.op("LpNormalization", crops + mirrors, axis=1, p=2)
    shape = graph.concat([people.unsqueeze(0), np.array([dimension])], axis=0)
    nothing = graph.op("Expand", np.float32(0), shape)
    sums = graph.op("ScatterND", nothing, owners.unsqueeze(1), rows, reduction="add")
    return graph.op("LpNormalization", sums, axis=1, p=2).transpose(1, 0)
