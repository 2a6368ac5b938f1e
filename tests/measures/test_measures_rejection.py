import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.measures import error_versus_reject


def test_by_hand():
    # Two of the three errors are the two items of lowest quality.
    wrong = [True, True, False, False, True, False, False, False, False, False]
    quality = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    points = error_versus_reject(wrong, quality, shares=(0.0, 0.1, 0.2, 0.25, 0.5))
    assert [p.error.value for p in points] == [0.3, pytest.approx(2 / 9), 1 / 8, 1 / 8, 0.0]
    assert [p.rejected for p in points] == [0.0, 0.1, 0.2, 0.2, 0.5]
    assert points[2].quality == 0.3


def test_equal_qualities_stay_together():
    points = error_versus_reject([True, False, False, False], [0.5] * 4, shares=(0.0, 0.5))
    assert [p.rejected for p in points] == [0.0, 0.0]
    with pytest.raises(ValueError, match="errors"):
        error_versus_reject([], [])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1), st.randoms())
def test_order_has_no_effect(rows, random):
    mixed = list(rows)
    random.shuffle(mixed)
    one, two = (error_versus_reject(*map(list, zip(*r, strict=True))) for r in (rows, mixed))
    assert one == two
    assert one[0].error.value == pytest.approx(np.mean([wrong for wrong, _ in rows]))
