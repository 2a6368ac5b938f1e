"""The decision rule: the requested rate holds at every size of the gallery."""

from __future__ import annotations

import numpy as np
import pytest
from spheres import CARD, DIMENSION, ORIGIN, enrolled, face_sample, faces, unit

from mien.gallery import Gallery, ImportedPerson
from mien.gallery.decision_rule import MAX_SAMPLE, _sample, derive_rule
from mien.gallery.person_matrix import PersonMatrix
from mien.measures.templates import FEW
from mien.policy import fit_calibration, typical_slope


def random_people(people, photos=2, seed=0, spread=0.6):
    """Return a gallery of random people as arrays."""
    rng = np.random.default_rng(seed)
    centres = unit(rng.normal(size=(people, DIMENSION)))

    def photo_of_each():
        return unit(centres + spread * rng.normal(size=centres.shape) / np.sqrt(DIMENSION))

    shots = [photo_of_each() for _ in range(photos)]
    rest = shots[1:] or shots
    return PersonMatrix(
        np.arange(1, people + 1),
        unit(sum(shots)),
        shots[0],
        unit(sum(rest)),
        np.full(people, photos),
    )


@pytest.mark.parametrize("people", [400, 3000])
@pytest.mark.parametrize("rate", [0.01, 0.05])
def test_strangers_are_named_at_the_requested_rate(people, rate):
    gallery = random_people(people)
    rule = derive_rule(gallery, rate, CARD)
    strangers = unit(np.random.default_rng(99).normal(size=(20_000, DIMENSION)))
    best = (strangers @ gallery.prototypes.T).max(axis=1)
    named = float((best >= rule.policy.threshold).mean())
    low, high = rule.policy.expected.low, rule.policy.expected.high
    assert low <= named <= high
    assert rule.policy.supported
    # The false positive rate of a similarity is the share of strangers who reach it.
    similarities = np.array([0.3, 0.4, 0.45], np.float32)
    reached = [float((best >= similarity).mean()) for similarity in similarities]
    assert rule.rates_at(similarities) == pytest.approx(reached, abs=0.05)


def test_the_threshold_rises_with_the_number_of_people(tmp_path):
    with Gallery.create(tmp_path, ORIGIN) as gallery:
        thresholds = []
        bases = []
        for start in range(0, 1200, 200):
            gallery.import_people(
                ImportedPerson(f"person {p}", [face_sample(p, 0), face_sample(p, 1)])
                for p in range(start, start + 200)
            )
            thresholds.append(gallery.policy.threshold)
            bases.append(gallery.policy.basis)
            assert gallery.policy == derive_rule(gallery._index.people, 0.01, CARD).policy
        assert thresholds[0] < thresholds[-1]
        assert min(np.diff(thresholds)) > -0.03  # the precision that a few hundred strangers give
        # From 1,000 people, of whom ten would be named, the gallery measures the rate itself.
        assert bases == ["card"] * 4 + ["strangers"] * 2
        assert max(abs(np.diff(thresholds))) < 0.05  # no jump
        gallery.forget("person 5")
        assert gallery.policy.expected.value <= 0.01 + 1e-9


def test_a_small_gallery_uses_the_statistics_of_the_card_and_states_it(tmp_path):
    with Gallery.create(tmp_path, ORIGIN, rate=0.001) as gallery:
        enrolled(gallery, 5, 1)
        assert gallery.policy.basis == "card"
        assert "random points on the sphere" in gallery.policy.source
        # Five people do not show how alike they look.
        assert [warning.code for warning in gallery.warnings] == ["too-few-strangers"]
        gallery.import_people(
            ImportedPerson(f"other {p}", [face_sample(p, 0)]) for p in range(5, 25)
        )
        assert gallery.warnings == ()
        assert gallery.policy.supported
        gallery.set_rate(1e-6)
        assert [warning.code for warning in gallery.warnings] == ["too-few-strangers"]
        assert "Give" not in gallery.warnings[0].text


def test_a_large_gallery_uses_a_fixed_sample():
    gallery = random_people(MAX_SAMPLE + 500, photos=1)
    first = derive_rule(gallery, 0.01, CARD)
    assert first.policy.strangers == MAX_SAMPLE == 2000
    assert first.policy.source == (
        "Measured on strangers: 2,000 of this gallery's own people, each left out in turn."
    )
    assert derive_rule(gallery, 0.01, CARD).policy == first.policy


def test_a_new_person_displaces_at_most_one_of_the_sample():
    everyone = np.arange(1, 2_600)
    sample = _sample(everyone[:2_500])
    assert np.all(np.diff(sample) > 0)
    for people in range(2_501, 2_600):
        larger = _sample(everyone[:people])
        assert len(np.setdiff1d(larger, sample)) == len(np.setdiff1d(sample, larger)) <= 1
        sample = larger
    # People at every place of the gallery are in it.
    assert np.histogram(sample, bins=10, range=(0, 2_600))[0].min() > 150
    assert _sample(everyone[:2_000]).tolist() == list(range(2_000))


