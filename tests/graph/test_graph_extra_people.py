"""Comparison with a file's people and extra people gives the answers of one head with all of
them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.graph.assemble import compare_graph
from mien.graph.extra_people import extra_people_graph
from mien.measures.templates import both_views, unit_rows
from mien.session import Session
from toy_graphs import DIMENSION, run, toy_head

OUTPUTS = ("candidates", "similarities", "probabilities", "person")
UNKNOWN_PERSON = np.zeros((0, DIMENSION), np.float32)
NONE = np.zeros(0, np.int64)


def rows(rng, count):
    return unit_rows(rng.normal(size=(count, DIMENSION)).astype(np.float32))


def added(head, views, mirrors, owners, people):
    """Return the head of the file's people and the extra people, as training computes it."""
    photos = both_views(views, mirrors)
    sums = np.zeros((people, DIMENSION), np.float32)
    np.add.at(sums, owners, photos)
    return replace(
        head,
        people=(*head.people, *(f"added {n}" for n in range(people))),
        prototypes=np.concatenate([head.prototypes, unit_rows(sums)]),
        photos=np.concatenate([head.photos, np.bincount(owners, minlength=people)]),
    )


@pytest.mark.parametrize("in_file", [1, 12])
@pytest.mark.parametrize("people", [0, 1, 5])
@pytest.mark.parametrize("faces", [0, 1, 9])
@pytest.mark.parametrize("rejected", [0, 3])
@pytest.mark.parametrize("rejected_in_file", [0, 2])
def test_extra_people_are_compared_like_trained_people(
    in_file, people, faces, rejected, rejected_in_file
):
    rng = np.random.default_rng(in_file + 10 * people + faces)
    head = replace(
        toy_head(in_file, threshold=0.2),
        negatives=rows(rng, rejected_in_file),
        negative_of=rng.integers(0, in_file, rejected_in_file),
    )
    owners = np.repeat(np.arange(people), 3)
    views, mirrors = rows(rng, len(owners)), rows(rng, len(owners))
    negatives, negative_of = rows(rng, rejected), rng.integers(0, in_file + people, rejected)
    embeddings = unit_rows(np.concatenate([rows(rng, faces), views[: faces // 3]]))
    whole = added(head, views, mirrors, owners, people)
    whole = replace(
        whole,
        negatives=np.concatenate([head.negatives.reshape(-1, DIMENSION), negatives]),
        negative_of=np.concatenate([head.negative_of, negative_of]),
    )
    expected = run(compare_graph(whole), *OUTPUTS, embeddings=embeddings)
    found = run(
        extra_people_graph(head),
        *OUTPUTS,
        embeddings=embeddings,
        prototypes=np.ascontiguousarray(head.prototypes.T),
        visitors=views,
        mirrors=mirrors,
        owners=owners,
        added=np.array(people),
        negatives=negatives,
        negative_of=negative_of,
    )
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == theirs.dtype
        assert np.allclose(ours, theirs, atol=1e-5)


def test_one_session_takes_any_number_of_extra_people():
    head = toy_head(2, threshold=0.9)
    session = Session(extra_people_graph(head).SerializeToString(), name="compare", threads=1)
    face = rows(np.random.default_rng(7), 1)
    file = {"prototypes": np.ascontiguousarray(head.prototypes.T), "negatives": UNKNOWN_PERSON}
    for people, expected in ((0, -1), (1, 2)):
        (person,) = session.run(
            "person",
            embeddings=face,
            visitors=face[:people],
            mirrors=face[:people],
            owners=NONE if not people else np.array([0]),
            added=np.array(people),
            negative_of=NONE,
            **file,
        )
        assert person.tolist() == [expected]
