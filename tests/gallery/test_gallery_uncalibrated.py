"""Galleries of other embedders: limits by their own statistics, or a warning; older galleries."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from spheres import (
    CARD,
    DIMENSION,
    ORIGIN,
    centre,
    enrol_all,
    enrolled,
    face_sample,
    faces,
    unit,
    views,
)

from mien.gallery import Gallery, Origin
from mien.models.cards import DEFAULT_EMBEDDER, card
from mien.models.statistics import EmbedderStatistics
from mien.policy import NOT_CALIBRATED, EnrolmentLimits

BARE = replace(ORIGIN, statistics=None)
SFACE = card(DEFAULT_EMBEDDER)
SFACE_CONTRACT = SFACE.contracts[0]


@pytest.fixture
def uncalibrated(tmp_path):
    with Gallery.create(tmp_path / "bare", BARE) as made:
        enrolled(made, 6, 3)
        yield made


def turned(person, angle):
    """Return a face at an angle in radians from a person's."""
    aside = np.random.default_rng(person + 1000).normal(size=DIMENSION)
    aside -= (aside @ centre(person)) * centre(person)
    return unit(np.cos(angle) * centre(person) + np.sin(angle) * unit(aside))


def sample_at(vector):
    return face_sample(0, 99, embedding=vector, mirrored=vector, sha256="f" * 64)


def with_higher_similarities(statistics: EmbedderStatistics) -> EmbedderStatistics:
    """Return statistics of an embedder whose similarities are all higher by 0.3."""
    found = statistics.impostors
    rows = tuple(tuple(min(1.0, value + 0.3) for value in row) for row in found.similarity)
    genuine = statistics.genuine
    own = tuple(tuple(min(1.0, value + 0.3) for value in row) for row in genuine.similarity)
    return replace(
        statistics,
        impostors=replace(found, similarity=rows),
        genuine=replace(genuine, similarity=own),
    )


def test_enrolment_limits_follow_the_statistics_of_the_embedder(tmp_path):
    """The same photo, similarity 0.54 to the person, passes with one embedder only."""
    with Gallery.create(tmp_path / "one", ORIGIN) as gallery:
        enrolled(gallery, 2, 3)
        assert gallery.limits == EnrolmentLimits.of(CARD)
        assert gallery.enrol("person 1", sample_at(turned(1, 1.0))).taken
    with Gallery.create(
        tmp_path / "other", replace(ORIGIN, statistics=with_higher_similarities(CARD))
    ) as gallery:
        enrolled(gallery, 2, 3)
        refused = gallery.enrol("person 1", sample_at(turned(1, 1.0)))
        assert (refused.taken, refused.reason) == (False, "disagrees")
        assert refused.evidence["least"] == pytest.approx(0.663, abs=1e-3)


def test_without_statistics_the_missing_checks_are_reported(uncalibrated):
    assert uncalibrated.limits == EnrolmentLimits(None, None, None)
    texts = {warning.code: warning.text for warning in uncalibrated.warnings}
    assert all(NOT_CALIBRATED in text for code, text in texts.items() if "calibrated" in code)
    assert texts["enrolment-checks-not-calibrated"].startswith("Enrolment checks by similarity")
    assert texts["duplicate-people-not-calibrated"].startswith("People enrolled twice")
    assert texts["uncalibrated-probabilities"].startswith("Probabilities")
    # A photo unlike the person's others is enrolled: without a limit it is not compared.
    assert uncalibrated.enrol("person 1", sample_at(turned(1, 1.3))).taken


def test_without_statistics_probabilities_are_fitted_to_the_gallery_alone(tmp_path):
    with Gallery.create(tmp_path / "bare", BARE) as gallery:
        enrolled(gallery, 30, 3)
        assert not any("Probabilities" in warning.text for warning in gallery.warnings)
        near, far = gallery.head().calibration.probability(np.array([0.9, 0.1], np.float32))
        assert near > 0.9
        assert far < 0.1


def test_without_statistics_a_person_enrolled_twice_counts_as_a_stranger(tmp_path):
    found = {}
    for name, origin in (("measured", ORIGIN), ("bare", BARE)):
        with Gallery.create(tmp_path / name, origin) as gallery:
            for person in range(8):
                enrol_all(gallery, f"person {person}", person, 1)
            gallery.enrol("again", face_sample(3, 1), force=True)
            found[name] = gallery.policy.strangers
    assert found == {"measured": 7, "bare": 9}


def test_an_empty_gallery_reports_the_missing_checks_too(tmp_path):
    with Gallery.create(tmp_path / "empty", BARE) as gallery:
        assert {warning.code for warning in gallery.warnings} == {
            warning.code for warning in EnrolmentLimits.of(None).warnings
        }
        assert gallery.warnings


def test_without_limits_rejected_faces_are_deleted_by_comparison(uncalibrated):
    """Merging and forgetting delete faces that are more similar to one person than to the other."""
    ids = [person.id for person in uncalibrated.people()]
    uncalibrated.reject(ids[0], views(1, 0)[0])
    uncalibrated.reject(ids[0], turned(0, 1.2))
    uncalibrated.merge(ids[0], ids[1])
    assert len(uncalibrated.head().negatives) == 1
    uncalibrated.reject(ids[2], views(3, 0)[0])
    uncalibrated.forget(ids[3])
    assert len(uncalibrated.head().negatives) == 1
    (answer,) = uncalibrated.identify(faces(centre(2)))
    assert answer.person_id == ids[2]


def test_without_limits_a_forgotten_photo_takes_only_the_same_rejected_face(uncalibrated):
    ids = [person.id for person in uncalibrated.people()]
    uncalibrated.reject(ids[0], views(1, 0)[0])
    uncalibrated.reject(ids[0], views(1, 7)[0])
    (first, *_) = uncalibrated.pictures(ids[1])
    uncalibrated.forget_picture(first.id)
    assert len(uncalibrated.head().negatives) == 1


def test_a_gallery_stores_the_statistics(tmp_path):
    with Gallery.create(tmp_path / "g", ORIGIN) as made:
        assert made.origin == ORIGIN
    with Gallery.open(tmp_path / "g") as again:
        assert again.origin.statistics == CARD


def as_version_0_1(origin: Origin) -> str:
    """Return an origin as Mien 0.1 wrote it: with impostor statistics alone."""
    known = origin.statistics
    fields = asdict(origin) | {"statistics": known and asdict(known.impostors)}
    return json.dumps(fields)


def test_an_origin_of_version_0_1_has_impostor_statistics_alone():
    read = Origin.parse(as_version_0_1(ORIGIN))
    assert read.statistics == EmbedderStatistics(CARD.impostors)
    assert read.completed() == read  # no card is called toy
    assert Origin.parse(as_version_0_1(BARE)) == BARE


def test_a_gallery_of_version_0_1_takes_the_rest_from_the_default_card():
    whole = SFACE.statistics_for(SFACE_CONTRACT)
    origin = Origin(SFACE_CONTRACT, 128, DEFAULT_EMBEDDER, "yunet", {}, whole)
    assert Origin.parse(as_version_0_1(origin)).completed() == origin
    other = replace(origin, contract="e" * 16)
    assert Origin.parse(as_version_0_1(other)).completed().statistics.genuine is None
    toy = replace(origin, embedder="toy")
    assert Origin.parse(as_version_0_1(toy)).completed().statistics.genuine is None
    # Its own statistics are not replaced.
    own = replace(origin, statistics=EmbedderStatistics(CARD.impostors))
    assert own.completed().statistics.impostors == CARD.impostors
