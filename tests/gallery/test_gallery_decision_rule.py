"""The stated rate holds at every size: threshold and probabilities follow the gallery."""

from __future__ import annotations

import numpy as np
import pytest
from spheres import CARD, DIMENSION, ORIGIN, enrolled, faces, sighting, unit

from mien.gallery import Gallery, ImportedPerson
from mien.gallery.decision_rule import MOST_ASKED, derive
from mien.gallery.person_matrix import PersonMatrix


def projection(people, photos=2, seed=0, spread=0.6):
    """Return a gallery of random people as arrays."""
    rng = np.random.default_rng(seed)
    centres = unit(rng.normal(size=(people, DIMENSION)))

    def shot():
        return unit(centres + spread * rng.normal(size=centres.shape) / np.sqrt(DIMENSION))

    shots = [shot() for _ in range(photos)]
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
def test_strangers_are_named_at_the_rate_asked_for(people, rate):
    gallery = projection(people)
    standards = derive(gallery, rate, CARD)
    strangers = unit(np.random.default_rng(99).normal(size=(20_000, DIMENSION)))
    best = (strangers @ gallery.prototypes.T).max(axis=1)
    named = float((best >= standards.policy.threshold).mean())
    low, high = standards.policy.expected.low, standards.policy.expected.high
    assert low <= named <= high
    assert standards.policy.supported
    # The chance told for a similarity is how many strangers get it.
    similarities = np.array([0.3, 0.4, 0.45], np.float32)
    reached = [float((best >= similarity).mean()) for similarity in similarities]
    assert standards.rates_at(similarities) == pytest.approx(reached, abs=0.05)


def test_the_threshold_rises_as_people_come(tmp_path):
    with Gallery.create(tmp_path, ORIGIN) as gallery:
        thresholds = []
        for start in range(0, 800, 200):
            gallery.take(
                ImportedPerson(f"person {p}", [sighting(p, 0), sighting(p, 1)])
                for p in range(start, start + 200)
            )
            thresholds.append(gallery.policy.threshold)
            assert gallery.policy == derive(gallery._index.people, 0.01, CARD).policy
        assert thresholds[0] < thresholds[-1]
        assert min(np.diff(thresholds)) > -0.02  # a few hundred strangers tell it so exactly
        assert gallery.policy.basis == "strangers"
        gallery.forget("person 5")
        assert gallery.policy.expected.value <= 0.01 + 1e-9


def test_a_small_gallery_stands_on_the_card_and_says_so(tmp_path):
    with Gallery.create(tmp_path, ORIGIN, rate=0.001) as gallery:
        enrolled(gallery, 5, 1)
        assert gallery.policy.basis == "card"
        assert "random points on the sphere" in gallery.policy.source
        assert "--strangers" not in " ".join(gallery.warnings)


def test_of_many_people_a_stable_sample_is_asked():
    gallery = projection(MOST_ASKED + 500, photos=1)
    first = derive(gallery, 0.01, CARD)
    assert first.policy.strangers == MOST_ASKED
    assert derive(gallery, 0.01, CARD).policy == first.policy


def test_one_person_under_two_names_is_no_stranger():
    people = projection(600, spread=0.2)
    doubled = PersonMatrix(
        np.arange(1, 641),
        *(
            np.concatenate([rows, rows[:40]])
            for rows in (people.prototypes, people.probes, people.rests)
        ),
        np.full(640, 2),
    )
    plain, twice = derive(people, 0.01, CARD).policy, derive(doubled, 0.01, CARD).policy
    assert twice.strangers == 560
    assert twice.threshold == pytest.approx(plain.threshold, abs=0.03)


def test_probabilities_are_fitted_where_there_is_enough_to_fit():
    standards = derive(projection(1000, spread=0.9), 0.01, CARD)
    right = standards.calibration.probability(np.array([0.9, 0.2], np.float32))
    assert right[0] > 0.99
    assert right[1] < 0.1
    alone = derive(projection(1000, photos=1), 0.01, CARD)
    assert alone.calibration.slope == pytest.approx(30)  # one photo each: nothing to hold out


def test_incremental_and_whole_are_the_same(tmp_path):
    """People are taken into the index one by one; reading all anew changes nothing."""
    with Gallery.create(tmp_path, ORIGIN) as gallery:
        enrolled(gallery, 30, 2)
        gallery.forget("person 4")
        gallery.merge("person 7", "person 9")
        gallery.reject("person 3", sighting(3, 5).embedding)
        before = gallery._index
        gallery._read_all()
        after = gallery._index
        for name in ("numbers", "prototypes", "probes", "rests", "photos"):
            assert getattr(before.people, name).tobytes() == getattr(after.people, name).tobytes()
        for name in ("columns", "negatives", "negative_of"):
            assert getattr(before, name).tobytes() == getattr(after, name).tobytes()
        assert (before.names, before.ids) == (after.names, after.ids)
        assert before.rule.policy == after.rule.policy
        probe = faces(sighting(3, 8).embedding)
        assert before.identify(gallery._session, probe.vectors) == gallery.identify(probe)
