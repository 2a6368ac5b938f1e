"""Accuracy of yes or no: the best threshold, and the folds of LFW's View 2."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.measures import best_threshold, folded_accuracy


def accuracy(scores, same, threshold):
    """Return the share of right decisions, in plain Python."""
    right = [(score >= threshold) == truth for score, truth in zip(scores, same, strict=True)]
    return sum(right) / len(right)


def test_threshold_lies_midway_between_the_two_kinds():
    assert best_threshold([0.8, 0.1, 0.6, 0.2], [True, False, True, False]) == (
        pytest.approx(0.4),
        1.0,
    )


def test_errors_of_both_kinds_are_counted():
    scores = [0.1, 0.2, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    same = [False, False, False, True, True, False, True, True]
    assert best_threshold(scores, same) == (pytest.approx(0.25), 7 / 8)  # wrong at 0.5
    # Three of two people at 0.5 weigh more than two of one person at 0.3.
    same = [True, True, False, False, False, True]
    assert best_threshold([0.3, 0.3, 0.5, 0.5, 0.5, 0.9], same) == (pytest.approx(0.7), 4 / 6)


def test_equal_scores_are_decided_alike():
    threshold, share = best_threshold([0.5, 0.5, 0.5, 0.2], [True, True, False, False])
    assert (threshold, share) == (pytest.approx(0.35), 0.75)


def test_of_equally_good_thresholds_the_middle_one_is_returned():
    # Accepting from 0.3 on is wrong at 0.6, from 0.7 on at 0.4, from 0.5 on at both.
    scores, same = [0.2, 0.4, 0.6, 0.8], [False, True, False, True]
    assert best_threshold(scores, same) == (pytest.approx(0.7), 0.75)
    # Here 0.15, 0.35 and 0.55 have two errors each.
    three = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [False, True, False, True, False, True]
    assert best_threshold(*three) == (pytest.approx(0.35), pytest.approx(4 / 6))


def test_of_one_kind_everything_is_decided_alike():
    threshold, share = best_threshold([0.5, 0.7], [True, True])
    assert 0.49 < threshold < 0.5
    assert share == 1
    threshold, share = best_threshold([0.5, 0.7], [False, False])
    assert 0.7 < threshold < 0.71
    assert share == 1


@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=1, max_size=30))
def test_no_threshold_is_better(pairs):
    scores, same = [score / 5 for score, _ in pairs], [truth for _, truth in pairs]
    threshold, share = best_threshold(scores, same)
    assert share == pytest.approx(accuracy(scores, same, threshold))
    for other in np.linspace(-1.1, 1.1, 12):  # one between any two of the scores, and both ends
        assert accuracy(scores, same, other) <= share + 1e-12


FOLDS = {
    # fold: scores, answers. Each is separable by itself, at 0.4, 0.6 and 0.4.
    3: ([0.3, 0.5], [False, True]),
    7: ([0.5, 0.7], [False, True]),
    9: ([0.3, 0.5], [False, True]),
}


def test_the_threshold_of_a_fold_is_the_best_of_the_others():
    scores = np.concatenate([values for values, _ in FOLDS.values()])
    same = np.concatenate([answers for _, answers in FOLDS.values()])
    found = folded_accuracy(scores, same, np.repeat(list(FOLDS), 2))
    # Of folds 7 and 9 accepting from 0.4 or 0.6 on has one error, 0.6 is the middle of the two;
    # folds 3 and 9 say 0.4.
    assert found.thresholds == pytest.approx((0.6, 0.4, 0.6))
    assert found.folds == (0.5, 0.5, 0.5)
    assert found.accuracy == 0.5
    assert found.standard_error == 0


def test_the_standard_error_is_that_of_the_mean_of_the_folds():
    # The threshold is 0.4 for each fold; of their four pairs 4, 3 and 2 are right.
    low, high = [0.1, 0.2], [0.6, 0.7]
    sound = ([*low, *high], [False, False, True, True])
    scores = np.concatenate([sound[0]] * 8 + [[0.1, 0.15, 0.6, 0.7]] + [[0.1, 0.15, 0.65, 0.7]])
    same = np.concatenate([sound[1]] * 8 + [[True, False, True, True], [True, False, True, False]])
    found = folded_accuracy(scores, same, np.repeat(np.arange(10), 4))
    assert found.thresholds == pytest.approx([0.4] * 10)
    assert found.folds == (1.0,) * 8 + (0.75, 0.5)
    assert found.accuracy == pytest.approx(9.25 / 10)
    squares = 8 * 0.075**2 + 0.175**2 + 0.425**2
    assert found.standard_error == pytest.approx(sqrt(squares / 9) / sqrt(10))


def test_a_single_fold_uses_its_own_best_threshold():
    found = folded_accuracy([0.1, 0.3, 0.2, 0.9], [False, True, False, True], [4] * 4)
    assert found.thresholds == pytest.approx((0.25,))
    assert (found.accuracy, found.folds, found.standard_error) == (1.0, (1.0,), 0.0)


def test_folds_of_different_sizes_count_equally():
    scores = [0.1, 0.9, 0.1, 0.9, 0.9, 0.1, 0.1, 0.9, 0.9, 0.1]
    same = [False, True, False, True, True, False, True, True, True, False]
    found = folded_accuracy(scores, same, [0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    assert found.folds == (1.0, 1.0, 0.75)
    assert found.accuracy == pytest.approx(2.75 / 3)


@pytest.mark.parametrize(
    ("scores", "same", "said"),
    [
        ([], [], "no paired score"),
        ([0.1, 0.2], [True], "answers"),
        ([0.1, float("nan")], [True, False], "not a finite number"),
        ([0.1, float("inf")], [True, False], "not a finite number"),
    ],
)
def test_what_cannot_be_decided_is_refused(scores, same, said):
    with pytest.raises(ValueError, match=said):
        best_threshold(scores, same)
    with pytest.raises(ValueError, match=said):
        folded_accuracy(scores, same, [0] * len(scores))


def test_every_pair_needs_a_fold():
    with pytest.raises(ValueError, match="folds"):
        folded_accuracy([0.1, 0.2], [True, False], [0])


def test_a_score_at_the_threshold_is_accepted():
    found = folded_accuracy([0.25, 0.75, 0.5, 0.25], [False, True, True, False], [0, 0, 1, 1])
    assert found.thresholds[1] == 0.5
    assert found.folds[1] == 1
