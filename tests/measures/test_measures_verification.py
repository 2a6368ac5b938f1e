from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import roc_auc_score, roc_curve

from mien.measures import (
    PairScores,
    ScoreCounts,
    curve_equal_error_rate,
    equal_error_rate,
    point_at_far,
    roc,
    roc_of_counts,
    tar_at_far,
    tar_gain_over_people,
    tar_over_people,
)
from mien.measures.histogram import BINS, bin_of, edges

SCORES = arrays.arrays(
    np.float32, st.integers(1, 40), elements=st.floats(-1, 1, width=32), fill=st.nothing()
)


def drawn(seed, genuine=400, impostor=3000):
    generator = np.random.default_rng(seed)
    same = np.clip(generator.normal(0.6, 0.15, genuine), -1, 1)
    other = np.clip(generator.normal(0.1, 0.12, impostor), -1, 1)
    return same.astype(np.float32), other.astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_roc_equals_that_of_scikit_learn(seed):
    same, other = drawn(seed)
    truth = np.concatenate([np.ones(len(same)), np.zeros(len(other))])
    scores = np.concatenate([same, other]).astype(np.float64)
    fmr, tmr, thresholds = roc_curve(truth, scores, drop_intermediate=False)
    found = roc(same, other)
    assert found.thresholds == pytest.approx(thresholds)
    assert found.fmr == pytest.approx(fmr)
    assert found.tmr == pytest.approx(tmr)
    area = np.trapezoid(found.tmr, found.fmr) if hasattr(np, "trapezoid") else None
    assert area is None or area == pytest.approx(roc_auc_score(truth, scores))


def test_counted_scores_give_the_same_rates():
    same, other = drawn(5)
    counted = [ScoreCounts(), ScoreCounts()]
    for counts, scores in zip(counted, (same, other), strict=True):
        for piece in np.array_split(scores, 7):  # the split does not matter
            counts.add(piece)
    assert [counts.total for counts in counted] == [len(same), len(other)]
    curve = roc_of_counts(edges(), counted[0].counts, counted[1].counts)
    for far in (1e-1, 1e-2, 1e-3):
        exact, found = tar_at_far(same, other, far), point_at_far(curve, far)
        assert found.tar == pytest.approx(exact.tar, abs=1e-4)
        # The reported rates are those of the threshold.
        assert found.far == np.mean(other >= found.threshold)
        assert found.tar == np.mean(same >= found.threshold)
    assert curve_equal_error_rate(curve) == pytest.approx(equal_error_rate(same, other), abs=1e-4)


@given(SCORES)
def test_bins_rise_with_scores(scores):
    ordered = np.sort(scores)
    bins = bin_of(ordered)
    assert np.all(np.diff(bins) >= 0)
    assert bins.min() >= 0
    assert bins.max() < BINS
    assert np.all(np.abs(edges()[bins] - ordered) <= 2 / BINS + 1e-6)


def test_counts_of_one_kind_are_refused():
    with pytest.raises(ValueError, match="no score"):
        roc_of_counts([0.0, 0.5], [0, 0], [1, 2])
    with pytest.raises(ValueError, match="edges"):
        roc_of_counts([0.0], [0, 0], [1, 2])


def test_counts_that_are_no_counts_are_refused():
    for same, other in (([1, 0], [0, 0]), ([-1, 2], [1, 1]), ([1, 1], [2, -1])):
        with pytest.raises(ValueError, match="no score"):
            roc_of_counts([0.0, 0.5], same, other)
    with pytest.raises(ValueError, match="counts"):
        roc_of_counts([0.0, 0.5], [1, 1], [1])


def test_a_curve_by_hand():
    # Scores that both kinds have share a threshold; the first accepts nothing.
    curve = roc([0.9, 0.5, 0.5, 0.2], [0.5, 0.2, 0.2, 0.1, 0.1])
    assert curve.thresholds.tolist() == [np.inf, 0.9, 0.5, 0.2, 0.1]
    assert curve.tmr.tolist() == [0, 0.25, 0.75, 1, 1]
    assert curve.fmr.tolist() == pytest.approx([0, 0, 0.2, 0.6, 1])
    assert curve.fnmr.tolist() == [1, 0.75, 0.25, 0, 0]
    counted = roc_of_counts([0.1, 0.2, 0.3, 0.5, 0.9], [0, 1, 0, 2, 1], [2, 2, 0, 1, 0])
    assert counted.thresholds.tolist() == curve.thresholds.tolist()
    assert counted.tmr.tolist() == curve.tmr.tolist()
    assert counted.fmr.tolist() == pytest.approx(curve.fmr.tolist())


@pytest.mark.parametrize(
    ("far", "point"),
    [
        (0.0, (0.9, 0.0, 0.25)),
        (0.19, (0.9, 0.0, 0.25)),
        (0.2, (0.5, 0.2, 0.75)),
        (0.6, (0.2, 0.6, 1.0)),
        # Accepting 0.1 too would add false matches alone.
        (1.0, (0.2, 0.6, 1.0)),
    ],
)
def test_the_highest_rate_within_a_far_by_hand(far, point):
    found = tar_at_far([0.9, 0.5, 0.5, 0.2], [0.5, 0.2, 0.2, 0.1, 0.1], far)
    assert (found.threshold, found.far, found.tar) == pytest.approx(point)


def test_where_no_genuine_score_is_within_the_far_nothing_is_accepted():
    found = tar_at_far([0.1, 0.2], [0.9, 0.3], 0.0)
    assert (found.threshold, found.far, found.tar) == (np.inf, 0, 0)


