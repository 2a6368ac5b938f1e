"""Training of heads end to end, on synthetic people on a sphere."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import mien
from mien.cli.hints import hint_of
from mien.errors import TooFewPeople
from mien.evaluation import evaluate_head
from mien.measures import wilson
from mien.training import fit_prototype, train_head
from mien.training.trainer import training_samples
from mien.types import Calibration
from sphere import SFACE, people_at, sphere_dataset

CARD = SFACE


@pytest.fixture(scope="module")
def friends():
    return sphere_dataset([6] * 40, seed=1, spread=0.7, validation=2)


@pytest.fixture(scope="module")
def training(friends):
    strangers, _ = people_at([1] * 2000, seed=50)
    return train_head(friends, strangers=strangers, stranger_source="passers-by")


def test_head_of_the_training_side(friends, training):
    head = training.head
    assert head.people == friends.people
    assert head.photos.tolist() == [4] * 40  # the training side only
    assert head.contract == "c"
    assert head.kind == "prototype"
    samples, _ = training_samples(friends)
    assert np.array_equal(head.prototypes, fit_prototype(samples).rows)


def test_training_report(training):
    report = json.loads(json.dumps(training.report, allow_nan=False))
    assert (report["people"], report["photos"], report["held_out"]) == (40, 160, 160)
    assert sum(row["chosen"] for row in report["cross_validation"]) == 1
    policy = report["policy"]
    assert (policy["supported"], policy["basis"]) == (True, "strangers")
    assert policy["stranger_people"] == 2040
    assert policy["strangers_needed"] == 300
    assert policy["expected"]["value"] <= 0.01
    assert "2,000 of passers-by" in policy["source"]
    assert report["probability"]["ece"] < 0.05
    assert report["warning_codes"] == ["threshold-of-even-odds"]
    groups = {group["source"]: group for group in policy["groups"]}
    assert groups["passers-by"]["people"] == 2000
    assert groups["passers-by"]["rate"]["value"] <= 0.01
    assert groups["this gallery's own people, each left out in turn"]["threshold"] is None


def test_rates_hold_on_new_strangers_and_photos(friends, training):
    head = training.head
    strangers, _ = people_at([1] * 4000, seed=51)
    best = (strangers @ head.prototypes.T).max(axis=1)
    named = wilson(int(np.sum(best >= np.float32(head.policy.threshold))), len(best))
    assert named.low <= 0.01
    assert named.high >= 0.005
    result = evaluate_head(head, friends)
    assert result.all_probes.rank1.value > 0.97
    assert result.ece < 0.05


def test_the_order_of_the_manifest_changes_nothing(friends, training):
    order = np.random.default_rng(0).permutation(len(friends.entries))
    entries = [replace(friends.entries[old], row=new) for new, old in enumerate(order)]
    shuffled = replace(
        friends,
        entries=tuple(entries),
        embeddings=friends.embeddings[order],
        mirrored=friends.mirrored[order],
    )
    strangers, _ = people_at([1] * 2000, seed=50)
    again = train_head(shuffled, strangers=strangers, stranger_source="passers-by")
    assert np.array_equal(again.head.prototypes, training.head.prototypes)
    assert again.report == training.report


def test_validation_side_is_not_used(friends):
    faces = friends.embeddings.copy()
    faces[friends.validation] = np.roll(faces[friends.validation], 1, axis=0)
    spoiled = replace(friends, embeddings=faces)
    one, other = (train_head(each, statistics=CARD) for each in (friends, spoiled))
    assert np.array_equal(one.head.prototypes, other.head.prototypes)
    assert one.report == other.report


@pytest.mark.parametrize("head", ["softmax", "margin"])
def test_learned_heads_and_their_seed(friends, head):
    one, again = (train_head(friends, head=head, statistics=CARD, seed=7) for _ in range(2))
    assert np.array_equal(one.head.prototypes, again.head.prototypes)
    assert one.report == again.report
    assert one.head.kind == head
    assert one.report["loss"][0] > one.report["loss"][-1] > 0
    # The card's statistics do not apply to learned heads, and forty people are too few.
    assert not one.head.policy.supported
    assert evaluate_head(one.head, friends).all_probes.rank1.value > 0.95


def test_photos_set_aside_are_not_learned_from(friends):
    entries = list(friends.entries)
    entries[0] = replace(entries[0], status="set-aside", reason="low-quality")
    head = train_head(replace(friends, entries=tuple(entries)), statistics=CARD).head
    assert head.photos.tolist() == [3] + [4] * 39


def test_each_stranger_has_the_same_weight(friends):
    strangers, labels = people_at([10] * 5 + [1] * 400, seed=60)
    policy = train_head(friends, strangers=strangers, stranger_people=labels).report["policy"]
    assert policy["stranger_people"] == 445
    assert policy["strangers"] == 160 + 450


def test_few_people_and_the_card():
    small = sphere_dataset([2, 2], spread=0.2)
    training = train_head(small, statistics=CARD)
    assert not training.head.policy.supported
    assert training.head.policy.basis == "card"
    few, typical = training.report["warnings"]
    assert "or 20 people in the gallery, to see how alike they look" in few
    assert "of strangers say little" in typical
    assert training.report["probability"]["ece"] is None


def test_few_people_and_nothing_else():
    training = train_head(sphere_dataset([2, 2, 2], spread=0.2))
    assert not training.head.policy.supported
    assert any("297 too few" in warning for warning in training.report["warnings"])


def test_one_person():
    with pytest.raises(TooFewPeople, match="no impostors to choose a threshold on"):
        train_head(sphere_dataset([3]))
    assert train_head(sphere_dataset([3]), statistics=CARD).head.people == ("person 0000",)
    strangers, _ = people_at([1] * 300)
    assert train_head(sphere_dataset([3]), strangers=strangers).head.policy.supported


def test_people_with_one_photo_each():
    training = train_head(sphere_dataset([1] * 30), statistics=CARD)
    assert training.head.photos.tolist() == [1] * 30
    assert training.report["cross_validation"] == []
    assert training.report["held_out"] == 0


def test_no_photo_to_train_on(friends):
    entries = tuple(replace(entry, split="validation") for entry in friends.entries)
    with pytest.raises(TooFewPeople, match="no usable photo on the training side") as caught:
        train_head(replace(friends, entries=entries))
    assert "manifest.csv" in caught.value.hint
    assert f"mien dataset review {friends.path}" in hint_of(caught.value)


def test_empty_strangers_are_refused(friends):
    with pytest.raises(TooFewPeople, match="a crowd: no usable photo"):
        train_head(friends, strangers=np.zeros((0, 32), np.float32), stranger_source="a crowd")


def test_invalid_values_are_refused(friends):
    with pytest.raises(ValueError, match="between 0 and 1"):
        train_head(friends, false_positive_rate=0)
    with pytest.raises(ValueError, match="dimension"):
        train_head(friends, strangers=np.zeros((1, 5), np.float32))


def test_probabilities_begin_from_the_curve_of_the_embedder():
    few = sphere_dataset([1] * 6)  # nothing to hold out: the curve is the card's
    for slope in (10.0, 50.0):
        steep = replace(CARD, verification=Calibration(slope, -slope / 3))
        trained = train_head(few, head="prototype", statistics=steep)
        assert trained.head.calibration.slope == pytest.approx(0.9 * slope)
    trained = train_head(few, head="prototype", statistics=replace(CARD, verification=None))
    assert any("not calibrated for this embedder" in text for text in trained.report["warnings"])
    # Enough photos are fitted alone, and calibrate it.
    many = train_head(sphere_dataset([4] * 30), head="prototype")
    assert not any("not calibrated" in text for text in many.report["warnings"])
    assert many.report["probability"]["ece"] < 0.1


def test_options_of_another_kind_are_refused(friends):
    with pytest.raises(ValueError, match="head must be one of auto, prototype"):
        train_head(friends, head="svm")
    with pytest.raises(TypeError, match="path of its folder"):
        mien.train(None)
    with pytest.raises(TypeError, match="path of its folder"):
        mien.train(friends.embeddings)


def test_a_numpy_number_as_the_rate(friends):
    trained = train_head(friends, false_positive_rate=np.float32(0.25))
    assert type(trained.head.policy.false_positive_rate) is float
    json.dumps(trained.report)
