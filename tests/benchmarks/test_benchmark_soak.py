"""What the soak benchmark makes of its samples."""

from __future__ import annotations

import math

import pytest

from serving.whole_process import Sample, Windows


def sample(minute: int, mib: float, descriptors: int = 30) -> Sample:
    return Sample(float(minute), 1, mib, mib, descriptors, 10, 0.0)


def test_an_hour_is_judged_by_minutes_10_to_20_and_50_to_60():
    levels = {range(10): 900.0, range(10, 21): 500.0, range(21, 50): 700.0, range(50, 61): 510.0}
    samples = [sample(m, mib) for minutes, mib in levels.items() for m in minutes]
    windows = Windows.of(samples, 60)
    assert [each.minute for each in windows.early] == list(range(10, 21))
    assert [each.minute for each in windows.late] == list(range(50, 61))
    assert windows.growth() == pytest.approx(0.02)


def test_descriptors_are_compared_by_their_largest_number():
    samples = [sample(m, 500.0, 30 + (m == 15) + 4 * (m == 55)) for m in range(61)]
    assert Windows.of(samples, 60).more("descriptors") == 3


def test_a_run_without_samples_is_not_level():
    assert math.isnan(Windows.of([], 60).growth())