@pytest.mark.parametrize("far", [-0.01, 1.01, float("nan")])
def test_a_far_is_a_rate(far):
    with pytest.raises(ValueError, match="between 0 and 1"):
        tar_at_far([0.9], [0.1], far)


@pytest.mark.parametrize(
    ("same", "other", "said"),
    [
        ([], [0.1], "no genuine score"),
        ([0.1], [], "no impostor score"),
        ([np.nan], [0.1], "a genuine score is not a finite number"),
        ([0.1], [0.2, np.inf], "an? impostor score is not a finite number"),
    ],
)
def test_scores_that_make_no_curve_are_refused(same, other, said):
    with pytest.raises(ValueError, match=said):
        roc(same, other)


def test_equal_error_between_two_thresholds_by_hand():
    # At 0.6: 0 of 3 false matches and 1 of 2 false non-matches; at 0.5: 1 of 3 and 1 of 2; at
    # 0.4: 1 of 3 and 0 of 2. On the way between the last two the rates meet at 1 of 3.
    assert equal_error_rate([0.6, 0.4], [0.5, 0.1, 0.1]) == pytest.approx(1 / 3)
    # From 0 and 3/4 at 0.7 to 1/2 and 1/4 at 0.5, where two of each kind are accepted at once.
    same, other = [0.7, 0.5, 0.5, 0.1], [0.5, 0.5, 0.2, 0.2]
    assert equal_error_rate(same, other) == pytest.approx(3 / 8)


def test_equal_error_by_hand():
    # At 0.5 one of four of each kind is wrong.
    assert equal_error_rate([0.4, 0.6, 0.7, 0.8], [0.1, 0.2, 0.3, 0.5]) == 0.25
    assert equal_error_rate([0.9], [0.1]) == 0


def made_pairs(seed, people=30, photos=4):
    """Return all pairs of photos, with the same number of photos per person."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(people, 1, 8))
    vectors = (centres + 0.8 * generator.normal(size=(people, photos, 8))).reshape(-1, 8)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.repeat(np.arange(people), photos)
    rows, columns = np.triu_indices(len(labels), 1)
    scores = np.einsum("nd,nd->n", vectors[rows], vectors[columns])
    own = labels[rows] == labels[columns]
    both = np.stack([labels[rows], labels[columns]], axis=1)
    return PairScores(
        people, scores[own], both[own, 0], scores[~own], both[~own], np.full(people, photos)
    )


def test_true_accept_rates_over_people():
    pairs = made_pairs(1)
    fars = (0.1, 0.01)
    found = tar_over_people(pairs, fars)
    for far, interval in zip(fars, found, strict=True):
        assert interval.value == tar_at_far(pairs.genuine, pairs.impostor, far).tar
        assert interval.low < interval.value < interval.high
    # All pairs are present, so that `photos` makes no difference.
    listed = PairScores(
        pairs.people, pairs.genuine, pairs.genuine_person, pairs.impostor, pairs.impostor_people
    )
    assert [i.value for i in tar_over_people(listed, fars)] == [i.value for i in found]


def test_the_interval_covers_the_truth():
    """About 95 % of the intervals of samples from one population contain its rate."""
    truth = tar_over_people(made_pairs(99, people=600), (0.01,), rounds=2)[0].value
    inside = [
        i.low <= truth <= i.high
        for i in (tar_over_people(made_pairs(s), (0.01,), rounds=100)[0] for s in range(60))
    ]
    assert 0.85 <= np.mean(inside) <= 1


@settings(max_examples=20)
@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_order_and_names_have_no_effect(seed, random):
    pairs = made_pairs(seed, people=12, photos=3)
    first, second = list(range(len(pairs.genuine))), list(range(len(pairs.impostor)))
    names = list(range(pairs.people))
    for order in (first, second, names):
        random.shuffle(order)
    renamed = np.array(names)
    other = PairScores(
        pairs.people,
        pairs.genuine[first],
        renamed[pairs.genuine_person[first]],
        pairs.impostor[second],
        renamed[pairs.impostor_people[second]],
        pairs.photos,
    )
    assert tar_over_people(other, (0.05,), rounds=20) == tar_over_people(pairs, (0.05,), rounds=20)


def test_a_gain_is_measured_on_the_same_people():
    pairs = made_pairs(4)
    fars = (0.1, 0.01)
    assert all(gain.low == gain.high == 0 for gain in tar_gain_over_people(pairs, pairs, fars))
    better = replace(pairs, genuine=pairs.genuine + 0.1)
    for gain, alone in zip(
        tar_gain_over_people(pairs, better, fars), tar_over_people(pairs, fars), strict=True
    ):
        assert 0 < gain.low < gain.value < gain.high
        assert gain.high - gain.low < alone.high - alone.low
    backwards = tar_gain_over_people(better, replace(better, genuine=pairs.genuine), fars)
    assert all(gain.high < 0 for gain in backwards)
    with pytest.raises(ValueError, match="same people"):
        tar_gain_over_people(pairs, made_pairs(4, people=12), fars)
    # A monotone change of the scores gains nothing in any resample: both methods use the same
    # resamples, although their ranks of people differ.
    cubed = replace(pairs, genuine=pairs.genuine**3, impostor=pairs.impostor**3)
    assert all(gain.low == gain.high == 0 for gain in tar_gain_over_people(pairs, cubed, fars))


def test_no_genuine_scores_are_refused():
    with pytest.raises(ValueError, match="0 scores"):
        PairScores(1, np.empty(0), np.empty(0, int), np.ones(1), np.zeros((1, 2), int))
