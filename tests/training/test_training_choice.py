"""Choice of the head by cross-validation; the simplest is kept unless another is better."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.measures.templates import nearest
from mien.training import Recipe, Samples, choose_head
from mien.training import head_choice as choice_module
from mien.training.head_choice import HeldOutScores, cross_validate, photo_folds
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
    assert photo_folds(easy([10] * 200), 0).max() == 9
    assert photo_folds(easy([10] * 199 + [11]), 0).max() == 2


def test_held_out_photos_are_not_in_their_own_head():
    samples = noisy()
    folds = photo_folds(samples, 0)
    shown = cross_validate(Recipe("prototype"), samples, folds)
    similarity, correct = np.empty(len(samples)), np.empty(len(samples), bool)
    for row, fold in enumerate(folds):  # photo by photo, with the same folds
        rows = Recipe("prototype").fit(samples.take(folds != fold)).rows
        best, who = nearest(samples.faces[row : row + 1], rows)
        similarity[row], correct[row] = best[0], who[0] == samples.labels[row]
    assert shown.similarities[:, 0] == pytest.approx(similarity, abs=1e-5)
    assert np.all(np.diff(shown.similarities, axis=1) <= 0)
    assert shown.correct.tolist() == correct.tolist()
    assert shown.rank1.value == correct.mean()


def test_a_fold_without_photos_is_passed_over():
    samples = easy([4] * 6)
    folds = np.tile([0, 2, 2, 5], 6)
    shown = cross_validate(Recipe("prototype"), samples, folds)
    close = cross_validate(Recipe("prototype"), samples, np.tile([0, 1, 1, 2], 6))
    assert np.array_equal(shown.similarities, close.similarities)
    assert shown.correct.all()


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


TOTAL = 100
"""Photos held out in the cross-validations below."""


def scripted(monkeypatch, right):
    """Let each recipe be right on the given photos, of `TOTAL`; return the recipes tried."""
    tried = []

    def results(recipe, *_, **__):
        tried.append(str(recipe))
        correct = np.zeros(TOTAL, bool)
        correct[list(right.get(str(recipe), range(90)))] = True
        return HeldOutScores(np.zeros(TOTAL, np.float32), correct)

    monkeypatch.setattr(choice_module, "cross_validate", results)
    return tried


@pytest.mark.parametrize(
    ("more", "lost", "taken"),
    [
        (5, 0, False),  # by chance once in sixteen, either way
        (6, 0, True),  # once in 32
        (8, 1, True),  # 20 of 512
        (7, 1, False),  # 18 of 256
        (0, 10, False),  # significantly worse
    ],
)
def test_a_better_head_must_be_significantly_better(monkeypatch, more, lost, taken):
    other = [*range(lost, 90), *range(90, 90 + more)]
    for name in ("prototype, discount 0.5", "prototype, discount 2"):
        scripted(monkeypatch, {name: other})
        chosen = choose_head(easy([3] * 5), "prototype")
        assert str(chosen.recipe) == (name if taken else "prototype")
        assert chosen.held_out.rank1.value == (90 + more - lost if taken else 90) / TOTAL
    # Learned heads start from those prototypes.
    for name in ("margin", "softmax"):
        scripted(monkeypatch, {name: other})
        assert str(choose_head(easy([3] * 5)).recipe) == (name if taken else "prototype")


def test_the_last_one_taken_is_the_one_to_beat(monkeypatch):
    scripted(
        monkeypatch,
        {
            "prototype": range(80),
            "prototype, discount 0.5": range(87),  # seven more
            "prototype, discount 2": range(90),  # ten more than the first, three than the second
            "margin, discount 0.5": range(92),  # five more than the second
            "softmax, discount 0.5": range(93),  # six more
        },
    )
    chosen = choose_head(easy([3] * 5))
    assert [str(recipe) for recipe, _ in chosen.tried] == [
        "prototype",
        "prototype, discount 0.5",
        "prototype, discount 2",
        "margin, discount 0.5",
        "softmax, discount 0.5",
    ]
    assert [rank1.value for _, rank1 in chosen.tried] == [0.8, 0.87, 0.9, 0.92, 0.93]
    assert str(chosen.recipe) == "softmax, discount 0.5"


def test_a_requested_head_is_chosen_among_its_kind_alone(monkeypatch):
    right = {"prototype, discount 2": range(98), "margin, discount 2": range(50)}
    tried = scripted(monkeypatch, right)
    chosen = choose_head(easy([3] * 5), "margin")
    assert str(chosen.recipe) == "margin, discount 2"
    assert tried[3:] == ["margin, discount 2"]
    tried = scripted(monkeypatch, right)
    assert str(choose_head(easy([3] * 5), "prototype").recipe) == "prototype, discount 2"
    assert len(tried) == 3


def test_a_requested_head_is_always_made():
    for kind in ("prototype", "softmax", "margin"):
        assert choose_head(easy([3] * 5), kind).recipe.kind == kind


def test_the_prototypes_that_a_learned_head_starts_from_are_chosen_for_it():
    assert choose_head(noisy(), "margin").recipe.discount > 0


def test_no_photo_to_hold_out():
    for kind in (None, "margin"):
        chosen = choose_head(easy([1, 1, 1]), kind)
        assert chosen.recipe == Recipe(kind or "prototype")
        assert (chosen.held_out, chosen.tried, chosen.skipped) == (None, (), ())


def test_recipes_that_take_too_long_are_skipped(monkeypatch):
    monkeypatch.setattr(choice_module, "_MOST_WORK", 0)
    chosen = choose_head(easy([3] * 5))
    assert {recipe.kind for recipe, _ in chosen.skipped} == {"margin", "softmax"}
    assert {why for _, why in chosen.skipped} == {"too much work for auto"}
    # A requested kind is not skipped.
    assert choose_head(easy([3] * 5), "softmax").recipe.kind == "softmax"


def test_a_recipe_may_take_a_bounded_number_of_multiply_adds(monkeypatch):
    samples = easy([3] * 5)
    # Forward and backward, for each photo, person, dimension and fold: of margin for three epochs.
    margin = 2 * 3 * 15 * 5 * 32 * 10
    # Softmax has ten epochs over two views of each photo.
    softmax = 2 * 10 * 2 * 15 * 5 * 32 * 10
    for budget, skipped in (
        (margin - 1, ["margin", "softmax"]),
        (margin, ["softmax"]),
        (softmax - 1, ["softmax"]),
        (softmax, []),
    ):
        monkeypatch.setattr(choice_module, "_MOST_WORK", budget)
        tried = scripted(monkeypatch, {})
        chosen = choose_head(samples)
        assert [recipe.kind for recipe, _ in chosen.skipped] == skipped
        assert tried[3:] == [name for name in ("margin", "softmax") if name not in skipped]


def test_a_margin_head_of_all_people_of_lfw_is_tried_but_not_of_ten_thousand_with_ten_photos():
    work = 2 * 3 * 128 * 3  # per photo and person, with SFace's 128 numbers and three folds
    assert work * 13_233 * 5_749 < choice_module._MOST_WORK < work * 100_000 * 10_000


@pytest.mark.parametrize("kind", [None, "prototype", "margin"])
def test_progress_reaches_its_total(kind):
    calls = []
    choose_head(easy([3] * 4), kind, progress=lambda *news: calls.append(news))
    steps = [(done, total) for done, total, what in calls if what == "choosing a head"]
    assert steps[-1][0] == steps[-1][1]


def test_the_seed_is_of_the_folds_and_of_the_fits_and_0_unless_given():
    samples = noisy()
    one, given, other = (
        choose_head(samples, "prototype", **seed).held_out.similarities
        for seed in ({}, {"seed": 0}, {"seed": 1})
    )
    assert np.array_equal(one, given)
    assert not np.array_equal(one, other)
    folds = photo_folds(samples, 0)
    one, given, other = (
        cross_validate(Recipe("margin"), samples, folds, **seed).similarities
        for seed in ({}, {"seed": 0}, {"seed": 1})
    )
    assert np.array_equal(one, given)
    assert not np.array_equal(one, other)
    passed = []

    def note(*_, seed):
        passed.append(seed)
        return HeldOutScores(np.zeros(4, np.float32), np.ones(4, bool))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice_module, "cross_validate", note)
        choose_head(easy([3] * 4), seed=7)
    assert passed == [7] * 5


def test_the_same_seed_chooses_the_same():
    one, again = (choose_head(noisy(), "prototype", seed=3) for _ in range(2))
    assert one.recipe == again.recipe
    assert np.array_equal(one.held_out.similarities, again.held_out.similarities)
