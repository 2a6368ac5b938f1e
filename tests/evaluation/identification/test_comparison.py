import json
from dataclasses import replace
from types import SimpleNamespace

import hand_worked as hand
import numpy as np
import pytest
from scipy.stats import binomtest

from mien.cli import main
from mien.dataset import Dataset
from mien.errors import ContractMismatch, NothingToMeasure
from mien.evaluation.identification.comparison import compare_recognizers
from mien.measures import mcnemar
from mien.recognizer import Recognizer


def turned(*degrees, **more):
    """Return the hand-worked head with its people at other angles."""
    head = hand.head(**more)
    return replace(head, prototypes=hand.at(*degrees))


def test_a_recognizer_against_itself():
    found = compare_recognizers(hand.head(), hand.head(), hand.dataset(hand.PHOTOS))
    assert found.probes == 5
    assert [row.what for row in found.rows] == ["rank-1", "named right", "named wrong"]
    for row in found.rows:
        assert row.first == row.second
        assert (row.only_first, row.only_second, row.p, row.verdict) == (0, 0, 1, "none")
    assert found.rows[0].first == 0.8


def test_one_photo_makes_no_difference():
    # Ben at a larger angle: Ann's photo at 40° is most similar to Ann.
    found = compare_recognizers(hand.head(), turned(20, 75, 120), hand.dataset(hand.PHOTOS))
    rank1 = found.rows[0]
    assert (rank1.first, rank1.second) == (0.8, 1.0)
    assert (rank1.only_first, rank1.only_second, rank1.p) == (0, 1, 1.0)
    assert rank1.verdict == "none"


def test_many_photos_of_one_person_make_no_difference():
    faces = [("Ann", 0, "train", ""), ("Ben", 60, "train", ""), ("Cyd", 120, "train", "")]
    pairs = zip(hand.NAMES * 30, [40, 60, 120] * 30, strict=True)
    faces += [(name, a, "validation", "") for name, a in pairs]
    faces += [("Zoe", 270, "train", "")] * 2
    found = compare_recognizers(hand.head(), turned(20, 75, 120), hand.dataset(faces))
    rank1 = found.rows[0]
    assert rank1.only_second == 30
    assert rank1.p < 1e-6
    # Only one person's photos changed, and the bootstrap resamples people.
    assert rank1.difference.low == 0
    assert rank1.verdict == "none"
    assert found.strangers == 2
    assert found.rows[-1].what == "strangers named"


def test_mcnemar_equals_the_binomial_test_of_scipy():
    generator = np.random.default_rng(0)
    for _ in range(20):
        a, b = generator.random(200) < 0.9, generator.random(200) < 0.8
        only = int(np.sum(a & ~b)), int(np.sum(b & ~a))
        assert mcnemar(a, b) == pytest.approx(binomtest(only[0], sum(only)).pvalue)


def test_incomparable_recognizers_are_refused():
    photos = hand.dataset(hand.PHOTOS)
    with pytest.raises(ContractMismatch):
        compare_recognizers(hand.head(), replace(hand.head(), contract="other"), photos)
    other = hand.dataset(hand.PHOTOS, contract="other")
    found = compare_recognizers(hand.head(), replace(hand.head(), contract="other"), photos, other)
    assert found.rows[0].p == 1
    with pytest.raises(NothingToMeasure, match="both recognizers"):
        compare_recognizers(hand.head(), hand.head(("Xi", "Yo", "Zu")), photos)
    for entry in other.entries:
        object.__setattr__(entry, "id", "no " + entry.id)
    with pytest.raises(NothingToMeasure, match="in common"):
        compare_recognizers(hand.head(), hand.head(), photos, replace(other, contract="c"))


def test_the_command(monkeypatch, capsys):
    heads = iter([hand.head(), turned(20, 75, 120)] * 2)
    monkeypatch.setattr(Recognizer, "load", lambda _: SimpleNamespace(head=next(heads)))
    monkeypatch.setattr(Dataset, "open", lambda _: hand.dataset(hand.PHOTOS))
    for words in ([], ["--json"]):
        with pytest.raises(SystemExit) as caught:
            main(["evaluate", "compare", "a.onnx", "b.onnx", "people", *words])
        assert caught.value.code == 0
        printed = capsys.readouterr().out
        if words:
            assert json.loads(printed)["measures"][0]["better"] == "none"
        else:
            assert "not shown" in printed
            assert "5 photos of 3 people" in printed
