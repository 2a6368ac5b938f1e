"""Strangers who are likely people of the gallery under another name."""

from __future__ import annotations

import numpy as np
import pytest

from mien.models.cards import DEFAULT_EMBEDDER, card
from mien.models.statistics import EmbedderStatistics
from mien.policy import find_likely_known, likely_known_notice
from sphere import people_at

CARD = card(DEFAULT_EMBEDDER)
STATISTICS = EmbedderStatistics(CARD.impostors, genuine=CARD.genuine)
COUNTS = np.full(40, 3, np.int64)


@pytest.fixture(scope="module")
def gallery():
    """Return prototypes of 40 people, and two photos each of 200 strangers, as unit rows."""
    faces, _ = people_at([1] * 240, seed=3, spread=0.2, dimension=128)
    strangers = np.repeat(faces[40:], 2, axis=0)
    return faces[:40], strangers, np.repeat(np.arange(200), 2)


def test_a_known_person_under_another_name_is_found_and_named(gallery):
    rows, strangers, labels = gallery
    # Strangers 7 and 90 are the people 3 and 21: each photo is a little different.
    generator = np.random.default_rng(0)
    strangers = strangers.copy()
    for stranger, person in ((7, 3), (90, 21)):
        noise = generator.normal(scale=0.04, size=(2, rows.shape[1]))
        photos = rows[person] + noise
        strangers[labels == stranger] = photos / np.linalg.norm(photos, axis=1, keepdims=True)
    found = find_likely_known(strangers, labels, rows, COUNTS, 0.01, STATISTICS)
    assert {(one.stranger, one.person) for one in found} == {(7, 3), (90, 21)}
    assert found[0].similarity >= found[1].similarity > 0.5
    notice = likely_known_notice(found, [f"person {p}" for p in range(40)])
    assert notice.code == "strangers-likely-known"
    assert "2 of the strangers" in notice.text
    assert "7 (as person 3)" in notice.text
    assert [one["person"] for one in notice.data["left_out"]] == [
        f"person {one.person}" for one in found
    ]


def test_strangers_stay_strangers(gallery):
    rows, strangers, labels = gallery
    assert find_likely_known(strangers, labels, rows, COUNTS, 0.01, STATISTICS) == ()


def test_nothing_is_left_out_without_statistics(gallery):
    rows, _, _ = gallery
    assert find_likely_known(rows, None, rows, COUNTS, 0.01, None) == ()
    assert len(find_likely_known(rows, None, rows, COUNTS, 0.01, STATISTICS)) == 40


def test_a_large_gallery_takes_the_similarity_of_two_entries_of_one_person(gallery):
    """The card does not state how seldom a stranger is as similar to anyone of so many."""
    rows, _, _ = gallery
    many = np.full(1_000_000, 3, np.int64)
    near = rows[:1] * 0.55 + rows[1:2] * np.sqrt(1 - 0.55**2)
    near /= np.linalg.norm(near)
    few = find_likely_known(near, None, rows[:1], COUNTS, 0.01, STATISTICS)
    assert len(few) == 1
    assert find_likely_known(near, None, rows[:1], many, 0.01, STATISTICS) == ()
    (found,) = find_likely_known(rows[:1], None, rows, many, 0.01, STATISTICS)
    assert (found.stranger, found.person) == (0, 0)
    # Where that similarity is not calibrated either, none is found.
    bare = EmbedderStatistics(CARD.impostors)
    assert find_likely_known(rows[:1], None, rows, many, 0.01, bare) == ()


def test_a_long_list_is_cut(gallery):
    rows, _, _ = gallery
    found = find_likely_known(rows, None, rows, COUNTS, 0.01, STATISTICS)
    text = likely_known_notice(found, [f"person {p}" for p in range(40)]).text
    assert text.endswith("and 35 more.")
