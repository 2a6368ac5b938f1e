"""Training and evaluation count strangers in the same way, so that their rates agree."""

from __future__ import annotations

import numpy as np
import pytest

from mien.evaluation import evaluate_head
from mien.measures import fpir_at
from mien.training import stranger_rows, train_head
from sphere import sphere_dataset


@pytest.fixture(scope="module")
def friends():
    return sphere_dataset([4] * 30, validation=1, seed=1)


def test_training_and_evaluation_measure_the_same_rate(friends):
    # 300 strangers; every tenth has twenty photos, so that counts of photos and people differ.
    others = sphere_dataset([20 if i % 10 == 0 else 1 for i in range(300)], seed=2, prefix="other")
    rows = stranger_rows(others, friends.people)
    training = train_head(
        friends,
        head="prototype",
        false_positive_rate=0.05,
        strangers=others.embeddings[rows],
        stranger_people=others.labels[rows],
        stranger_source="others",
    )
    head = training.head
    found = evaluate_head(head, friends, strangers=others).open_set
    own = 30 * np.mean(
        [
            np.mean(left_out_scores(head, friends, person) >= np.float32(head.policy.threshold))
            for person in range(30)
        ]
    )
    # The policy was chosen on the people of the gallery, left out in turn, and on the strangers.
    groups = training.report["policy"]["groups"]
    rates = {group["people"]: group["rate"]["value"] for group in groups}
    assert found.stranger_people == 300
    reached = fpir_at(found.scores, head.policy.threshold, people=others.labels[rows])
    assert rates[300] == pytest.approx(reached.value, abs=1e-6)
    # Of those who reach the threshold some have a name that is less likely than not.
    assert 0 < found.policy.fpir.value <= reached.value
    # Own people are searched among 29, the whole gallery has 30: 1 - (1 - F)^(30 / 29).
    own = 1 - (1 - own / 30) ** (30 / 29)
    assert rates[30] == pytest.approx(own, abs=1e-6)


def left_out_scores(head, friends, person):
    """Return the similarities of a person's training photos to the other people."""
    rows = friends.train & (friends.labels == person)
    scores = friends.embeddings[rows] @ head.prototypes.T
    scores[:, person] = -2
    return scores.max(axis=1)


def test_people_with_other_names_are_strangers(friends):
    others = sphere_dataset([2, 2], prefix="PERSON")  # two of ours, in capitals
    assert not stranger_rows(others, friends.people).any()
    assert stranger_rows(others, friends.people[1:]).tolist() == [True, True, False, False]
