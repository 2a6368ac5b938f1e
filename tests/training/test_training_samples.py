"""Training samples: validated on construction."""

from __future__ import annotations

import numpy as np
import pytest

from mien.training import Samples
from sphere import people_at


def samples():
    faces, labels = people_at([2, 1, 3])
    return Samples.of(faces, faces[::-1].copy(), np.ones(6, np.float32), labels, 3)


def test_counts_and_parts():
    found = samples()
    assert len(found) == 6
    assert found.counts.tolist() == [2, 1, 3]
    some = found.take(np.array([True, False, True, True, False, False]))
    assert (some.labels.tolist(), some.people) == ([0, 1, 2], 3)
    assert np.array_equal(some.faces, found.faces[[0, 2, 3]])


def test_without_renumbers_the_other_people():
    found = samples().without(np.array([False, True, False]))
    assert found.labels.tolist() == [0, 0, 1, 1, 1]
    assert found.people == 2
    assert np.array_equal(found.faces, samples().faces[[0, 1, 3, 4, 5]])


@pytest.mark.parametrize(
    "change",
    [
        {"mirrored": np.zeros((5, 32), np.float32)},
        {"faces": np.zeros((6, 32), np.float64)},
        {"labels": np.zeros(5, np.int64)},
        {"quality": np.zeros(5, np.float32)},
        {"people": 4},
    ],
)
def test_invalid_arrays_are_refused(change):
    found = samples()
    given = {
        "faces": found.faces,
        "mirrored": found.mirrored,
        "quality": np.ones(6, np.float32),
        "labels": found.labels,
        "people": 3,
    }
    with pytest.raises(ValueError, match=r"embeddings|photo"):
        Samples.of(**{**given, **change})
