"""How alike the people of a gallery look: all comparisons of their photos, and the card's."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest

from mien.models.statistics import ImpostorStatistics
from mien.policy import ImpostorHistogram, OwnPeople, Strangers
from mien.policy.own_people import MOST_PAIRS, PRIOR_PAIRS, shift_of
from sphere import people_at

CARD = ImpostorStatistics(
    measured_on="made-up people",
    false_match_rate=(0.1, 0.01, 0.001),
    template_photos=(1,),
    similarity=((0.2, 0.3, 0.4),),
)
COUNTS = np.ones(10, np.int64)


def histogram(faces, rows, weights=None, own=None):
    made = ImpostorHistogram()
    weights = np.ones(len(faces)) if weights is None else np.asarray(weights)
    made.add(np.asarray(faces, np.float32), np.asarray(rows, np.float32), weights, own)
    return made


def test_the_similarity_of_a_share_by_hand():
    # Four comparisons: 0.9, 0.6, 0.3 and -0.5, each in a bin of 0.0005.
    cosines = np.array([0.9, 0.6, 0.3, -0.5])
    rows = np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1)
    found = histogram([[1, 0]], rows)
    for share, cosine in ((0.25, 0.9), (0.5, 0.6), (0.75, 0.3), (1.0, -0.5)):
        assert found.similarity_at(share) == pytest.approx(cosine, abs=6e-4)
    # A face that counts three times as much as another.
    weighted = histogram([[1, 0], [0, 1]], [[0.6, 0.8]], [3, 1])
    assert weighted.similarity_at(0.25) == pytest.approx(0.8, abs=6e-4)
    assert weighted.similarity_at(0.26) < 0.7
    assert weighted.similarity_at(0.9) == pytest.approx(0.6, abs=6e-4)


def test_the_ends_of_the_scale_are_counted():
    found = histogram([[1, 0]], [[1, 0], [-1, 0]])
    assert found.similarity_at(0.5) == pytest.approx(1, abs=6e-4)
    assert found.similarity_at(1.0) == pytest.approx(-1, abs=6e-4)


def test_a_person_is_not_compared_with_the_own_prototype():
    rows = np.eye(3)[:, [0, 1, 2]]
    faces = 0.8 * rows + 0.6 * rows[[1, 2, 0]]
    alone = histogram(faces, rows, own=np.arange(3))
    # Of six comparisons with others three are 0.6, the rest 0.
    assert alone.similarity_at(0.5) == pytest.approx(0.6, abs=6e-4)
    assert alone.similarity_at(0.01) == pytest.approx(0.6, abs=6e-4)
    assert histogram(faces, rows).similarity_at(0.01) == pytest.approx(0.8, abs=6e-4)


def test_more_faces_than_one_block_and_several_calls():
    faces, _ = people_at([1] * 2_300, seed=1, dimension=16)
    rows, _ = people_at([1] * 20, seed=2, dimension=16)
    own = np.arange(2_300) % 20
    once = histogram(faces, rows, own=own)
    cosines = faces @ rows.T
    cosines[np.arange(2_300), own] = -2
    others = np.sort(cosines[cosines > -1.5])[::-1]
    for share in (0.001, 0.01, 0.1, 0.5):
        exact = others[int(share * len(others))]
        assert once.similarity_at(share) == pytest.approx(exact, abs=2e-3)
    parts = ImpostorHistogram()
    for part in (slice(0, 700), slice(700, None)):
        parts.add(faces[part], rows, np.ones(2_300)[part], own[part])
    assert parts.similarity_at(0.01) == pytest.approx(once.similarity_at(0.01))


def test_without_a_comparison_no_similarity_is_known():
    assert ImpostorHistogram().similarity_at(0.1) is None
    assert histogram([[1, 0]], [[1, 0]], own=np.array([0])).similarity_at(0.1) is None


def own_people(similarity, people=10):
    """Return people any two of whom are of one similarity."""
    made = histogram([[1, 0]], [[similarity, np.sqrt(1 - similarity**2)]] * 5)
    strangers = Strangers(np.full((people, 1), similarity), np.ones(people), people, people - 1, "")
    return OwnPeople(strangers, made)


def test_the_shift_by_hand():
    own = own_people(0.5)
    assert own.pairs == 45
    # A tenth of the card's comparisons reach 0.2; here all are at 0.5. The card counts as 30 pairs.
    found = shift_of(own, COUNTS, CARD)
    assert found.value == pytest.approx(45 / 75 * 0.3, abs=1e-3)
    assert shift_of(own_people(0.0), COUNTS, CARD).value == pytest.approx(-45 / 75 * 0.2, abs=1e-3)
    normal = NormalDist()
    z, stricter = -normal.inv_cdf(0.1), -normal.inv_cdf(0.01)
    noise = sqrt(0.1 * 0.9) / normal.pdf(z) * 0.1 / (stricter - z)
    assert found.deviation == pytest.approx(noise / sqrt(75))
    # Of more pairs the value is more their own, and no surer than of three hundred.
    many = shift_of(own_people(0.5, 1_000), COUNTS, CARD)
    assert many.value == pytest.approx(0.3, abs=2e-3)
    assert many.deviation == pytest.approx(noise / sqrt(MOST_PAIRS + PRIOR_PAIRS))


def test_without_people_the_shift_is_not_known():
    alone = shift_of(None, COUNTS, CARD)
    assert alone.value == 0
    assert alone.deviation == pytest.approx(shift_of(own_people(0.2), COUNTS, CARD).deviation
                                            * sqrt(75 / 30))  # fmt: skip
    one_rate = ImpostorStatistics("made-up people", (0.1,), (1,), ((0.2,),))
    assert shift_of(own_people(0.5), COUNTS, one_rate) == type(alone)(0.0, 0.0)
