"""Probabilities: a logistic curve over similarities, and what it says when there is no evidence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from mien.measures import expected_calibration_error
from mien.models.statistics import EmbedderStatistics
from mien.policy import fit_calibration, typical_slope
from mien.policy.probability import FEW, TYPICAL_WEIGHT
from mien.types import Calibration

TYPICAL_SLOPE = 30.0


def fit(known, correct, strangers, weights=None, threshold=0.4, slope=TYPICAL_SLOPE):
    strangers = np.asarray(strangers, np.float32)
    return fit_calibration(
        np.asarray(known, np.float32),
        np.asarray(correct, np.bool_),
        strangers,
        np.ones(len(strangers)) if weights is None else np.asarray(weights, np.float64),
        threshold=threshold,
        typical_slope=slope,
    )


def test_two_similarities_by_hand():
    # A logistic curve can have any value at two scores: the best fit is the weighted share of
    # known people at each. Known people and strangers have equal total weight. Of known people
    # 9 in 10 are at 0.6 and 1 in 10 at 0.2; of strangers 1 in 4 and 3 in 4.
    known = np.repeat([0.6, 0.2], [90_000, 10_000])
    strangers = np.repeat([0.6, 0.2], [25_000, 75_000])
    found = fit(known, np.ones(len(known)), strangers).calibration
    chances = found.probability(np.array([0.6, 0.2], np.float32))
    assert chances == pytest.approx([0.9 / (0.9 + 0.25), 0.1 / (0.1 + 0.75)], rel=1e-3)


def two_alike(seed, photos=400):
    """Return similarities to two people who look alike, who was right, and those of strangers."""
    generator = np.random.default_rng(seed)
    own = generator.normal(0.6, 0.1, photos)
    twin = generator.normal(0.5, 0.1, photos)
    strangers = -np.sort(-generator.normal(0.2, 0.1, (photos, 2)), axis=1)
    return -np.sort(-np.stack([own, twin], axis=1), axis=1), own >= twin, strangers


def test_odds_are_shared_by_people_who_look_alike():
    known, correct, strangers = two_alike(0)
    assert 0.2 < np.mean(~correct) < 0.3  # the twin is more similar in a quarter of the photos
    shared, alone = fit(known, correct, strangers), fit(known[:, 0], correct, strangers[:, 0])
    known, correct, _ = two_alike(1)
    others = shared.calibration.odds(known[:, 1:]).sum(axis=1)
    close = known[:, 0] - known[:, 1] < 0.02
    right = np.mean(correct[close])
    chance = shared.calibration.probability(known[close, 0].astype(np.float32), others[close])
    assert np.mean(chance) == pytest.approx(right, abs=0.15)
    # By themselves the two would have more than 1 together.
    assert np.mean(alone.calibration.probability(known[close]).sum(axis=1)) > 1.1


def test_the_fit_of_shared_odds_is_a_fixed_point():
    known, correct, strangers = two_alike(2)
    found = fit(known, correct, strangers).calibration
    scores = np.concatenate([known, strangers]).astype(np.float32)
    truth = np.concatenate([correct, np.zeros(len(strangers), np.bool_)])
    weights = np.ones(len(scores))
    typical = 0.4 + np.arange(-3.0, 4.0) / TYPICAL_SLOPE
    chance = found.probability(scores[:, 0], found.odds(scores[:, 1:]).sum(axis=1))
    few = found.probability(typical.astype(np.float32))
    gap = np.concatenate(
        [
            weights * (chance - truth),
            TYPICAL_WEIGHT / 7 * (few - 1 / (1 + np.exp(-np.arange(-3.0, 4.0)))),
        ]
    )
    assert gap.sum() == pytest.approx(0, abs=1e-2)
    assert gap @ np.concatenate([scores[:, 0], typical]) == pytest.approx(0, abs=1e-2)


def test_without_photos_it_is_the_typical_curve():
    for known, correct, strangers in (([], [], []), ([0.7] * 5, [True] * 5, []), ([], [], [0.1])):
        found = fit(known, correct, strangers, threshold=0.45)
        assert found.calibration.slope == pytest.approx(TYPICAL_SLOPE)
        assert found.calibration.offset == pytest.approx(-0.45 * TYPICAL_SLOPE)
        assert found.error is None


def test_few_photos_bend_the_typical_curve_little():
    """Twenty photos of either kind, far apart, do not determine the curve between them."""
    found = fit([0.8] * 20, [True] * 20, [0.1] * 20).calibration
    at_threshold, above, below = found.probability(np.array([0.4, 0.5, 0.3], np.float32))
    assert at_threshold == pytest.approx(0.5, abs=0.1)
    assert above > 0.9
    assert below < 0.1
    # Photos between them do.
    strangers = [0.5] * 10 + [0.1] * 10
    bent = fit([0.8] * 20, [True] * 20, strangers).calibration
    assert bent.probability(np.array([0.5], np.float32)) < 0.5


def test_each_stranger_has_the_same_weight():
    # Forty photos of one stranger at 0.6 have the same weight as one photo of each other one.
    many = fit([0.7] * 30, [True] * 30, [0.6] * 40 + [0.2] * 39, [1 / 40] * 40 + [1] * 39)
    chance = many.calibration.probability(np.array([0.6], np.float32))
    each = fit([0.7] * 30, [True] * 30, [0.6] * 40 + [0.2] * 39)
    assert chance > each.calibration.probability(np.array([0.6], np.float32)) + 0.2


def samples(seed, known=200, strangers=300):
    """Return known people's and strangers' similarities that overlap, and who was right."""
    generator = np.random.default_rng(seed)
    near = generator.normal(0.55, 0.15, known).clip(-1, 1)
    far = generator.normal(0.25, 0.1, strangers).clip(-1, 1)
    return near, generator.random(known) < 0.95, far


def evidence(seed, threshold=0.4):
    """Return a sample, and the scores, answers and weights that its curve is fitted to."""
    known, correct, strangers = samples(seed)
    logits = np.arange(-3.0, 4.0)
    scores = np.concatenate([known.astype(np.float32), strangers.astype(np.float32)])
    typical = threshold + logits / TYPICAL_SLOPE
    return (
        (known, correct, strangers),
        np.concatenate([scores.astype(np.float64), typical]),
        np.concatenate([correct, np.zeros(len(strangers)), 1 / (1 + np.exp(-logits))]),
        # The 300 strangers have the same total weight as the 200 photos of known people.
        np.repeat([1, 200 / 300, TYPICAL_WEIGHT / 7], [200, 300, 7]),
    )


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_curve_of_maximum_likelihood(seed):
    sample, scores, truth, weights = evidence(seed)
    found = fit(*sample).calibration
    # At the maximum the gradient is 0, for the offset and for the slope.
    gap = weights * (1 / (1 + np.exp(-found.slope * scores - found.offset)) - truth)
    assert gap.sum() == pytest.approx(0, abs=1e-4)
    assert (gap * scores).sum() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_against_scikit_learn(seed):
    sample, scores, truth, weights = evidence(seed)
    found = fit(*sample).calibration
    # A target between 0 and 1 is one answer of either kind, weighted by its share.
    model = LogisticRegression(C=1e12, tol=1e-10, max_iter=10_000).fit(
        np.concatenate([scores, scores])[:, None],
        np.repeat([1, 0], len(scores)),
        sample_weight=np.concatenate([weights * truth, weights * (1 - truth)]),
    )
    assert found.slope == pytest.approx(model.coef_[0, 0], rel=1e-3)
    assert found.offset == pytest.approx(model.intercept_[0], rel=1e-3)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(FEW, 100), st.integers(FEW, 100))
def test_probability_rises_with_similarity(seed, known, strangers):
    calibration = fit(*samples(seed, known, strangers)).calibration
    chances = calibration.probability(np.linspace(-1, 1, 201, dtype=np.float32))
    assert np.all(np.diff(chances) >= 0)
    assert np.all((chances >= 0) & (chances <= 1))


def test_separable_scores_give_a_finite_slope():
    found = fit([0.9] * 100, [True] * 100, [0.1] * 100)
    assert 0 < found.calibration.slope < 100
    assert found.error < 0.02


def test_error_is_cross_fitted():
    known, correct, strangers = samples(1)
    found = fit(known, correct, strangers)
    scores = np.concatenate([known, strangers]).astype(np.float32)
    truth = np.concatenate([correct, np.zeros(len(strangers), bool)])
    share = np.concatenate([np.full(200, 1 / 200), np.full(300, 1 / 300)])
    own = expected_calibration_error(found.calibration.probability(scores), truth, weights=share)
    assert found.error == pytest.approx(own, abs=0.02)
    assert found.error != own
    assert found.error < 0.08


@pytest.mark.parametrize("order", ["as drawn", "rising", "falling"])
def test_each_answer_is_judged_by_a_curve_that_has_not_seen_it(order):
    """Against scikit-learn: of every five answers of a kind, one is left out of the fit."""
    known, correct, strangers = samples(4, 60, 45)
    if order != "as drawn":
        sign = 1 if order == "rising" else -1
        ranks = np.argsort(sign * known)
        known, correct, strangers = known[ranks], correct[ranks], sign * np.sort(sign * strangers)
    found = fit(known, correct, strangers).error
    logits = np.arange(-3.0, 4.0)
    scores = np.concatenate([known, strangers]).astype(np.float32).astype(np.float64)
    truth = np.concatenate([correct, np.zeros(45, bool)])
    share = np.repeat([45 / 60, 1.0], [60, 45])
    chances = np.empty(len(scores))
    turn = np.where(truth, np.cumsum(truth), np.cumsum(~truth)) % 5
    for number in range(5):
        seen = turn != number
        values = np.concatenate([scores[seen], 0.4 + logits / TYPICAL_SLOPE])
        target = np.concatenate([truth[seen], 1 / (1 + np.exp(-logits))])
        weight = np.concatenate([share[seen], np.full(7, TYPICAL_WEIGHT / 7)])
        model = LogisticRegression(C=1e12, tol=1e-10, max_iter=10_000).fit(
            np.concatenate([values, values])[:, None],
            np.repeat([1, 0], len(values)),
            sample_weight=np.concatenate([weight * target, weight * (1 - target)]),
        )
        chances[~seen] = model.predict_proba(scores[~seen][:, None])[:, 1]
    expected = expected_calibration_error(chances, truth, weights=share)
    assert found == pytest.approx(expected, abs=1e-3)


def test_the_error_is_of_the_fitted_curve_not_of_the_typical_one():
    # At the threshold of 0.9 the typical curve would say "unknown" of everybody.
    found = fit([0.6] * 50, [True] * 50, [0.2] * 50, threshold=0.9)
    assert found.error < 0.05


def test_new_people_of_the_same_distribution_are_calibrated():
    found = fit(*samples(2, 2000, 3000)).calibration
    known, correct, strangers = samples(3, 2000, 3000)
    scores = np.concatenate([known, strangers]).astype(np.float32)
    truth = np.concatenate([correct, np.zeros(len(strangers), bool)])
    share = np.concatenate([np.full(2000, 1 / 2000), np.full(3000, 1 / 3000)])
    assert expected_calibration_error(found.probability(scores), truth, weights=share) < 0.04


@pytest.mark.parametrize(("known", "strangers"), [(0, 0), (5, 100), (100, 5), (FEW - 1, FEW)])
def test_too_few_photos_give_a_warning(known, strangers):
    found = fit([0.6] * known, [True] * known, [0.1] * strangers, threshold=0.45)
    assert found.error is None
    assert found.calibration.slope >= 0.9 * TYPICAL_SLOPE
    (warning,) = found.warnings
    assert f"{known} photos held out and named rightly and {strangers} of strangers" in warning.text


def test_wrong_answers_do_not_count_as_right_ones():
    assert fit([0.6] * 100, [True] * 5 + [False] * 95, [0.1] * 100).error is None


def test_strangers_as_similar_as_known_people_give_a_warning():
    generator = np.random.default_rng(0)
    found = fit(generator.normal(0.3, 0.1, 100), [True] * 100, generator.normal(0.5, 0.1, 100))
    assert "say little" in found.warnings[0].text
    assert found.calibration.slope > 0


def test_the_typical_curve_is_a_little_flatter_than_that_of_pairs():
    assert typical_slope(EmbedderStatistics(verification=Calibration(20.0, -9.0))) == 18
    assert typical_slope(EmbedderStatistics()) is None
    assert typical_slope(None) is None


@pytest.mark.parametrize(("known", "strangers"), [(0, 0), (5, 0), (0, 5), (FEW - 1, FEW)])
def test_without_a_typical_curve_too_few_are_not_calibrated(known, strangers):
    found = fit([0.6] * known, [True] * known, [0.1] * strangers, threshold=0.45, slope=None)
    (warning,) = found.warnings
    assert "not calibrated for this embedder" in warning.text
    assert found.error is None
    if not known or not strangers:  # nothing is known: about a half everywhere
        chances = found.calibration.probability(np.array([0.1, 0.45, 0.8], np.float32))
        assert chances == pytest.approx(0.5, abs=0.1)


def test_without_a_typical_curve_enough_photos_are_fitted_alone():
    sample = samples(1)
    found = fit(*sample, slope=None)
    assert found.warnings == ()
    assert found.error < 0.08
    typical = fit(*sample).calibration
    assert found.calibration.slope == pytest.approx(typical.slope, rel=0.2)
    # Scores of another scale give a slope of that scale.
    known, correct, strangers = sample
    narrow = fit(0.8 + known / 5, correct, 0.8 + strangers / 5, threshold=0.88, slope=None)
    assert narrow.calibration.slope == pytest.approx(5 * found.calibration.slope, rel=0.01)
    separable = fit([0.9] * 100, [True] * 100, [0.1] * 100, slope=None)
    assert 0 < separable.calibration.slope < 100
