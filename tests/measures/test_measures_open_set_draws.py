from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.measures import threshold_at_fpir
from mien.measures.open_set_draws import SearchedDraw, dir_gain_over_people, open_set_rates


def made(seed, known=30, strangers=200):
    """Return a draw with one photo of each stranger and three of each known person."""
    generator = np.random.default_rng(seed)
    best = generator.normal(0.6, 0.1, 3 * known).astype(np.float32)
    others = generator.normal(0.3, 0.1, strangers).astype(np.float32)
    people = known + np.arange(strangers)
    half = strangers // 2
    return SearchedDraw(
        best,
        generator.random(3 * known) < 0.9,
        np.repeat(np.arange(known), 3),
        others[:half],
        people[:half],
        others[half:],
        people[half:],
    ), known + strangers


def test_by_hand():
    # The threshold is chosen on 10 strangers; at 2 of 11 one may be named: it is just above 0.5.
    development = np.array([0.9, 0.5, *[0.1] * 8], np.float32)
    draw = SearchedDraw(
        best=np.array([0.8, 0.7, 0.4, 0.6], np.float32),
        correct=np.array([True, False, True, True]),
        person=np.array([0, 0, 1, 2]),
        development=development,
        development_person=np.arange(3, 13),
        strangers=np.array([0.5, 0.6, 0.2, 0.1], np.float32),
        stranger_person=np.array([13, 14, 14, 15]),
    )
    found = open_set_rates([draw], 16, 2 / 11)
    assert found.dir.value == 0.5  # 0.8 and 0.6; 0.7 is the wrong person, 0.4 unknown
    assert found.fpir.value == pytest.approx(1 / 6)  # half of one of three strangers
    assert found.thresholds[1] == float(np.nextafter(np.float32(0.5), np.float32(1)))
    assert found.strangers == 10


def test_threshold_equals_that_of_threshold_at_fpir():
    draw, people = made(3)
    for target in (0.01, 0.05, 0.2):
        threshold = threshold_at_fpir(draw.development, target)
        found = open_set_rates([draw], people, target, rounds=20)
        assert found.thresholds[0] == threshold
        assert found.dir.value == np.mean((draw.best >= threshold) & draw.correct)
        assert found.fpir.value == np.mean(draw.strangers >= threshold)


def test_targets_of_zero_and_one():
    draw, people = made(1)
    assert open_set_rates([draw], people, 0.0, rounds=5).fpir.value <= 0.05
    everybody = open_set_rates([draw], people, 1.0, rounds=5)
    assert everybody.fpir.value == 1
    assert everybody.dir.value == np.mean(draw.correct)


@settings(max_examples=25)
@given(st.integers(0, 500), st.randoms(use_true_random=False))
def test_order_has_no_effect(seed, random):
    draw, people = made(seed)

    def shuffled(*arrays):
        order = list(range(len(arrays[0])))
        random.shuffle(order)
        return [array[order] for array in arrays]

    other = SearchedDraw(
        *shuffled(draw.best, draw.correct, draw.person),
        *shuffled(draw.development, draw.development_person),
        *shuffled(draw.strangers, draw.stranger_person),
    )
    one, two = (open_set_rates([d], people, 0.05, rounds=10) for d in (draw, other))
    assert two.dir.value == pytest.approx(one.dir.value)
    assert two.dir.low == pytest.approx(one.dir.low)
    assert two.fpir.high == pytest.approx(one.fpir.high)
    assert two.thresholds == one.thresholds


def test_rates_rise_with_the_target():
    draw, people = made(7)
    rates = [open_set_rates([draw], people, t, rounds=2) for t in (0.0, 0.01, 0.1, 0.5)]
    assert [r.dir.value for r in rates] == sorted(r.dir.value for r in rates)
    assert [r.fpir.value for r in rates] == sorted(r.fpir.value for r in rates)


def test_a_gain_is_measured_on_the_same_people():
    draw, people = made(5)
    assert dir_gain_over_people([draw], [draw], people, 0.05, rounds=20).high == 0
    wrong = replace(draw, correct=np.zeros_like(draw.correct))
    gain = dir_gain_over_people([wrong], [draw], people, 0.05, rounds=50)
    alone = open_set_rates([draw], people, 0.05, rounds=50)
    with pytest.raises(ValueError, match="same people"):
        dir_gain_over_people([draw], [made(5, known=31)[0]], people, 0.05)
    # A rate's interval is at least as wide as Wilson's; a difference is no rate.
    assert gain.value == alone.dir.value
    assert alone.dir.low <= gain.low <= gain.high <= alone.dir.high


def test_a_gain_has_a_narrower_interval_than_either_rate():
    draw, people = made(7)
    generator = np.random.default_rng(1)
    better = replace(draw, correct=draw.correct | (generator.random(len(draw.correct)) < 0.5))
    gain = dir_gain_over_people([draw], [better], people, 0.05)
    alone = open_set_rates([draw], people, 0.05)
    assert 0 < gain.low < gain.value < gain.high
    assert gain.high - gain.low < alone.dir.high - alone.dir.low
