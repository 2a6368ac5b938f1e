from dataclasses import replace

import hand_worked as hand
import numpy as np
import pytest

from mien.errors import ContractMismatch, NothingToMeasure
from mien.evaluation import evaluate_head
from mien.evaluation.identification.error_cases import (
    borderline_cases,
    stranger_cases,
    wrong_cases,
)
from mien.measures import wilson, wilson_of_parts
from mien.text import percent
from mien.types import Interval


@pytest.fixture
def result():
    return evaluate_head(hand.head(), hand.dataset(hand.PHOTOS, faceless=2))


def test_rates_by_hand(result):
    assert result.all_probes.probes == 5
    assert result.all_probes.rank1 == wilson(4, 5)
    assert result.all_probes.rank5 == wilson(5, 5)
    assert result.usable_probes.probes == 4
    assert result.usable_probes.rank1 == wilson(3, 4)
    assert (result.decisions.right, result.decisions.unknown, result.decisions.wrong) == (3, 1, 1)
    assert result.faceless == 2


def test_people_left_out_in_turn_by_hand(result):
    open_set = result.open_set
    assert open_set.protocol == "left-out"
    assert (open_set.gallery, open_set.probes, open_set.strangers) == (2, 5, 5)
    # Without their own person: 0.643, 0.940, 0.500, 0.087, -0.423; one is over 0.8.
    assert open_set.scores == pytest.approx(np.cos(np.deg2rad([50, 20, 60, 85, 115])), abs=1e-6)
    # Each stranger has weight 1: one of Ann's two photos is named, Ben and Cyd are unknown.
    assert open_set.stranger_people == 3
    assert open_set.shares.tolist() == [0.5, 0.5, 1.0, 0.5, 0.5]
    assert open_set.policy.fpir == wilson_of_parts(0.5, 3)
    assert open_set.fpir_people.value == pytest.approx(0.5 / 3)
    assert open_set.policy.dir == wilson(3, 5)
    assert open_set.policy.threshold == pytest.approx(0.8)
    assert open_set.halves == ()


def test_calibration_error_by_hand(result):
    # The five photos of known people have weight 1/10 each; the three strangers 1/6 each: the two
    # photos of Ann and of Cyd 1/12 each.
    # Probability 1: known 0.985, 0.940 (wrong), 1.000, 0.906, and one photo of Ann as a stranger.
    sure, right = 4 / 10 + 1 / 12, 3 / 10
    # Probability 0: known 0.574 (right) and the other photos of strangers.
    unsure, missed = 1 / 10 + 5 / 12, 1 / 10
    assert [b.accuracy for b in result.bins] == pytest.approx([missed / unsure, right / sure])
    assert result.ece == pytest.approx((sure - right) + missed, abs=1e-6)


def test_people_and_pairs_by_hand(result):
    ann, cyd, ben = result.people
    assert (ann.person, ann.photos, ann.probes, ann.right, ann.named) == ("Ann", 1, 2, 1, 1)
    assert ann.taken_for == ("Ben",)
    assert (cyd.person, cyd.probes, cyd.right, cyd.named) == ("Cyd", 2, 2, 1)
    assert (ben.person, ben.probes, ben.right, ben.named) == ("Ben", 1, 1, 1)
    assert ann.similarity == pytest.approx(np.cos(np.deg2rad([10, 40])).mean())
    first = result.confusable[0]
    assert (first.first, first.second, first.mistakes) == ("Ann", "Ben", 1)
    assert first.similarity == pytest.approx(0.5)
    assert [(a, b, rates.probes) for a, b, rates in result.by_photos] == [
        (1, 1, 2),
        (2, 2, 1),
        (5, 9, 2),
    ]


def test_error_cases_by_hand(result):
    (wrong,) = wrong_cases(result)
    assert (wrong.true, wrong.nearest, wrong.rank, wrong.named) == ("Ann", "Ben", 2, True)
    assert wrong.similarity == pytest.approx(np.cos(np.deg2rad(20)), abs=1e-6)
    assert wrong.own == pytest.approx(np.cos(np.deg2rad(40)), abs=1e-6)
    assert any("label may be wrong" in line for line in wrong.evidence)
    assert any("one training photo" in line for line in wrong.evidence)
    (doubtful,) = borderline_cases(result)
    assert (doubtful.true, doubtful.nearest, doubtful.named) == ("Cyd", "Cyd", False)
    assert doubtful.evidence == ("set aside: low-quality",)
    assert stranger_cases(result) == []


