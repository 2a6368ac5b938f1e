"""McNemar's exact test against hand-worked cases and exact binomial sums."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.measures import mcnemar


def answers(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    a = [True] * both + [True] * only_a + [False] * only_b + [False] * neither
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return np.array(a, bool), np.array(b, bool)


def test_eight_against_two_by_hand():
    """Twice the chance of at most two heads in ten: 2 · (1 + 10 + 45) of 1,024."""
    assert mcnemar(*answers(90, 8, 2, 5)) == pytest.approx(0.109375)


def test_equal_recognizers_have_a_p_value_of_one():
    assert mcnemar(*answers(5, 0, 0, 2)) == 1
    assert mcnemar(*answers(0, 3, 3, 0)) == 1


def test_other_lengths_are_refused():
    with pytest.raises(ValueError, match="differ"):
        mcnemar(np.ones(3, bool), np.ones(4, bool))


counts = st.integers(0, 300)


@given(counts, counts, counts, counts)
def test_equals_the_binomial_sum_and_ignores_shared_results(both, only_a, only_b, neither):
    n, least = only_a + only_b, min(only_a, only_b)
    exact = min(Fraction(1), Fraction(2 * sum(comb(n, k) for k in range(least + 1)), 2**n))
    a, b = answers(both, only_a, only_b, neither)
    assert mcnemar(a, b) == pytest.approx(float(exact), rel=1e-9)
    assert mcnemar(a, b) == mcnemar(b, a)
