"""The variants that `choices.py` compares do what their names say."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mien.evaluation.open_set.draws import Draw
from mien.evaluation.verification.pairs_file import LfwPhoto, parse_pairs
from mien.measures.templates import unit_rows


@pytest.fixture
def photos():
    """Return what the variants read of a dataset: six photos of two people."""
    generator = np.random.default_rng(0)
    rows = unit_rows(generator.normal(size=(6, 8)).astype(np.float32))
    mirrored = unit_rows(rows + 0.1 * generator.normal(size=(6, 8)).astype(np.float32))
    quality = np.linspace(0.2, 0.9, 6).astype(np.float32)
    return SimpleNamespace(embeddings=rows, mirrored=mirrored, quality=quality)


TRIAL = Draw(
    enrolled=np.array([0, 1, 3, 4]),
    enrolled_as=np.array([0, 0, 1, 1]),
    probes=np.array([2, 5]),
    mates=np.array([0, 1]),
    strangers=np.zeros(0, np.int64),
)


def others(within):
    from variants.templates import Others

    cohort = unit_rows(np.random.default_rng(1).normal(size=(50, 8)).astype(np.float32))
    return Others(cohort=cohort, within=within, between=0.5)


def test_templates_follow_their_variant(photos):
    from variants.templates import AS_IS, _gallery

    learned = others(np.diag([9.0, *[0.0] * 7]))
    crops = replace(AS_IS, mirror=False, weighted=False)
    plain = _gallery(photos, TRIAL, crops, learned)
    assert plain[0] == pytest.approx(unit_rows(photos.embeddings[:2].sum(axis=0)[None])[0])
    both = _gallery(photos, TRIAL, replace(AS_IS, weighted=False), learned)
    assert np.abs(both - plain).max() > 1e-3
    assert np.abs(_gallery(photos, TRIAL, AS_IS, learned) - both).max() > 1e-3
    # Along the direction in which photos of one person vary, the mean is shrunk most.
    drawn_in = [_gallery(photos, TRIAL, replace(crops, shrunk=by), learned) for by in (0.1, 1, 10)]
    along = np.abs([plain[0, 0], *(rows[0, 0] for rows in drawn_in)])
    assert list(along) == sorted(along, reverse=True)
    assert along[0] > 2 * along[-1]


def test_normalised_scores_have_the_cohorts_mean_and_deviation(photos):
    from variants.templates import AS_IS, _scores

    learned = others(np.eye(8))
    gallery, cohort = photos.embeddings[:2], learned.cohort
    scores = {
        norm: _scores(cohort, gallery, replace(AS_IS, norm=norm), learned) for norm in ("", "z")
    }
    assert scores["z"].mean(axis=0) == pytest.approx([0, 0], abs=1e-5)
    assert scores["z"].std(axis=0) == pytest.approx([1, 1], abs=1e-5)
    # A linear map per person: the order of probes does not change.
    assert (np.argsort(scores["z"][:, 0]) == np.argsort(scores[""][:, 0])).all()
    t = _scores(photos.embeddings, gallery, replace(AS_IS, norm="t"), learned)
    raw = _scores(photos.embeddings, gallery, AS_IS, learned)
    assert (t.argmax(axis=1) == raw.argmax(axis=1)).all()


def test_a_photo_without_a_face_has_a_zero_row():
    from variants.crops import MIN_SIDES, SCALES
    from variants.verification import THE_CROP, variants

    generator = np.random.default_rng(2)
    keys = [f"{kind} {scale}" for kind in ("crop", "mirror") for scale in SCALES]
    keys += [f"side {side}" for side in MIN_SIDES]
    rows = {key: unit_rows(generator.normal(size=(3, 4)).astype(np.float32)) for key in keys}
    for own in rows.values():
        own[1] = 0
    tried = variants(rows)
    for name, made in tried.items():
        assert np.linalg.norm(made, axis=1) == pytest.approx([1, 0, 1]), name
    assert tried[THE_CROP] == pytest.approx(rows["crop 1.0"])
    both = unit_rows(rows["crop 1.0"] + rows["mirror 1.0"])
    assert tried["and its mirror image"][0] == pytest.approx(both[0])
    five = unit_rows(sum(rows[key] for key in keys[: len(SCALES)]))
    assert tried["five sizes"][2] == pytest.approx(five[2], abs=1e-6)
    everything = unit_rows(sum(rows[key] for key in keys[: 2 * len(SCALES)]))
    assert tried["five sizes and mirror images"][2] == pytest.approx(everything[2], abs=1e-6)
    assert len({made.tobytes() for made in tried.values()}) == len(tried)


def test_pairs_of_view_1_are_decided_at_the_training_threshold():
    from variants.verification import _correct

    angles = np.deg2rad([0, 20, 40, 100])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    place = {LfwPhoto("a", 1): 0, LfwPhoto("a", 2): 1, LfwPhoto("b", 1): 2, LfwPhoto("c", 1): 3}
    train = parse_pairs("1\na\t1\t2\na\t1\tb\t1\n")  # 20 degrees are one person, 40 are two
    test = parse_pairs("1\na\t2\t1\na\t2\tb\t1\n")  # 20 degrees both
    assert _correct(rows, place, train, test).tolist() == [True, False]
