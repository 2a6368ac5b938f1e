"""Identification: ranks, open-set rates, thresholds and curves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.measures import (
    allowed_false_positives,
    cmc,
    dir_at,
    equal_shares,
    fpir_at,
    mate_ranks,
    open_set_at,
    open_set_curve,
    rank_k,
    threshold_at_fpir,
    wilson,
    wilson_of_parts,
)


def test_ranks_by_hand():
    scores = np.array([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1], [0.2, 0.2, 0.2]])
    # On a tie the mate ranks last.
    assert mate_ranks(scores, [0, 2, 1]).tolist() == [1, 3, 3]
    assert rank_k([1, 3, 3], 1) == wilson(1, 3)
    assert cmc([1, 3, 3], 4).tolist() == pytest.approx([1 / 3, 1 / 3, 1, 1])


@pytest.mark.parametrize("mates", [[3], [-1], [0, 0]])
def test_mates_outside_the_gallery_are_refused(mates):
    with pytest.raises(ValueError, match="mate"):
        mate_ranks(np.zeros((1, 3)), mates)


def test_shares_of_people_by_hand():
    assert equal_shares(["Ada", "Bob", "Ada", "Ada"]).tolist() == pytest.approx(
        [1 / 3, 1, 1 / 3, 1 / 3]
    )


def test_open_set_by_hand():
    best, correct = [0.9, 0.8, 0.4, 0.7], [True, False, True, True]
    strangers = [0.6, 0.5, 0.1, 0.2]
    found = open_set_at(best, correct, strangers, 0.5)
    assert found.dir == wilson(2, 4)  # 0.8 is named, but wrongly
    assert found.fpir == wilson(2, 4)
    # The same four photos; the first three show one stranger, and two of them are named.
    found = open_set_at(best, correct, strangers, 0.5, people=["Dan", "Dan", "Dan", "Eve"])
    assert found.fpir == wilson_of_parts(2 / 3, 2)
    assert found.dir == dir_at(best, correct, 0.5)
    # At the threshold itself a name is given.
    found = open_set_at([0.5, 0.25], [True, True], [0.5, 0.25], 0.5)
    assert (found.dir, found.fpir) == (wilson(1, 2), wilson(1, 2))


photos = st.lists(st.tuples(st.integers(0, 6), st.integers(-20, 20)), min_size=1, max_size=60)
targets = st.floats(0, 1)


def split_(drawn):
    people = np.array([person for person, _ in drawn])
    return np.array([score / 20 for _, score in drawn], np.float32), people


def rate(scores, people, threshold):
    """Return the share of strangers named, directly from its definition."""
    who = set(people.tolist())
    parts = [np.mean(scores[people == person] >= np.float32(threshold)) for person in who]
    return sum(parts) / len(who)


@given(photos, st.floats(-1, 1))
def test_the_rate_is_the_mean_over_people(drawn, threshold):
    scores, people = split_(drawn)
    found = fpir_at(scores, np.float32(threshold), people=people)
    assert found.value == pytest.approx(rate(scores, people, threshold))
    assert found.low <= found.value + 1e-12
    assert found.high >= found.value - 1e-12


@given(photos, targets)
def test_a_threshold_keeps_its_rate_and_no_lower_one_would(drawn, target):
    scores, people = split_(drawn)
    count = len(set(people))
    found = threshold_at_fpir(scores, target, people=people)

    def expected(threshold):
        """Return the rate of one more stranger: k of n became (k + 1) of (n + 1)."""
        return (count * rate(scores, people, threshold) + 1) / (count + 1)

    few = 1 / (count + 1) > target
    assert expected(found) <= target + 1e-9 or (few and rate(scores, people, found) == 0)
    below = scores[scores < np.float32(found)]
    if len(below):
        assert expected(below.max()) > target - 1e-9


@given(photos, targets, st.integers(2, 4))
def test_repeated_photos_do_not_change_the_threshold(drawn, target, times):
    scores, people = split_(drawn)
    once = threshold_at_fpir(scores, target, people=people)
    again = threshold_at_fpir(np.repeat(scores, times), target, people=np.repeat(people, times))
    assert again == once


@given(photos)
def test_people_may_be_omitted_if_all_differ(drawn):
    scores, _ = split_(drawn)
    people = np.arange(len(scores))
    for threshold in (0.0, 0.5):
        assert fpir_at(scores, threshold, people=people) == fpir_at(scores, threshold)
    assert threshold_at_fpir(scores, 0.3, people=people) == threshold_at_fpir(scores, 0.3)


@given(photos)
def test_the_curve_goes_through_every_threshold(drawn):
    scores, people = split_(drawn)
    best, correct = np.array([0.9, 0.3, -0.2]), np.array([True, True, False])
    curve = open_set_curve(best, correct, scores, people=people)
    assert (curve.fpir[0], curve.fpir[-1]) == (0, pytest.approx(1))
    assert np.all(np.diff(curve.fpir) >= -1e-12)
    assert np.all(np.diff(curve.dir) >= 0)
    for threshold, fpir, dir_ in zip(curve.thresholds, curve.fpir, curve.dir, strict=True):
        found = open_set_at(best, correct, scores.astype(np.float64), threshold, people=people)
        assert found.fpir.value == pytest.approx(fpir, abs=1e-12)
        assert found.dir.value == pytest.approx(dir_)


def test_invalid_input_is_refused():
    with pytest.raises(ValueError, match="no stranger"):
        threshold_at_fpir([], 0.1)
    with pytest.raises(ValueError, match="between 0 and 1"):
        threshold_at_fpir([0.1], 1.5)
    with pytest.raises(ValueError, match="labels"):
        fpir_at([0.1, 0.2], 0.1, people=["Dan"])
    with pytest.raises(ValueError, match="no probe or no stranger"):
        open_set_curve([], [], [0.1])
    with pytest.raises(ValueError, match="answers"):
        dir_at([0.1], [True, False], 0.5)


def test_rate_holds_on_average_for_other_strangers():
    """300 strangers at a time, and how often the threshold that they set names others."""
    generator = np.random.default_rng(5)
    found = {None: [], 0.95: []}
    for _ in range(2000):
        scores = np.sort(generator.random(300))[::-1]
        for confidence, rates in found.items():
            allowed = int(allowed_false_positives(300, 0.02, confidence))
            rates.append(1 - scores[allowed])  # others are uniform too
    assert np.mean(found[None]) == pytest.approx(0.02, abs=0.0005)
    assert np.mean(np.array(found[0.95]) <= 0.02) >= 0.945
    # 6 of 300 is 2 % of those seen, and more of others in most samples.
    assert int(allowed_false_positives(300, 0.02)) == 5


@pytest.mark.parametrize(("people", "rate", "allowed"), [(58, 0.05, -1), (59, 0.05, 0)])
def test_fewest_strangers_for_a_confidence(people, rate, allowed):
    # 0.95 to the power of 59 is 4.85 %: with 59 strangers none may be named, with 58 it is 5.1 %.
    assert round(allowed_false_positives(people, rate, 0.95)) == allowed


def test_thresholds_of_zero_and_one():
    scores = [0.25, 0.5]
    assert threshold_at_fpir(scores, 0) == np.nextafter(np.float32(0.5), np.float32(1))
    assert threshold_at_fpir(scores, 1) == -1
