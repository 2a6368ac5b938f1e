"""The threshold of a rate, raised to where a name has even odds."""

from __future__ import annotations

import numpy as np
import pytest

from mien.policy import CalibrationFit, Strangers, choose_policy, decide
from mien.types import Calibration

COUNTS = np.ones(10, np.int64)
GROUP = Strangers(
    np.arange(1, 301, dtype=np.float32)[:, None] / 1000, np.ones(300), 300, 10, "others"
)
ASKED = choose_policy([GROUP], COUNTS, 0.01).policy.threshold


def decided(even, **more):
    """Return the choice where even odds are at a similarity, and what was fitted at."""
    asked = []

    def fit(threshold):
        asked.append(threshold)
        return CalibrationFit(Calibration(20.0, -20.0 * even), None)

    choice, found = decide([GROUP], COUNTS, 0.01, fit, **more)
    assert found.calibration == Calibration(20.0, -20.0 * even)
    return choice, asked


def test_where_names_are_likely_the_rate_decides():
    choice, asked = decided(ASKED - 0.05)
    assert choice == choose_policy([GROUP], COUNTS, 0.01)
    assert asked == [ASKED]


def test_the_threshold_is_raised_to_even_odds_and_a_notice_says_how_far():
    choice, asked = decided(0.4)
    assert asked == [ASKED]
    assert choice.policy.threshold == pytest.approx(0.4)
    assert choice.policy.expected.value == 0
    (notice,) = choice.warnings
    assert notice.code == "threshold-of-even-odds"
    assert notice.data == {"threshold_of_rate": ASKED, "threshold": pytest.approx(0.4)}
    assert f"from a similarity of {ASKED:.3f}; below 0.400" in notice.text


def test_a_little_is_raised_without_a_word():
    choice, _ = decided(ASKED + 1e-4)
    assert choice.policy.threshold == pytest.approx(ASKED + 1e-4)
    assert choice.warnings == ()


def test_odds_that_no_similarity_has_are_no_threshold():
    """A calibration that never gives even odds says nothing of where they are."""
    choice, _ = decided(1.2)
    assert choice == choose_policy([GROUP], COUNTS, 0.01)


def test_what_is_known_of_the_gallery_is_passed_on():
    choice, _ = decided(0.1, confidence=0.95)
    assert choice == choose_policy([GROUP], COUNTS, 0.01, confidence=0.95)
    assert choice.policy.threshold > ASKED
