import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.evaluation.identification import search as search_module
from mien.evaluation.identification.search import STRANGER, near_pairs, search
from mien.measures import mate_ranks
from mien.types import Calibration, Head, Interval, Policy


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def head_of(prototypes):
    people = tuple(f"person {i}" for i in range(len(prototypes)))
    policy = Policy(0.5, 0.01, Interval(0.01, 0.0, 0.02), 10, supported=True, source="")
    counts = np.ones(len(people), np.int64)
    return Head("prototype", people, prototypes, counts, "c", Calibration(10.0, -5.0), policy)


def test_three_probes_by_hand():
    head = head_of(unit([[1, 0], [0, 1]]))
    probes = unit([[3, 4], [1, 0], [4, 3]])
    found = search(head, probes, np.array([0, 0, STRANGER]))
    assert found.ranks.tolist() == [2, 1, 0]
    assert found.people.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert found.own[:2] == pytest.approx([0.6, 1.0])
    assert np.isnan(found.own[2])
    assert found.rivals.tolist() == [1, 1, 0]
    assert found.rival_similarities == pytest.approx([0.8, 0.0, 0.8])
    assert found.correct.tolist() == [False, True, False]


def test_a_tie_is_not_right():
    head = head_of(unit([[1, 0], [1, 0]]))
    found = search(head, unit([[1, 0]]), np.array([0]))
    assert found.ranks.tolist() == [2]
    assert not found.correct[0]


def test_one_person_has_no_rival():
    found = search(head_of(unit([[1, 0]])), unit([[0, 1]]), np.array([0]))
    assert found.rivals.tolist() == [STRANGER]
    assert found.rival_similarities.tolist() == [-1.0]


def test_no_probes_give_an_empty_result():
    found = search(head_of(unit([[1, 0]])), np.empty((0, 2), np.float32), np.empty(0, np.int64))
    assert len(found) == 0


def test_a_mate_outside_the_gallery_is_refused():
    with pytest.raises(ValueError, match="not in the gallery"):
        search(head_of(unit([[1, 0]])), unit([[0, 1]]), np.array([1]))


@given(st.integers(1, 12), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_blocks_give_the_same_result_as_one_matrix(probes, people, seed):
    generator = np.random.default_rng(seed)
    head = head_of(unit(generator.normal(size=(people, 4))))
    vectors = unit(generator.normal(size=(probes, 4)))
    mates = generator.integers(0, people, probes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_module, "BLOCK", 3)
        found = search(head, vectors, mates)
    scores = vectors @ head.prototypes.T
    # Sums of floats depend on the block in their last bits: compare where it cannot matter.
    assert found.best == pytest.approx(scores.max(axis=1), abs=1e-6)
    gaps = np.abs(scores - scores[np.arange(probes), mates][:, None])
    gaps[np.arange(probes), mates] = 1
    clear = gaps.min(axis=1) > 1e-5
    assert found.ranks[clear].tolist() == mate_ranks(scores, mates)[clear].tolist()


@given(st.integers(2, 11), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_near_pairs_are_the_nearest(size, limit, seed):
    vectors = unit(np.random.default_rng(seed).normal(size=(size, 3)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_module, "BLOCK", 4)
        found = list(near_pairs(vectors, limit))
    scores = vectors @ vectors.T
    every = sorted((float(scores[a, b]) for a in range(size) for b in range(a)), reverse=True)
    assert [value for _, _, value in found] == pytest.approx(every[:limit], abs=1e-6)
    assert all(a < b for a, b, _ in found)
    assert len({(a, b) for a, b, _ in found}) == len(found)
