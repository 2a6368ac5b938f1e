"""Comparison, calibration and decision, compared with NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.engine import Session
from mien.graph.assemble import compare_graph, open_compare_graph
from mien.graph.compare import CANDIDATES, REJECTED, UNKNOWN_PERSON
from mien.types import Calibration
from toy_graphs import run, toy_head

OUTPUTS = ("candidates", "similarities", "probabilities", "person")


def compare(head, embeddings):
    return run(compare_graph(head), *OUTPUTS, embeddings=embeddings.astype(np.float32))


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("people", [1, 2, 9, 10, 11, 300])
@pytest.mark.parametrize("faces", [0, 1, 50])
def test_results_agree_with_numpy(people, faces):
    head = toy_head(people, threshold=0.3)
    rng = np.random.default_rng(people)
    embeddings = unit(rng.normal(size=(faces, 16)))
    candidates, similarities, probabilities, person = compare(head, embeddings)

    cosines = embeddings.astype(np.float64) @ head.prototypes.T.astype(np.float64)
    listed = min(people, CANDIDATES)
    order = np.argsort(-cosines, axis=1)[:, :listed]
    assert candidates.shape == (faces, listed)
    assert candidates.dtype == np.int64
    assert np.array_equal(candidates, order)
    assert np.allclose(similarities, np.take_along_axis(cosines, order, 1), atol=1e-6)
    odds = np.exp(head.calibration.slope * cosines + head.calibration.offset)
    expected = odds / (1 + odds.sum(axis=1, keepdims=True))
    assert np.allclose(probabilities, np.take_along_axis(expected, order, 1), atol=1e-5)
    assert np.all(probabilities.sum(axis=1) <= 1 + 1e-6)  # float32 rounds
    likely = np.where(probabilities[:, 0] >= 0.5, similarities[:, 0], -1)
    assert person.tolist() == reference.decide(candidates[:, 0], likely, 0.3)


@pytest.fixture(scope="module")
def decide():
    """Return decide(cosines) for four people on the axes, so that similarities can be chosen."""
    head = replace(
        toy_head(4, threshold=0.5, dimension=5),
        prototypes=np.eye(4, 5, dtype=np.float32),
        calibration=Calibration(60, -20),  # even odds at 1/3, well below the threshold
    )
    session = Session(compare_graph(head).SerializeToString(), name="compare", threads=1)

    def run_on(cosines):
        cosines = np.asarray(cosines, np.float32).reshape(-1, 4)
        rest = np.sqrt(np.maximum(0, 1 - (cosines**2).sum(1, keepdims=True)))
        return session.run(
            "person", embeddings=np.concatenate([cosines, rest], 1).astype(np.float32)
        )[0].tolist()

    return run_on


def test_a_similarity_equal_to_the_threshold_is_enough(decide):
    below = np.nextafter(np.float32(0.5), np.float32(0))
    assert decide([[0.5, 0, 0, 0]]) == [0]
    assert decide([[below, 0, 0, 0]]) == [UNKNOWN_PERSON]


def test_no_person_is_named_twice_in_a_photo(decide):
    assert decide([[0.6, 0, 0, 0], [0.8, 0, 0, 0], [0.7, 0, 0, 0]]) == [
        UNKNOWN_PERSON,
        0,
        UNKNOWN_PERSON,
    ]


def test_a_face_that_loses_a_name_is_unknown(decide):
    """The most similar person is already named in the photo; the second most similar is not
    used."""
    assert decide([[0.7, 0.6, 0, 0], [0.8, 0, 0, 0]]) == [UNKNOWN_PERSON, 0]


def test_of_equal_faces_the_better_detection_is_named(decide):
    assert decide([[0.1, 0.7, 0, 0], [0.2, 0.7, 0, 0], [0, 0, 0.9, 0]]) == [1, UNKNOWN_PERSON, 2]


def test_of_two_people_too_alike_none_is_named(decide):
    """One of the two: each is less likely than the other and a stranger together."""
    assert decide([[0.6, 0.6, 0, 0]]) == [UNKNOWN_PERSON]
    assert decide([[0.6, 0.61, 0, 0]]) == [1]


def test_a_name_is_at_least_as_likely_as_everything_else():
    """Also where the threshold would allow more."""
    head = replace(
        toy_head(1, threshold=0.2, dimension=2),
        prototypes=np.eye(1, 2, dtype=np.float32),
        calibration=Calibration(20, -8),  # even odds at 0.4
    )
    cosines = np.array([0.39, 0.41])
    found = compare(head, np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1))
    assert found[2][:, 0] == pytest.approx([0.45, 0.55], abs=0.01)
    assert found[3].tolist() == [UNKNOWN_PERSON, 0]


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=12))
def test_decisions_agree_with_the_reference(decide, faces):
    """Few people and few values of similarity give many faces of one person, and many ties."""
    cosines = np.zeros((len(faces), 4), np.float32)
    for row, (person, tenths) in enumerate(faces):
        cosines[row, person] = tenths / 10 + 0.01
    expected = reference.decide(cosines.argmax(1), cosines.max(1, initial=0), 0.5)
    found = decide(cosines)
    assert found == expected
    named = [person for person in found if person != UNKNOWN_PERSON]
    assert len(named) == len(set(named))


@settings(max_examples=50)
@given(st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=8), st.floats(0.1, 60))
def test_probabilities_rise_with_similarity_and_stay_in_range(similarities, slope):
    head = toy_head(1, dimension=2)
    calibration = replace(head.calibration, slope=slope)
    head = replace(head, calibration=calibration, prototypes=np.array([[1, 0]], np.float32))
    cosines = np.sort(np.array(similarities))
    embeddings = np.stack([cosines, np.sqrt(1 - cosines**2)], 1)
    _, _, probabilities, _ = compare(head, embeddings)
    assert np.all((probabilities >= 0) & (probabilities <= 1))
    assert np.all(np.diff(probabilities[:, 0]) >= -1e-6)  # float32 rounds


def inputs_of(head):
    """Return the people of a head as inputs of the graph."""
    return {
        "prototypes": np.ascontiguousarray(head.prototypes.T),
        "negatives": np.ascontiguousarray(head.negatives.T),
        "negative_of": head.negative_of,
        "slope": np.array(head.calibration.slope, np.float32),
        "offset": np.array(head.calibration.offset, np.float32),
        "threshold": np.array(head.policy.threshold, np.float32),
    }


@pytest.fixture(scope="module")
def open_compare():
    model = open_compare_graph(16).SerializeToString()
    return Session(model, name="compare", threads=1)


@pytest.mark.parametrize("people", [1, 9, 11, 300])
@pytest.mark.parametrize("faces", [0, 1, 50])
@pytest.mark.parametrize("rejected", [0, 1, 40])
def test_people_as_inputs_are_compared_like_constants(open_compare, people, faces, rejected):
    rng = np.random.default_rng(people + rejected)
    head = replace(
        toy_head(people, threshold=0.3),
        negatives=unit(rng.normal(size=(rejected, 16))),
        negative_of=rng.integers(0, people, rejected),
    )
    embeddings = unit(rng.normal(size=(faces, 16)))
    fixed = compare(head, embeddings)
    for ours, theirs in zip(
        open_compare.run(*OUTPUTS, embeddings=embeddings, **inputs_of(head)), fixed, strict=True
    ):
        assert ours.dtype == theirs.dtype
        assert np.allclose(ours, theirs, atol=1e-6)


def test_a_face_as_similar_to_a_rejected_face_as_to_the_person_is_not_that_person():
    axes = np.eye(4, dtype=np.float32)
    head = replace(
        toy_head(3, threshold=0.5, dimension=4),
        prototypes=axes[:3],
        negatives=unit(np.array([[0.8, 0.6, 0, 0], [0.8, 0.6, 0, 0]])),
        negative_of=np.array([0, 2]),
    )
    plain = unit(np.array([[0.99, 0, 0, 0.1], [0.8, 0.55, 0, 0.2]]))
    candidates, similarities, probabilities, person = compare(head, plain)
    assert person.tolist() == [0, 1]  # the second was 0 before, now the next best
    assert candidates[1].tolist() == [1, 0, 2]
    assert similarities[1, 1:].tolist() == [REJECTED, REJECTED]
    assert np.all(probabilities[1, 1:] < 0.001)
    before = replace(
        head, negatives=np.zeros((0, 0), np.float32), negative_of=np.zeros(0, np.int64)
    )
    assert compare(before, plain[1:])[3].tolist() == [0]


def test_the_most_similar_of_several_rejected_faces_counts():
    axes = np.eye(3, dtype=np.float32)
    near = unit(np.array([[0.9, 0.4, 0]]))
    head = replace(
        toy_head(2, threshold=0.5, dimension=3),
        prototypes=axes[:2],
        negatives=np.concatenate([near, axes[2:], -axes[:1]]),
        negative_of=np.zeros(3, np.int64),
    )
    assert compare(head, near)[3].tolist() == [UNKNOWN_PERSON]


def test_integer_thresholds_become_floats():
    head = replace(toy_head(3), calibration=Calibration(10, -5))
    head = replace(head, policy=replace(head.policy, threshold=0))
    faces = unit(np.random.default_rng(0).normal(size=(2, 16)))
    assert len(compare(head, faces)[3]) == 2