def test_a_person_enrolled_twice_is_not_a_stranger():
    people = random_people(600, spread=0.2)
    doubled = PersonMatrix(
        np.arange(1, 641),
        *(
            np.concatenate([rows, rows[:40]])
            for rows in (people.prototypes, people.probes, people.rest_prototypes)
        ),
        np.full(640, 2),
    )
    plain, twice = derive_rule(people, 0.01, CARD).policy, derive_rule(doubled, 0.01, CARD).policy
    assert twice.strangers == 560
    assert twice.threshold == pytest.approx(plain.threshold, abs=0.03)


def test_calibration_is_fitted_where_people_have_several_photos():
    rule = derive_rule(random_people(1000, spread=0.9), 0.01, CARD)
    right = rule.calibration.probability(np.array([0.9, 0.2], np.float32))
    assert right[0] > 0.99
    assert right[1] < 0.1
    alone = derive_rule(random_people(1000, photos=1), 0.01, CARD)
    # With one photo per person there is none to hold out: the typical slope of the card.
    assert alone.calibration.slope == pytest.approx(0.9 * 33.3)


def codes(rule):
    """Return its warnings but for that of even odds, which is the policy's own."""
    found = [warning.code for warning in rule.warnings]
    return [code for code in found if code != "threshold-of-even-odds"]


def test_warnings_state_what_is_not_calibrated():
    checks = ["enrolment-checks-not-calibrated", "duplicate-people-not-calibrated"]
    few = derive_rule(random_people(5), 0.01, None)
    assert codes(few) == ["too-few-strangers", "uncalibrated-probabilities", *checks]
    many = derive_rule(random_people(1_000, spread=0.2), 0.01, None)
    assert codes(many) == checks
    # With the card's curve to begin from, few photos are not worth a warning.
    assert "typical-probabilities" not in codes(derive_rule(random_people(5), 0.01, CARD))


def test_one_person_without_a_card_is_never_named():
    rule = derive_rule(random_people(1), 0.02, None)
    assert rule.policy.threshold > 1
    assert (rule.policy.false_positive_rate, rule.policy.supported) == (0.02, False)
    assert (rule.policy.strangers, rule.policy.basis) == (0, "few")
    assert rule.policy.source == "Nothing is known of strangers: enrol another person too."
    assert rule.rates is None
    assert rule.rates_at(np.array([0.5], np.float32)) is None
    assert rule.calibration.probability(np.array([0.5, 1.0], np.float32)).max() <= 0.5
    empty = derive_rule(PersonMatrix.empty(DIMENSION), 0.02, CARD)
    assert empty.policy.source == "No person is enrolled yet."
    assert empty.policy.threshold > 1
    # With the card one person is enough.
    assert derive_rule(random_people(1), 0.02, CARD).policy.threshold < 1


def test_calibration_by_hand():
    """Known photos are the first ones of people with several, compared with their others."""
    matrix = random_people(80, photos=3, spread=1.2)
    photos = np.tile([1, 2, 3, 5], 20)
    people = PersonMatrix(
        matrix.numbers, matrix.prototypes, matrix.probes, matrix.rest_prototypes, photos
    )
    known, right, strangers = [], [], []
    for row in range(80):
        cosines = [float(people.probes[row] @ other) for other in people.prototypes]
        others = sorted(np.delete(cosines, row), reverse=True)
        strangers.append(others[:FEW])
        if photos[row] > 1:
            own = float(people.probes[row] @ people.rest_prototypes[row])
            known.append(sorted([own, *others[:FEW]], reverse=True))
            right.append(own >= others[0])
    rule = derive_rule(people, 0.05, CARD)
    expected = fit_calibration(
        np.array(known, np.float32),
        np.array(right),
        np.array(strangers, np.float32),
        np.ones(80),
        threshold=rule.policy.threshold,
        typical_slope=typical_slope(CARD),
    )
    assert not all(right)  # some are nearer to another person
    assert rule.calibration.slope == pytest.approx(expected.calibration.slope, rel=1e-3)
    assert rule.calibration.offset == pytest.approx(expected.calibration.offset, rel=1e-3)
    assert rule.policy.strangers == 80


def test_updating_and_reloading_the_index_give_the_same(tmp_path):
    """Reloading the whole index changes nothing after people were updated one by one."""
    with Gallery.create(tmp_path, ORIGIN) as gallery:
        enrolled(gallery, 30, 2)
        gallery.forget("person 4")
        gallery.merge("person 7", "person 9")
        gallery.reject("person 3", face_sample(3, 5).embedding)
        before = gallery._index
        gallery._reload()
        after = gallery._index
        for name in ("numbers", "prototypes", "probes", "rest_prototypes", "photos"):
            assert getattr(before.people, name).tobytes() == getattr(after.people, name).tobytes()
        for name in ("columns", "negatives", "negative_of"):
            assert getattr(before, name).tobytes() == getattr(after, name).tobytes()
        assert (before.names, before.ids) == (after.names, after.ids)
        assert before.rule.policy == after.rule.policy
        probe = faces(face_sample(3, 8).embedding)
        assert before.identify(gallery._session, probe.vectors) == gallery.identify(probe)