def test_strangers_by_hand():
    strangers = hand.dataset(
        [
            ("Dan", 30, "train", ""),  # 0.866 to Ann and Ben: given a name
            ("Eve", 270, "train", ""),  # 0.000 to Ann: unknown
            ("Eve", 60, "train", "duplicate"),  # set aside
            ("Ben", 60, "train", ""),  # known
        ]
    )
    result = evaluate_head(hand.head(), hand.dataset(hand.PHOTOS), strangers=strangers)
    open_set = result.open_set
    assert open_set.protocol == "strangers"
    assert (open_set.gallery, open_set.strangers, open_set.stranger_people) == (3, 2, 2)
    assert open_set.policy.fpir == wilson(1, 2)
    assert open_set.policy.dir == wilson(3, 5)
    assert any("knows 1 person of the dataset of strangers" in note.text for note in result.caveats)
    (named,) = stranger_cases(result)
    assert (named.true, named.own, named.rank) == ("Dan", None, 0)


def test_caveat_about_strangers_that_the_policy_was_chosen_on():
    # The policy was chosen on ten photos: ten strangers, or nine and Ann of the gallery.
    for count, noted in ((10, True), (9, True), (11, False)):
        photos = [(f"stranger {i}", 200 + i, "train", "") for i in range(count)]
        strangers = hand.dataset(photos)
        result = evaluate_head(hand.head(), hand.dataset(hand.PHOTOS), strangers=strangers)
        assert (
            any("The policy was chosen on 10 photos" in note.text for note in result.caveats)
            == noted
        )


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (0.5, "agree within the interval"),
        (0.001, "Believe what was measured"),
        (0.999, "less alike"),
    ],
)
def test_caveat_compares_the_rate_of_the_card_with_the_measured_rate(expected, said):
    head = hand.head()
    policy = replace(head.policy, basis="card", expected=Interval(expected, 0, 1))
    strangers = hand.dataset([("Dan", 30, "train", ""), ("Eve", 270, "train", "")])
    photos = hand.dataset(hand.PHOTOS)
    result = evaluate_head(replace(head, policy=policy), photos, strangers=strangers)
    assert result.open_set.policy.fpir == wilson(1, 2)
    (note,) = [note for note in result.caveats if "card" in note.text]
    assert said in note.text
    assert "Measured here: 50.00" in note.text
    assert not any("The policy was chosen on" in note.text for note in result.caveats)
    # An unsupported policy was raised on strangers, which may be the same ones.
    raised = replace(policy, supported=False, strangers=2)
    result = evaluate_head(replace(head, policy=raised), photos, strangers=strangers)
    assert any("The policy was chosen on 2 photos" in note.text for note in result.caveats)


def test_each_stranger_has_the_same_weight():
    # Nine photos of Dan look like Ann; one photo each of Eve and Fay looks like no person known.
    photos = [("Dan", 1 + i, "train", "") for i in range(9)]
    photos += [("Eve", 270, "train", ""), ("Fay", 280, "train", "")]
    strangers = hand.dataset(photos)
    open_set = evaluate_head(hand.head(), hand.dataset(hand.PHOTOS), strangers=strangers).open_set
    assert open_set.policy.fpir == wilson(1, 3)  # not 9 of 11
    assert open_set.fpir_people.value == pytest.approx(1 / 3)
    at = np.searchsorted(-open_set.curve.thresholds, -0.8, side="right") - 1
    assert open_set.curve.fpir[at] == pytest.approx(1 / 3)


def test_names_in_another_spelling_are_known():
    strangers = hand.dataset([("ANN", 5, "train", ""), ("Dan", 270, "train", "")])
    result = evaluate_head(hand.head(), hand.dataset(hand.PHOTOS), strangers=strangers)
    assert result.open_set.stranger_people == 1
    assert result.open_set.policy.fpir == wilson(0, 1)
    assert any("knows 1 person of the dataset of strangers" in note.text for note in result.caveats)


def test_people_with_two_names_are_not_counted_as_strangers():
    photos = hand.dataset(hand.PHOTOS)
    same = {"same_person": [{"people": ["Ann", "Ben"], "similarity": 0.9}]}
    result = evaluate_head(hand.head(), replace(photos, card=same))
    assert (result.open_set.stranger_people, result.open_set.strangers) == (1, 2)
    assert result.open_set.policy.fpir == wilson(0, 1)
    assert result.all_probes.probes == 5
    assert any("lists 2 people who may be in the" in note.text for note in result.caveats)


def test_people_that_the_recognizer_does_not_know_are_strangers():
    photos = [*hand.PHOTOS, ("Zoe", 300, "train", ""), ("Zoe", 310, "validation", "")]
    result = evaluate_head(hand.head(), hand.dataset(photos))
    assert result.open_set.protocol == "strangers"
    assert result.open_set.strangers == 2
    assert result.all_probes.probes == 5
    assert any("Not used as probes: 1 held-out photo of" in note.text for note in result.caveats)


