"""Choice of the head by cross-validation; the simplest is kept unless another is better."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.measures.templates import nearest
from mien.training import Recipe, Samples, choose_head
from mien.training import head_choice as choice_module
from mien.training.head_choice import cross_validate, photo_folds
from sphere import people_at, unit


def samples_of(faces, labels):
    labels = np.asarray(labels, np.int64)
    people = int(labels.max()) + 1
    return Samples.of(faces, faces, np.ones(len(faces), np.float32), labels, people)


def easy(counts, seed=0):
    return samples_of(*people_at(counts, seed=seed, spread=0.2))


def noisy(seed=0):
    """Return people whose photos differ mostly along the same four directions."""
    faces, labels = people_at([6] * 60, seed=seed, spread=0.3)
    faces = faces.copy()
    faces[:, :4] += np.random.default_rng(seed + 1).normal(0, 0.8, (len(labels), 4))
    return samples_of(unit(faces), labels)


@given(st.lists(st.integers(1, 25), min_size=1, max_size=12), st.integers(0, 100))
def test_folds_keep_a_photo_of_each_person(counts, seed):
    samples = easy(counts)
    folds = photo_folds(samples, seed)
    for person, count in enumerate(counts):
        own = folds[samples.labels == person]
        if count == 1:
            assert own.tolist() == [-1]
            continue
        sizes = np.bincount(own, minlength=10)
        assert sizes.sum() == count
        assert sizes.max() < count  # each person keeps a photo in every fold
        assert sizes.max() - sizes.min() <= 1  # photos are spread evenly


def test_many_photos_make_fewer_folds():
    assert photo_folds(easy([10] * 20), 0).max() == 9
    assert photo_folds(easy([10] * 201), 0).max() == 2


def test_held_out_photos_are_not_in_their_own_head():
    samples = noisy()
    folds = photo_folds(samples, 0)
    shown = cross_validate(Recipe("prototype"), samples, folds)
    similarity, correct = np.empty(len(samples)), np.empty(len(samples), bool)
    for row, fold in enumerate(folds):  # photo by photo, with the same folds
        rows = Recipe("prototype").fit(samples.take(folds != fold)).rows
        best, who = nearest(samples.faces[row : row + 1], rows)
        similarity[row], correct[row] = best[0], who[0] == samples.labels[row]
    assert shown.similarity == pytest.approx(similarity, abs=1e-5)
    assert shown.correct.tolist() == correct.tolist()
    assert shown.rank1.value == correct.mean()


def test_of_equally_good_heads_the_simplest_is_taken():
    chosen = choose_head(easy([4] * 10))
    assert [str(recipe) for recipe, _ in chosen.tried] == [
        "prototype",
        "prototype, discount 0.5",
        "prototype, discount 2",
        "margin",
        "softmax",
    ]
    assert all(rank1.value == 1 for _, rank1 in chosen.tried)
    assert chosen.recipe == Recipe("prototype")


def test_the_better_head_is_taken():
    chosen = choose_head(noisy())
    rates = {recipe: rank1.value for recipe, rank1 in chosen.tried}
    assert chosen.recipe != Recipe("prototype")
    assert rates[chosen.recipe] > rates[Recipe("prototype")] + 0.05
    assert chosen.held_out.rank1.value == rates[chosen.recipe]


def test_a_requested_head_is_always_made():
    for kind in ("prototype", "softmax", "margin"):
        assert choose_head(easy([3] * 5), kind).recipe.kind == kind


def test_the_prototypes_that_a_learned_head_starts_from_are_chosen_for_it():
    assert choose_head(noisy(), "margin").recipe.discount > 0


def test_no_photo_to_hold_out():
    for kind in (None, "margin"):
        chosen = choose_head(easy([1, 1, 1]), kind)
        assert chosen.recipe == Recipe(kind or "prototype")
        assert (chosen.held_out, chosen.tried) == (None, ())


def test_recipes_that_take_too_long_are_skipped(monkeypatch):
    monkeypatch.setattr(choice_module, "_MOST_WORK", 0)
    chosen = choose_head(easy([3] * 5))
    assert {recipe.kind for recipe, _ in chosen.skipped} == {"margin", "softmax"}
    assert {why for _, why in chosen.skipped} == {"too much work for auto"}
    # A requested kind is not skipped.
    assert choose_head(easy([3] * 5), "softmax").recipe.kind == "softmax"


@pytest.mark.parametrize("kind", [None, "prototype", "margin"])
def test_progress_reaches_its_total(kind):
    calls = []
    choose_head(easy([3] * 4), kind, progress=lambda *news: calls.append(news))
    steps = [(done, total) for done, total, what in calls if what == "choosing a head"]
    assert steps[-1][0] == steps[-1][1]


def test_the_same_seed_chooses_the_same():
    one, again = (choose_head(noisy(), "prototype", seed=3) for _ in range(2))
    assert one.recipe == again.recipe
    assert np.array_equal(one.held_out.similarity, again.held_out.similarity)
