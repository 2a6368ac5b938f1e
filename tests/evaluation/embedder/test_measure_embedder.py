"""The statistics of an embedder, measured on people as patterns of coloured blocks."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from patterns import CONTRACT, BlockEngine, pattern_dataset, pictures_of

from mien import EmbedderMeasurement, measure_embedder
from mien.errors import NotADataset, NothingToMeasure, TooFewPeople
from mien.evaluation.embedder import measure
from mien.evaluation.embedder.copies import EDITS, edited_copies
from mien.policy import CleaningLimits

COPIED = 60


@pytest.fixture(scope="module", autouse=True)
def _fewer_copies():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "_COPIED", COPIED)
        yield


@pytest.fixture(scope="module")
def dataset():
    return pattern_dataset(BlockEngine())


@pytest.fixture(scope="module")
def measured(dataset):
    return measure_embedder(dataset, BlockEngine())


def test_what_was_compared(measured):
    assert isinstance(measured, EmbedderMeasurement)
    assert (measured.people, measured.photos) == (120, 360)
    assert measured.comparisons == {"impostors": 360 * 119, "genuine": 360, "copies": 9 * COPIED}
    assert (measured.embedder, measured.contract) == ("blocks", CONTRACT)
    assert measured.warnings == ()
    assert "120 people: 42,840 / 42,840 comparisons" in measured.statistics.impostors.measured_on


def test_rates_are_those_of_all_pairs(dataset, measured):
    views = dataset.embeddings + dataset.mirrored
    views /= np.linalg.norm(views, axis=1, keepdims=True)
    similar = dataset.embeddings @ views.T
    apart = dataset.labels[:, None] != dataset.labels[None]
    found = measured.statistics.impostors
    assert found.false_match_rate == (0.1, 0.01, 0.001)
    for rate, similarity in zip(found.false_match_rate, found.similarity[0], strict=True):
        assert similarity == pytest.approx(np.quantile(similar[apart], 1 - rate), abs=0.02)
    found = measured.statistics.genuine
    same = ~apart & ~np.eye(len(similar), dtype=bool)
    for rate, similarity in zip(found.false_non_match_rate, found.similarity[0], strict=True):
        assert similarity == pytest.approx(np.quantile(similar[same], rate), abs=0.03)


def test_larger_templates_are_more_alike_to_their_person(measured):
    impostors, genuine = measured.statistics.impostors, measured.statistics.genuine
    assert impostors.template_photos == (1, 3)
    assert genuine.template_photos == (1,)  # of three photos one is the probe


def test_intervals_hold_the_values(measured):
    statistics = measured.statistics
    for name, row in (
        ("impostors", statistics.impostors.similarity[0]),
        ("genuine", statistics.genuine.similarity[0]),
        ("copies", statistics.copies.similarity),
    ):
        for interval, value in zip(measured.intervals[name], row, strict=True):
            assert interval.low <= interval.value <= interval.high
            assert interval.value == pytest.approx(value, abs=1e-4)
            assert interval.low < interval.high


def test_the_curve_says_how_likely_two_photos_are_of_one_person(dataset, measured):
    similar = dataset.embeddings @ dataset.embeddings.T
    pairs = np.array(list(combinations(range(len(similar)), 2)))
    scores = similar[pairs[:, 0], pairs[:, 1]]
    same = dataset.labels[pairs[:, 0]] == dataset.labels[pairs[:, 1]]
    chance = measured.statistics.verification.probability(scores)
    assert chance[same].mean() > 0.8
    assert chance[~same].mean() < 0.2


def test_the_same_again(dataset, measured):
    assert measure_embedder(dataset, BlockEngine()).to_dict() == measured.to_dict()
    assert measure_embedder(dataset, BlockEngine(), seed=1).to_dict() != measured.to_dict()


def test_a_dataset_of_another_embedder_is_embedded_again(dataset, measured):
    engine = BlockEngine(shared=2.0, contract="f" * 16)
    steps = []
    found = measure_embedder(dataset, engine, progress=lambda *step: steps.append(step))
    assert engine.embedded == 2 * 360 + 9 * COPIED
    assert (360, 360, "crops embedded") in steps
    assert found.contract == "f" * 16
    # Four fifths of every cosine are the same for all: what is left is the same embedder.
    plain = np.array(measured.statistics.impostors.similarity[0])
    assert found.statistics.impostors.similarity[0] == pytest.approx(0.8 + plain / 5, abs=0.01)
    ours, theirs = (CleaningLimits.of(each.statistics) for each in (measured, found))
    assert theirs.same_person == pytest.approx(0.8 + ours.same_person / 5, abs=0.01)
    assert theirs.margin == pytest.approx(ours.margin / 5, abs=0.01)


def test_what_is_not_in_use_is_not_compared():
    aside = {0: {"status": "set-aside", "reason": "mislabelled"}}
    pair = [{"people": ["person 001", "person 002"], "similarity": 0.9}]
    found = measure_embedder(
        pattern_dataset(BlockEngine(), changes=aside, same_person=pair), BlockEngine()
    )
    assert (found.people, found.photos) == (118, 360 - 1 - 6)


def test_copies_in_a_dataset_that_was_not_cleaned_are_not_compared():
    pictures = pictures_of(120, 3)
    pictures[1] = pictures[0][:, ::-1]
    pictures[5] = pictures[4] // 2 + 20
    made = pattern_dataset(BlockEngine(), pictures=pictures, cleaning={"by_similarity": False})
    found = measure_embedder(made, BlockEngine())
    assert found.photos == 358
    assert "not cleaned by similarity" in found.warnings[0].text


@pytest.mark.parametrize(("people", "photos"), [(99, 2), (120, 1)])
def test_too_few_people(people, photos):
    with pytest.raises(TooFewPeople, match="at least 100 and 50"):
        measure_embedder(pattern_dataset(BlockEngine(), people, photos), BlockEngine())


def test_too_few_genuine_comparisons():
    pictures = pictures_of(130, 2)[: 2 * 60 + 0]
    more = pictures_of(60, 2, seed=9)[::2]
    made = pattern_dataset(
        BlockEngine(),
        photos=2,
        pictures=np.concatenate([pictures, more]),
        changes={120 + i: {"person": f"single {i}"} for i in range(60)},
    )
    with pytest.raises(TooFewPeople, match="120 genuine comparisons are too few: 150"):
        measure_embedder(made, BlockEngine())


def test_crops_are_needed(dataset, monkeypatch):
    monkeypatch.setattr(type(dataset), "crop", lambda *_: None)
    with pytest.raises(NothingToMeasure, match="the crop of person"):
        measure_embedder(dataset, BlockEngine())


def test_an_embedder_without_discrimination():
    blind = pattern_dataset(BlockEngine(), pictures=pictures_of(120, 3, noise=1000))
    found = measure_embedder(blind, BlockEngine())
    assert any("does not tell people apart" in warning.text for warning in found.warnings)


def test_copies_are_of_every_kind():
    crop = pictures_of(1, 1)[0]
    copies = edited_copies(crop, np.random.default_rng(0))
    assert len(copies) == len(EDITS) == 9
    for copy in copies:
        assert copy.shape == crop.shape
        assert copy.dtype == np.uint8
        assert np.any(copy != crop)


def test_a_dataset_is_given_as_such_or_as_its_folder(tmp_path):
    with pytest.raises(NotADataset):
        measure_embedder(tmp_path / "none", BlockEngine())
    with pytest.raises(TypeError, match="path of its folder"):
        measure_embedder(None, BlockEngine())