def test_the_order_of_photos_and_of_people_does_not_matter(result):
    expected = result.to_dict()
    photos = hand.dataset(hand.PHOTOS[::-1])
    assert evaluate_head(hand.head(), photos).to_dict() == expected
    head = hand.head()
    turned = replace(
        head,
        people=head.people[::-1],
        prototypes=np.ascontiguousarray(head.prototypes[::-1]),
        photos=np.ascontiguousarray(head.photos[::-1]),
    )
    assert evaluate_head(turned, photos).to_dict() == expected


def test_other_names_give_the_same_numbers(result):
    names = dict(zip(hand.NAMES, ("Österreich", "אבג", "x" * 300), strict=True))
    photos = [(names[person], *rest) for person, *rest in hand.PHOTOS]
    again = evaluate_head(hand.head(names.values()), hand.dataset(photos)).to_dict()
    expected = result.to_dict()
    assert again == expected


def test_json_fields_by_hand(result):
    found = result.to_dict()
    assert found["rank1"] == pytest.approx(0.8)
    assert found["rank1_interval"] == [wilson(4, 5).low, wilson(4, 5).high]
    assert (found["rank5"], found["probes"], found["people"]) == (1.0, 5, 3)
    assert (
        found["open_set"].items()
        >= {
            "fpir_target": 0.01,
            "fpir": pytest.approx(0.5 / 3),
            "fpir_interval": [wilson_of_parts(0.5, 3).low, wilson_of_parts(0.5, 3).high],
            "dir": 0.6,
            "gallery": 2,
            "probes": 5,
            "strangers": 5,
        }.items()
    )
    assert found["open_set"]["stranger_people"] == 3
    assert found["ece"] == pytest.approx(0.4 + 1 / 12 - 0.3 + 0.1, abs=1e-6)


def test_threshold_of_one_half_of_the_strangers_is_measured_on_the_other():
    generator = np.random.default_rng(5)
    strangers = hand.dataset(
        [(f"stranger {i}", float(generator.uniform(180, 320)), "train", "") for i in range(400)]
    )
    head = hand.head(rate=0.1, threshold=0.2)
    open_set = evaluate_head(head, hand.dataset(hand.PHOTOS), strangers=strangers).open_set
    assert len(open_set.halves) == 2
    # The policy is measured at its own threshold, independent of the halves.
    assert open_set.policy.threshold == pytest.approx(0.2)
    for half in open_set.halves:
        assert half.fpir.low <= 0.1 <= half.fpir.high


def test_one_person_and_no_stranger():
    head = hand.head()
    alone = replace(
        head,
        people=("Ann",),
        prototypes=head.prototypes[:1].copy(),
        photos=head.photos[:1].copy(),
    )
    photos = [("Ann", 0, "train", ""), ("Ann", 10, "validation", "")]
    result = evaluate_head(alone, hand.dataset(photos))
    assert result.open_set is None
    assert result.to_dict()["open_set"] is None
    assert result.to_dict()["rank1"] == 1.0


def test_mirrored_copies_are_reported_as_a_leak_and_not_counted():
    photos = [*hand.PHOTOS, ("Ann", 1, "validation", "leak")]
    result = evaluate_head(hand.head(), hand.dataset(photos))
    assert result.all_probes.probes == 5
    (note,) = [note for note in result.caveats if "leak" in note.text]
    assert percent(5 / 6) in note.text  # 5 of 6


def test_another_contract_is_refused():
    with pytest.raises(ContractMismatch):
        evaluate_head(hand.head(), hand.dataset(hand.PHOTOS, contract="other"))
    other = hand.dataset([("Dan", 30, "train", "")], contract="other")
    with pytest.raises(ContractMismatch):
        evaluate_head(hand.head(), hand.dataset(hand.PHOTOS), strangers=other)


def test_caveat_about_another_training_dataset():
    photos = hand.dataset(hand.PHOTOS)
    same = evaluate_head(hand.head(), photos, trained_on=photos.digest)
    other = evaluate_head(hand.head(), photos, trained_on="e" * 64)
    assert not any("another dataset" in note.text for note in same.caveats)
    assert any("another dataset (eeeeeeeeeeee)" in note.text for note in other.caveats)


@pytest.mark.parametrize(
    "photos", [hand.PHOTOS[:3], [("Zoe", 0, "train", ""), ("Zoe", 1, "validation", "")]]
)
def test_nothing_to_measure(photos):
    with pytest.raises(NothingToMeasure):
        evaluate_head(hand.head(), hand.dataset(photos))


def test_strangers_that_are_all_known_are_refused():
    known = hand.dataset([("Ben", 60, "train", "")])
    with pytest.raises(NothingToMeasure, match="every person"):
        evaluate_head(hand.head(), hand.dataset(hand.PHOTOS), strangers=known)
