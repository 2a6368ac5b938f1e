"""Reliability and calibration error, by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from mien.measures import expected_calibration_error, reliability_bins


def test_by_hand():
    # Probability 0.9 four times, right three times; 0.2 twice, never right.
    values = [0.9] * 4 + [0.2] * 2
    right = [True, True, True, False, False, False]
    low, high = reliability_bins(values, right)
    assert (low.confidence, low.accuracy, low.count) == (pytest.approx(0.2), 0, 2)
    assert (high.confidence, high.accuracy, high.count) == (pytest.approx(0.9), 0.75, 4)
    expected = 4 / 6 * 0.15 + 2 / 6 * 0.2
    assert expected_calibration_error(values, right) == pytest.approx(expected)
    # With weights: the first four count as much as one of the others.
    weighed = expected_calibration_error(values, right, weights=[0.25] * 4 + [1] * 2)
    assert weighed == pytest.approx(1 / 3 * 0.15 + 2 / 3 * 0.2)


def test_against_scikit_learn():
    generator = np.random.default_rng(0)
    values = generator.random(2000)
    right = generator.random(2000) < values**1.5
    accuracy, confidence = calibration_curve(right, values, n_bins=10)
    bins = reliability_bins(values, right)
    assert [each.accuracy for each in bins] == pytest.approx(accuracy)
    assert [each.confidence for each in bins] == pytest.approx(confidence)


def test_the_last_bin_includes_one():
    (last,) = reliability_bins([1.0, 1.0], [True, True])
    assert (last.low, last.high, last.accuracy) == (0.9, 1.0, 1.0)
    assert expected_calibration_error([1.0, 0.0], [True, False]) == 0


@pytest.mark.parametrize(
    ("values", "right", "weights"),
    [
        ([], [], None),
        ([0.5], [True, False], None),
        ([1.1], [True], None),
        ([float("nan")], [True], None),
        ([0.5], [True], [-1]),
        ([0.5], [True], [0]),
    ],
)
def test_invalid_input_is_refused(values, right, weights):
    with pytest.raises(ValueError, match=r"."):
        reliability_bins(values, right, weights=weights)
