from datetime import UTC, datetime

import hand_worked as hand
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import NothingToMeasure
from mien.evaluation import all_pairs_report, evaluate_all_pairs
from mien.evaluation.report.frame import Facts
from mien.evaluation.verification import all_pairs
from mien.measures import roc, tar_at_far, wilson


def made(seed=0, people=60, names=None, order=None, aside=()):
    """Return a dataset of random faces of people with 1 to 6 photos."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), generator.integers(1, 7, people))
    vectors = generator.normal(size=(people, 16))[labels] + 0.9 * generator.normal(
        size=(len(labels), 16)
    )
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    order = np.arange(len(labels)) if order is None else np.argsort(order[: len(labels)])
    names = [f"p{i:03}" for i in range(people)] if names is None else names
    faces = [(names[label], 0, "train", "") for label in labels[order]]
    faces = [
        (n, d, s, "low-quality" if i in aside else reason)
        for i, (n, d, s, reason) in enumerate(faces)
    ]
    found = hand.dataset(faces)
    for views in ("embeddings", "mirrored"):
        object.__setattr__(found, views, vectors[order])
    return found, vectors, labels


def brute(vectors, labels):
    rows, columns = np.triu_indices(len(labels), 1)
    scores = np.einsum("nd,nd->n", vectors[rows], vectors[columns])
    own = labels[rows] == labels[columns]
    return scores[own], scores[~own]


@pytest.mark.parametrize("block", [7, 64, 512])
def test_blocks_give_the_same_result_as_one_matrix(monkeypatch, block):
    monkeypatch.setattr(all_pairs, "BLOCK", block)
    dataset, vectors, labels = made()
    genuine, impostor = brute(vectors, labels)
    result = evaluate_all_pairs(dataset)
    assert (result.genuine.total, result.impostor.total) == (len(genuine), len(impostor))
    assert (result.photos, result.people) == (len(labels), 60)
    assert [at.far for at in result.at_far] == [0.1, 0.01, 0.001]
    for at in result.at_far:
        exact = tar_at_far(genuine, impostor, at.far)
        assert at.point.tar == pytest.approx(exact.tar, abs=1e-4)
        assert at.interval.value == pytest.approx(exact.tar, abs=1e-4)
        assert at.interval.low <= exact.tar <= at.interval.high
    exact = roc(genuine, impostor)
    assert result.curve.tmr[-1] == result.curve.fmr[-1] == 1
    assert len(result.curve.fmr) <= len(exact.fmr)


def test_photos_set_aside_and_leaks_are_left_out():
    dataset, vectors, labels = made(aside={0, 5})
    kept = np.delete(np.arange(len(labels)), [0, 5])
    genuine, impostor = brute(vectors[kept], labels[kept])
    found = evaluate_all_pairs(dataset)
    assert (found.genuine.total, found.impostor.total) == (len(genuine), len(impostor))
    every = evaluate_all_pairs(dataset, include_set_aside=True)
    assert every.photos == len(labels)
    leak = hand.dataset([*hand.PHOTOS, ("Ann", 0, "validation", "leak")])
    assert evaluate_all_pairs(leak, include_set_aside=True).photos == len(hand.PHOTOS)


@settings(max_examples=15)
@given(st.integers(0, 50), st.randoms(use_true_random=False))
def test_order_and_names_have_no_effect(seed, random):
    order, names = list(range(400)), [f"q{i:03}" for i in range(60)]
    random.shuffle(order)
    random.shuffle(names)
    one = evaluate_all_pairs(made(seed)[0])
    other = evaluate_all_pairs(made(seed, names=names, order=np.array(order))[0])
    assert (other.genuine.total, other.impostor.total) == (one.genuine.total, one.impostor.total)
    for a, b in zip(one.at_far, other.at_far, strict=True):
        assert b.point.tar == pytest.approx(a.point.tar, abs=1e-4)
        assert b.interval.low == pytest.approx(a.interval.low, abs=0.01)
    assert other.equal_error == pytest.approx(one.equal_error, abs=1e-4)


def test_strict_rates_need_impostors(monkeypatch):
    monkeypatch.setattr(all_pairs, "MAX_IMPOSTORS_KEPT", 50)
    result = evaluate_all_pairs(made()[0])
    assert [at.interval is None for at in result.at_far] == [True, True, False]


def apart(people=20):
    """Return a dataset with orthogonal people: any threshold separates them."""
    found, _, labels = made(people=people)
    object.__setattr__(found, "embeddings", np.eye(people, dtype=np.float32)[labels])
    return found


def test_people_who_are_far_apart():
    found = evaluate_all_pairs(apart())
    assert [at.far for at in found.at_far] == [0.1, 0.01]
    for at in found.at_far:
        assert (at.point.far, at.point.tar) == (0, 1)
        # All of 17 people with two photos are accepted: Wilson's interval over them.
        assert (at.interval.value, at.interval.high) == (1, 1)
        assert at.interval.low == wilson(17, 17).low
    assert found.equal_error == 0


def test_one_person_or_no_second_photo():
    for faces in ([("Ann", 0, "train", ""), ("Ann", 5, "train", "")], hand.PHOTOS[:3]):
        with pytest.raises(NothingToMeasure, match="no two photos"):
            evaluate_all_pairs(hand.dataset(faces))


def test_report_and_json():
    facts = Facts(made=datetime(2026, 1, 2, tzinfo=UTC), source="<photos>")
    result = evaluate_all_pairs(made()[0])
    found = result.to_dict()
    assert found["at_far"][1]["far"] == 0.01
    assert len(found["at_far"][1]["tar_interval"]) == 2
    page = all_pairs_report(result, facts)
    assert page.count("<svg") == 3
    assert f"{result.impostor.total:,}" in page
    assert "nan" not in page
