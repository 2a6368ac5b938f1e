"""Intervals: Wilson's against published numbers, the bootstrap by its coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.measures import (
    bootstrap_mean,
    bootstrap_over_people,
    rate_over_people,
    wilson,
    wilson_of_parts,
)


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        # R. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in
        # Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_as_published(successes, total, low, high):
    found = wilson(successes, total)
    assert found.value == successes / total
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 500), st.floats(0, 1))
def test_partial_successes_lie_between_whole_numbers(total, share):
    successes = share * total
    found = wilson_of_parts(successes, total)
    down, up = wilson(int(successes), total), wilson(min(total, int(successes) + 1), total)
    assert down.low <= found.low <= found.value <= found.high <= up.high
    assert found.value == pytest.approx(share)


@given(st.integers(0, 300), st.integers(0, 300))
def test_whole_successes_give_wilsons_interval(one, more):
    assert wilson_of_parts(float(one), one + more) == wilson(one, one + more) or one + more == 0


def test_thirds_add_up_to_one():
    assert wilson_of_parts(sum([1 / 3] * 3), 5) == wilson(1, 5)
    assert wilson_of_parts(0.1 * 3, 3).low == 0


def test_no_trials_give_the_whole_interval():
    for found in (wilson(0, 0), wilson_of_parts(0.0, 0)):
        assert np.isnan(found.value)
        assert (found.low, found.high) == (0, 1)


@pytest.mark.parametrize(("successes", "total"), [(-1, 5), (6, 5), (7.5, 5)])
def test_counts_and_levels_out_of_range_are_refused(successes, total):
    with pytest.raises(ValueError, match="not a share"):
        (wilson_of_parts if isinstance(successes, float) else wilson)(successes, total)
    with pytest.raises(ValueError, match="level"):
        wilson(1, 2, level=1.0)


def test_resampling_people_gives_wider_intervals_than_photos():
    # Twenty people with ten equal results each: 200 photos, but only twenty independent trials.
    generator = np.random.default_rng(0)
    values = np.repeat(generator.random(20) < 0.5, 10)
    people = np.repeat(np.arange(20), 10)
    by_people = bootstrap_mean(values, people)
    by_photos = bootstrap_mean(values, np.arange(200))
    assert by_people.value == by_photos.value == values.mean()
    assert by_people.high - by_people.low > 2 * (by_photos.high - by_photos.low)


def test_coverage_of_the_bootstrap():
    generator = np.random.default_rng(1)
    inside = 0
    for seed in range(200):
        values = generator.normal(size=60)
        found = bootstrap_mean(values, np.arange(60), rounds=400, seed=seed)
        inside += found.low <= 0 <= found.high
    assert 0.88 <= inside / 200 <= 0.99


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_rate_that_all_people_share_has_an_interval_all_the_same(value):
    people = np.repeat(np.arange(40), 3)
    found = rate_over_people(np.full(120, value), people)
    plain = wilson(round(40 * value), 40)  # 40 people, not 120 photos
    assert (found.value, found.low, found.high) == (value, plain.low, plain.high)
    assert bootstrap_mean(np.full(120, value), people).low == value


def test_a_rate_keeps_the_wider_interval():
    """A few people with many photos each: resampling them is wider than Wilson's by photos."""
    values = np.repeat([1.0, 1.0, 0.0, 1.0, 0.0], 40)
    found = rate_over_people(values, np.repeat(np.arange(5), 40))
    boot, plain = bootstrap_mean(values, np.repeat(np.arange(5), 40)), wilson(3, 5)
    assert found.low == min(boot.low, plain.low)
    assert found.high == max(boot.high, plain.high)


def test_any_statistic_of_resampled_people():
    values, people = np.arange(12.0), np.repeat(["a", "b", "c"], 4)
    found = bootstrap_over_people(lambda rows: float(values[rows].mean()), people)
    assert found.value == values.mean()
    assert 1.5 <= found.low <= found.high <= 9.5  # means of all a and of all c


def test_names_and_order_change_nothing():
    values = np.array([1, 0, 1, 1, 0], float)
    one = bootstrap_mean(values, ["x", "x", "y", "z", "z"])
    other = bootstrap_mean(values[::-1], ["c", "c", "b", "a", "a"])
    assert one == other


def test_empty_and_mismatched_input_is_refused():
    with pytest.raises(ValueError, match="nothing"):
        bootstrap_mean([], [])
    with pytest.raises(ValueError, match="labels"):
        bootstrap_mean([1.0], ["a", "b"])
