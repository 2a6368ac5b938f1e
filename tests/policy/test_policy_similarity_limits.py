"""Limits of cleaning and enrolment: error rates turned into the cosines of an embedder."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from mien.engine import contract_of
from mien.models.cards import card
from mien.models.statistics import (
    CopyStatistics,
    EmbedderStatistics,
    GenuineStatistics,
    ImpostorStatistics,
)
from mien.policy import NOT_CALIBRATED, CleaningLimits, EnrolmentLimits
from mien.policy.similarity_limits import same_person, unlike_own

TOY = EmbedderStatistics(
    impostors=ImpostorStatistics("toys", (0.1, 0.01, 0.001), (1,), ((0.80, 0.90, 0.92),)),
    genuine=GenuineStatistics(
        "toys", (0.02, 0.05, 0.1, 0.2, 0.3, 0.5), (1,), ((0.93, 0.94, 0.95, 0.96, 0.97, 0.98),)
    ),
    copies=CopyStatistics("toys", (0.005, 0.2, 0.3), (0.97, 0.99, 0.995)),
)


@pytest.mark.parametrize("model", ["sface-2021dec-int8bq", "sface-2021dec"])
def test_sface_has_the_cosines_that_were_chosen_with_it(model):
    known = card(model)
    statistics = known.statistics_for(contract_of(known))
    limits = CleaningLimits.of(statistics)
    assert {field.name: getattr(limits, field.name) for field in fields(limits)} == {
        "size_weight": pytest.approx(0.1, abs=0.01),
        "plausible": pytest.approx(0.3, abs=0.01),
        "other_person": pytest.approx(0.45, abs=0.01),
        "unlike_own": pytest.approx(0.35, abs=0.01),
        "like_other": pytest.approx(0.55, abs=0.01),
        "margin": pytest.approx(0.25, abs=0.01),
        "outlier": pytest.approx(0.2, abs=0.01),
        "cohesion": pytest.approx(0.5, abs=0.01),
        "same_person": pytest.approx(0.6, abs=0.01),
        "alike": pytest.approx(0.75, abs=0.01),
        "very_alike": pytest.approx(0.93, abs=0.01),
        "spread": pytest.approx(0.48, abs=0.01),
    }
    checks = EnrolmentLimits.of(statistics)
    assert checks.unlike_own == limits.unlike_own
    assert checks.same_person == limits.same_person
    assert checks.same_photo == pytest.approx(0.9, abs=0.01)
    assert checks.warnings == ()


def test_another_embedder_has_its_own():
    limits = CleaningLimits.of(TOY)
    assert limits.spread == pytest.approx(0.18)
    assert limits.outlier == pytest.approx(0.8)
    assert limits.same_person == pytest.approx(0.961)
    assert limits.alike == pytest.approx(0.97)
    assert limits.unlike_own < limits.like_other < limits.same_person


@pytest.mark.parametrize("part", ["impostors", "genuine", "copies"])
def test_a_part_that_was_not_measured_is_not_made_up(part):
    without = replace(TOY, **{part: None})
    assert CleaningLimits.of(without) is None
    checks = EnrolmentLimits.of(without)
    assert (checks.unlike_own is None) == (part == "impostors")
    assert (checks.same_person is None) == (part != "copies")
    assert (checks.same_photo is None) == (part == "copies")
    assert all(NOT_CALIBRATED in warning.text for warning in checks.warnings)


def test_of_nothing_nothing_is_known():
    assert CleaningLimits.of(None) is None
    assert EnrolmentLimits.of(None) == EnrolmentLimits(None, None, None)
    assert unlike_own(None) is None
    assert len(EnrolmentLimits.of(None).warnings) == 2


def test_a_rate_that_was_not_measured_is_not_made_up():
    coarse = replace(TOY, impostors=ImpostorStatistics("", (0.1, 0.01), (1,), ((0.8, 0.9),)))
    assert CleaningLimits.of(coarse) is None
    assert unlike_own(coarse) is None
    assert same_person(coarse) is None


def test_an_embedder_that_mixes_people_up_accuses_few():
    """Where strangers often look alike, one of them is no evidence of one person."""
    poor = replace(
        TOY, impostors=ImpostorStatistics("toys", (0.1, 0.01, 0.001), (1,), ((0.80, 0.97, 0.99),))
    )
    assert same_person(poor) == pytest.approx(0.99)  # one pair of strangers in a thousand
    assert unlike_own(poor) == pytest.approx(0.94)  # one pair of a person's own in twenty
    blind = replace(
        TOY, impostors=ImpostorStatistics("toys", (0.1, 0.01, 0.001), (1,), ((0.98, 0.99, 1.0),))
    )
    assert CleaningLimits.of(blind) is None
