"""Leave-one-out equals training again without each photo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.errors import TooFewPeople
from mien.training import Samples, fit_prototype, leave_one_out
from sphere import sphere_dataset


def hard_dataset():
    """Return people who are easily confused, with photos set aside, dropped and duplicated."""
    dataset = sphere_dataset([4] * 12 + [1, 2], seed=8, spread=1.6)
    entries = list(dataset.entries)
    entries[0] = replace(entries[0], status="set-aside", reason="low-quality")
    entries[5] = replace(entries[5], status="set-aside", reason="dropped")
    # Photo 9 is a near-duplicate of photo 8.
    entries[8] = replace(entries[8], group=entries[8].id)
    entries[9] = replace(
        entries[9], group=entries[8].id, status="set-aside", reason="near-duplicate"
    )
    return replace(dataset, entries=tuple(entries))


def by_training_again(dataset):
    """Return the names given by training a head on all other photos, for each photo."""
    correct = {}
    for row, entry in enumerate(dataset.rows):
        if entry.reason in {"dropped", "leak"}:
            continue
        group = entry.group or entry.id
        alike = np.array([(e.group or e.id) == group for e in dataset.rows])
        kept = dataset.usable & ~alike
        if not kept[dataset.labels == dataset.labels[row]].any():
            continue
        people, labels = np.unique(dataset.labels[kept], return_inverse=True)
        samples = Samples.of(
            dataset.embeddings[kept],
            dataset.mirrored[kept],
            dataset.quality[kept],
            labels,
            len(people),
        )
        who = people[np.argmax(fit_prototype(samples).rows @ dataset.embeddings[row])]
        correct[entry.photo] = dataset.people[who] == entry.person, dataset.people[who]
    return correct


def test_equals_training_again_without_each_photo():
    dataset = hard_dataset()
    found = leave_one_out(dataset)
    expected = by_training_again(dataset)
    assert found.total == len(expected)
    assert found.correct == sum(right for right, _ in expected.values())
    assert dict(found.wrong) == {
        photo: who for photo, (right, who) in expected.items() if not right
    }
    assert 0.2 < found.rate.value < 0.95  # neither trivial nor hopeless
    assert found.rate.low < found.rate.value < found.rate.high


def test_well_separated_people_are_all_right():
    found = leave_one_out(sphere_dataset([3] * 5, spread=0.2))
    assert (found.correct, found.total, found.wrong) == (15, 15, ())


def test_the_split_does_not_matter():
    one = leave_one_out(sphere_dataset([4] * 5, spread=1.5))
    assert leave_one_out(sphere_dataset([4] * 5, spread=1.5, validation=2)) == one


def test_people_without_a_usable_photo_are_never_named():
    # Photos at 0°, 130°, 250° and 250°: the first two are more than 90° from all others, so that
    # a row of zeros would be more similar than any.
    dataset = sphere_dataset([2, 2, 1], dimension=2)
    angles = np.deg2rad([0, 130, 250, 250, 40])
    faces = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    entries = list(dataset.entries)
    entries[4] = replace(entries[4], status="set-aside", reason="low-quality")
    dataset = replace(dataset, embeddings=faces, mirrored=faces, entries=tuple(entries))
    assert {name for _, name in leave_one_out(dataset).wrong} == {"person 0001"}


def test_no_person_with_two_photos_is_refused():
    with pytest.raises(TooFewPeople) as caught:
        leave_one_out(sphere_dataset([1, 1, 1]))
    assert caught.value.hint


def test_progress_reaches_its_total():
    calls = []
    leave_one_out(hard_dataset(), progress=lambda *news: calls.append(news))
    assert calls[-1][0] == calls[-1][1] == len(hard_dataset().rows)
