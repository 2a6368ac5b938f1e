"""Datasets of other embedders: cleaned by their own statistics, or not by similarity at all."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from squares import SquareEngine, person, write

from mien.cli import cli
from mien.dataset import Dataset
from mien.dataset.audit.leaks import audit
from mien.dataset.audit.suspects import find_suspects
from mien.dataset.build import build
from mien.dataset.decide import decide
from mien.dataset.storage.opened_dataset import CARD
from mien.engine import Engine
from mien.models.cards import DEFAULT_EMBEDDER, card
from mien.models.statistics import CopyStatistics, GenuineStatistics, ImpostorStatistics
from mien.policy import NOT_CALIBRATED, CleaningLimits
from mien.types import Embeddings

SFACE_CONTRACT = card(DEFAULT_EMBEDDER).contracts[0]
SHARED = 2.0
"""Length of what all embeddings of `NarrowEngine` have in common: its cosines are 4/5 and more."""


def narrow(similarity: float) -> float:
    return (SHARED**2 + similarity) / (SHARED**2 + 1)


class NarrowEngine(SquareEngine):
    """The same faces seen by another embedder, whose cosines crowd near 1."""

    def __init__(self, *, measured: bool) -> None:
        super().__init__(contract="a" * 16)
        sface = self.embedder_card
        parts = {"impostors": None, "genuine": None, "copies": None, "verification": None}
        if measured:
            parts = {
                name: table(getattr(sface, name)) for name in ("impostors", "genuine", "copies")
            }
        self.embedder_card = replace(sface, id="narrow", **parts)

    def embed(self, crops):
        vectors = super().embed(crops).vectors
        more = np.concatenate([vectors, np.full((len(vectors), 1), SHARED, np.float32)], axis=1)
        return Embeddings(more / np.float32(np.hypot(SHARED, 1)), self.contract)


def table(part):
    """Return statistics of SFace as `NarrowEngine` has them."""
    if isinstance(part, CopyStatistics):
        return replace(part, similarity=tuple(narrow(value) for value in part.similarity))
    assert isinstance(part, ImpostorStatistics | GenuineStatistics)
    rows = tuple(tuple(narrow(value) for value in row) for row in part.similarity)
    return replace(part, similarity=rows)


@pytest.fixture
def photos(tmp_path):
    """Six people; one photo of another, one person under two names, a copy, a crowd."""
    root = tmp_path / "photos"
    for number in range(6):
        for shot in range(5):
            write(root / f"Person_{number}" / f"{shot}.png", person(number, shot))
    write(root / "Person_0" / "wrong.png", person(1, 9))
    for shot in range(5, 9):
        write(root / "Person_5_again" / f"{shot}.png", person(5, shot))
    (root / "Person_2" / "same.png").write_bytes((root / "Person_2" / "0.png").read_bytes())
    write(root / "Person_3" / "crowd.png", person(9, 1), person(3, 9))
    return root


def found(dataset: Dataset):
    """Return what was set aside, who is under two names, and the face taken of the crowd."""
    aside = {entry.photo: entry.reason for entry in dataset.entries if not entry.used}
    pairs = {tuple(pair["people"]) for pair in dataset.card["same_person"]}
    (crowd,) = (entry.face for entry in dataset.entries if entry.photo.endswith("crowd.png"))
    return aside, pairs, crowd


def test_another_embedder_cleans_by_its_own_statistics(tmp_path, photos):
    as_sface = build([str(photos)], tmp_path / "one", SquareEngine())
    other = build([str(photos)], tmp_path / "other", NarrowEngine(measured=True))
    aside, pairs, crowd = found(other)
    assert (aside, pairs, crowd) == found(as_sface)
    assert aside == {"Person_0/wrong.png": "mislabelled", "Person_2/same.png": "duplicate"}
    assert pairs == {("Person 5", "Person 5 again")}
    assert crowd == 1
    ours, theirs = (CleaningLimits.of(made.statistics) for made in (as_sface, other))
    assert theirs.same_person == pytest.approx(narrow(ours.same_person))
    assert other.card["cleaning"] == {"by_similarity": True}
    assert other.card["warnings"] == []
    kinds = [{(s.kind, s.people) for s in find_suspects(made)} for made in (as_sface, other)]
    assert kinds[0] == kinds[1]


def test_an_embedder_without_statistics_says_that_it_does_not_clean(tmp_path, photos):
    made = build([str(photos)], tmp_path / "out", NarrowEngine(measured=False))
    aside, pairs, crowd = found(made)
    assert aside == {"Person_2/same.png": "duplicate"}
    assert pairs == set()
    assert crowd == 1  # by agreement with the person's other photos, which needs no statistics
    assert made.statistics is None
    assert made.card["statistics"] is None
    assert made.card["cleaning"] == {"by_similarity": False}
    (warning,) = made.card["warnings"]
    assert NOT_CALIBRATED in warning
    assert warning in (tmp_path / "out" / "README.md").read_text("utf-8")
    assert [suspect.kind for suspect in find_suspects(made)] == ["copy"]
    assert not audit(made).by_similarity


def test_statistics_of_another_contract_do_not_count(tmp_path, photos):
    engine = NarrowEngine(measured=True)
    engine.contract = "b" * 16
    made = build([str(photos)], tmp_path / "out", engine)
    assert made.card["cleaning"] == {"by_similarity": False}


def test_decisions_are_applied_by_the_statistics_of_the_build(tmp_path, photos):
    """The card of the embedder is not on this machine: the dataset knows what it needs."""
    made = build([str(photos)], tmp_path / "out", NarrowEngine(measured=True))
    assert Dataset.open(tmp_path / "out").statistics == made.statistics
    kept = decide(tmp_path / "out", "keep", ["Person_0/wrong.png"])
    assert found(kept)[0] == {"Person_2/same.png": "duplicate"}
    assert found(kept)[1] == {("Person 5", "Person 5 again")}


def test_a_build_of_before_takes_the_statistics_of_the_default_card(tmp_path, photos):
    made = build([str(photos)], tmp_path / "out", SquareEngine(contract=SFACE_CONTRACT))
    card = json.loads((tmp_path / "out" / CARD).read_text("utf-8"))
    del card["statistics"], card["cleaning"], card["warnings"]
    (tmp_path / "out" / CARD).write_text(json.dumps(card))
    assert Dataset.open(tmp_path / "out").statistics == made.statistics
    # Nothing is taken from it for other embeddings.
    (tmp_path / "out" / CARD).write_text(json.dumps(card | {"contract": "b" * 16}))
    assert Dataset.open(tmp_path / "out").statistics is None


def test_commands_say_that_nothing_was_cleaned(tmp_path, photos, monkeypatch):
    engine = NarrowEngine(measured=False)
    monkeypatch.setattr(Engine, "open", lambda **_: engine)

    def mien(*arguments):
        return CliRunner().invoke(cli, ["dataset", *map(str, arguments)])

    for more in ([], ["--json"]):
        said = mien("build", photos, "-o", tmp_path / "out", *more).stderr
        assert f"warning: Cleaning by similarity is off: {NOT_CALIBRATED}" in said
        assert "mien models measure narrow DATASET --write" in said
    for command in ("check", "leaks"):
        assert NOT_CALIBRATED in mien(command, tmp_path / "out").stderr
