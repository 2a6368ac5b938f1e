"""Stranger similarities: which people are strangers, and people left out in turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.training import Recipe, Samples, leave_people_out, possible_duplicates, stranger_rows
from sphere import people_at, sphere_dataset


def samples_of(counts, seed=0):
    faces, labels = people_at(counts, seed=seed)
    return Samples.of(faces, faces, np.ones(len(faces), np.float32), labels, len(counts))


def test_each_person_is_searched_among_the_others():
    faces = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
    samples = Samples.of(faces, faces, np.ones(3, np.float32), np.array([0, 1, 2]), 3)
    found = leave_people_out(Recipe("prototype"), samples, faces).strangers
    assert found.similarity == pytest.approx([0.6, 0.8, 0.8])
    assert (found.people, found.gallery) == (3, 2)


@pytest.mark.parametrize("counts", [[3] * 8, [1, 5, 2, 4]])
def test_equals_training_without_the_person(counts):
    samples = samples_of(counts)
    recipe = Recipe("prototype")
    found = leave_people_out(recipe, samples, recipe.fit(samples).rows).strangers
    for person in range(len(counts)):
        gone = np.arange(len(counts)) == person
        others = recipe.fit(samples.without(gone)).rows
        own = samples.labels == person
        expected = (samples.faces[own] @ others.T).max(axis=1)
        assert found.similarity[own] == pytest.approx(expected, abs=1e-5)
        assert found.weights[own].sum() == pytest.approx(1)


@pytest.mark.parametrize("kind", ["margin", "softmax"])
def test_a_learned_head_is_trained_again_without_the_people(kind):
    samples = samples_of([4] * 9)
    recipe = Recipe(kind)
    calls = []
    found = leave_people_out(
        recipe,
        samples,
        recipe.fit(samples).rows,
        seed=2,
        progress=lambda done, total, what: calls.append((done, total, what)),
    ).strangers
    assert (found.people, found.gallery) == (9, 6)  # blocks of a third
    assert calls[-1] == (3, 3, "leaving people out")
    # With their own row in the gallery, similarities are higher.
    within = (samples.faces @ recipe.fit(samples).rows.T).max(axis=1)
    assert np.all(found.similarity < within)
    again = leave_people_out(recipe, samples, recipe.fit(samples).rows, seed=2).strangers
    assert np.array_equal(again.similarity, found.similarity)


@pytest.mark.parametrize("kind", ["prototype", "margin"])
def test_comparisons_with_other_people_are_all_counted(kind):
    samples = samples_of([2] * 60)
    recipe = Recipe(kind)
    rows = recipe.fit(samples).rows
    found = leave_people_out(recipe, samples, rows)
    scores = samples.faces @ rows.T
    others = scores[np.arange(60)[None] != samples.labels[:, None]]
    tolerance = 0.001 if kind == "prototype" else 0.05  # there the rows are fitted again
    for rate in (0.5, 0.1):
        expected = np.quantile(others, 1 - rate)
        assert found.impostors.similarity_at(rate) == pytest.approx(expected, abs=tolerance)
    assert found.pairs == found.strangers.people * found.strangers.gallery / 2


def test_people_with_two_names_are_no_strangers():
    samples = samples_of([2, 3, 4])
    rows = Recipe("prototype").fit(samples).rows
    found = leave_people_out(
        Recipe("prototype"), samples, rows, single=np.array([True, False, True])
    ).strangers
    assert (found.people, len(found.similarity)) == (2, 6)
    assert leave_people_out(Recipe("prototype"), samples, rows, single=np.zeros(3, bool)) is None


def test_one_person_gives_none():
    samples = samples_of([3])
    assert (
        leave_people_out(Recipe("prototype"), samples, Recipe("prototype").fit(samples).rows)
        is None
    )


def test_people_with_two_names_come_from_the_dataset_card():
    dataset = sphere_dataset([1, 1, 1], prefix="Person")
    card = {"same_person": [{"people": ["PERSON 0000", "Person 0002"]}]}
    assert possible_duplicates(replace(dataset, card=card), dataset.people).tolist() == [
        True,
        False,
        True,
    ]
    assert not possible_duplicates(dataset, dataset.people).any()


def test_strangers_are_usable_photos_of_other_names():
    others = sphere_dataset([1, 1, 2], prefix="x")
    entries = list(others.entries)
    entries[1] = replace(entries[1], status="set-aside", reason="low-quality")
    entries[3] = replace(entries[3], reason="leak")
    others = replace(others, entries=tuple(entries))
    assert stranger_rows(others, ["X 0000"]).tolist() == [False, False, True, False]
