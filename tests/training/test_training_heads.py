"""Heads: one row per person, by weighted means or by gradient descent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.measures.templates import nearest
from mien.training import Recipe, Samples, fit_margin, fit_prototype, fit_softmax
from mien.training.heads import _softmax_residual
from sphere import people_at, unit


def samples_of(faces, labels, *, mirrored=None, quality=None):
    faces = np.asarray(faces, np.float32)
    mirrored = faces if mirrored is None else np.asarray(mirrored, np.float32)
    quality = np.ones(len(faces)) if quality is None else np.asarray(quality)
    labels = np.asarray(labels, np.int64)
    return Samples.of(faces, mirrored, quality.astype(np.float32), labels, int(labels.max()) + 1)


def at(*degrees):
    angles = np.deg2rad(np.array(degrees, np.float64))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def degrees(rows):
    return np.rad2deg(np.arctan2(rows[:, 1], rows[:, 0]))


def right(samples, rows):
    return nearest(samples.faces, rows)[1] == samples.labels


def test_a_prototype_by_hand():
    # Ada: photos at 0° and 40°, mirrored crops at 10° and 50°; the second has half the quality.
    samples = samples_of(at(0, 40, 90), [0, 0, 1], mirrored=at(10, 50, 90), quality=[1.0, 0.5, 0.7])
    # Crop and mirrored crop: the direction between them, 5° and 45°.
    mean = 1.0 * at(5)[0] + 0.5 * at(45)[0]
    found = fit_prototype(samples)
    assert found.rows == pytest.approx(np.stack([mean / np.linalg.norm(mean), [0, 1]]), abs=1e-6)
    assert found.rows.dtype == np.float32
    assert found.loss == ()


def test_a_poor_photo_still_counts_a_little():
    samples = samples_of(at(0, 90), [0, 0], quality=[1.0, 0.0])
    assert degrees(fit_prototype(samples).rows) == pytest.approx([np.rad2deg(np.arctan(0.1))])


def test_a_discount_by_hand():
    # Ada's photos differ along y only: W = diag(0, 2), scaled to trace 2. With t = 0.5 the y
    # component of all people is halved.
    samples = samples_of(at(20, -20, 45), [0, 0, 1])
    found = fit_prototype(samples, discount=0.5).rows
    assert degrees(found) == pytest.approx([0, np.rad2deg(np.arctan(0.5))], abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_the_discount_is_within_class_covariance_normalisation(seed):
    """Compares with W from its textbook formula: the sum of the covariances per person."""
    counts = [5, 1, 4, 7, 3]
    faces, labels = people_at(counts, seed=seed, dimension=6)
    samples = samples_of(faces, labels)
    pooled, photos = np.zeros((6, 6)), 0
    for person, count in enumerate(counts):
        if count > 1:
            pooled += count * np.cov(faces[labels == person].astype(np.float64).T)
            photos += count
    within = pooled * 6 / np.trace(pooled)
    means = fit_prototype(samples).rows.astype(np.float64)
    expected = unit(means @ np.linalg.inv(np.eye(6) + 2.0 * within))
    assert fit_prototype(samples, discount=2.0).rows == pytest.approx(expected, abs=1e-4)
    # For a very large discount it is the inverse of W, as in the paper.
    whitened = unit(means @ np.linalg.inv(within))
    assert fit_prototype(samples, discount=1e6).rows == pytest.approx(whitened, abs=1e-3)


@pytest.mark.parametrize("faces", [at(0, 30, 90), at(10, 10, 10)])
def test_equal_photos_are_not_discounted(faces):
    labels = [0, 1, 2] if len(np.unique(faces, axis=0)) > 1 else [0, 0, 0]
    samples = samples_of(faces, labels)
    assert np.array_equal(fit_prototype(samples, discount=2).rows, fit_prototype(samples).rows)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 2.0]))
def test_the_order_of_the_photos_does_not_matter(seed, discount):
    faces, labels = people_at([3, 1, 4], seed=seed)
    samples = samples_of(faces, labels)
    order = np.random.default_rng(seed).permutation(len(labels))
    turned = samples_of(faces[order], labels[order])
    expected = fit_prototype(samples, discount=discount).rows
    assert fit_prototype(turned, discount=discount).rows == pytest.approx(expected, abs=1e-5)


def cross_entropy(logits, labels):
    total = np.log(np.exp(logits).sum(axis=1))
    return float(np.sum(total - logits[np.arange(len(labels)), labels]))


def test_the_gradient_against_finite_differences():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(4, 5)) * 3
    labels = np.array([0, 3, 3, 1])
    slope = logits.astype(np.float32)
    loss = _softmax_residual(slope, labels)
    assert loss == pytest.approx(cross_entropy(logits, labels), rel=1e-5)
    for index in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[index] = 1e-5
        rise = cross_entropy(logits + step, labels) - cross_entropy(logits - step, labels)
        assert slope[index] == pytest.approx(rise / 2e-5, abs=1e-4)


def test_enormous_logits_do_not_overflow():
    logits = np.array([[1000, -1000], [-1000, 1000]], np.float32)
    assert _softmax_residual(logits, np.array([0, 0])) == pytest.approx(2000)
    assert np.array_equal(logits, np.array([[0, 0], [-1, 1]], np.float32))


def test_margin_head_corrects_an_outlying_photo():
    # Ada's fourth photo, at 55°, is nearer to the mean of Bob's (85°) than to that of hers.
    samples = samples_of(at(0, 0, 0, 55, 85, 85, 85), [0, 0, 0, 0, 1, 1, 1])
    start = fit_prototype(samples).rows
    assert right(samples, start).tolist() == [True, True, True, False, True, True, True]
    found = fit_margin(samples, start)
    assert right(samples, found.rows).all()
    assert found.loss[-1] < found.loss[0]
    assert np.linalg.norm(found.rows, axis=1) == pytest.approx(np.ones(2), abs=1e-5)


@pytest.mark.parametrize("kind", ["margin", "softmax"])
def test_a_learned_head_beats_the_mean_on_people_who_vary(kind):
    # Three of 32 directions stand for light and pose: they move photos of all people far.
    faces, labels = people_at([12] * 40, seed=3, spread=0.3)
    light = np.random.default_rng(4).normal(size=(len(labels), 3)) * 0.9
    light[labels % 2 == 0] += [1.0, -0.7, 0]  # half of the people have mostly one light
    faces = faces.copy()
    faces[:, :3] += light.astype(np.float32)
    samples = samples_of(unit(faces), labels)
    learning = np.arange(len(labels)) % 12 < 8
    learned, probes = samples.take(learning), samples.take(~learning)
    mean = right(probes, Recipe("prototype").fit(learned).rows).mean()
    found = Recipe(kind).fit(learned)
    assert right(probes, found.rows).mean() > mean + 0.02
    assert found.loss[-1] < found.loss[0]


@pytest.mark.parametrize("kind", ["margin", "softmax"])
def test_seed_determines_the_head(kind):
    faces, labels = people_at([20] * 40, seed=5)  # more than a batch, so that order matters
    samples = samples_of(faces, labels)
    one, again, other = (Recipe(kind).fit(samples, seed=seed).rows for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("kind", ["margin", "softmax"])
def test_start_is_not_changed_and_progress_is_reported(kind):
    faces, labels = people_at([3, 3])
    samples = samples_of(faces, labels)
    calls = []
    start = fit_prototype(samples).rows
    before = start.copy()
    fit = {"margin": fit_margin, "softmax": fit_softmax}[kind]
    found = fit(
        samples, start, progress=lambda done, total, what: calls.append((done, total, what))
    )
    assert np.array_equal(start, before)
    assert calls[-1] == (len(found.loss), len(found.loss), f"{kind} head")


def test_recipes_as_text():
    assert str(Recipe("prototype")) == "prototype"
    assert str(Recipe("margin", 0.5)) == "margin, discount 0.5"
    assert [Recipe(kind).epochs > 0 for kind in ("prototype", "margin", "softmax")] == [
        False,
        True,
        True,
    ]
