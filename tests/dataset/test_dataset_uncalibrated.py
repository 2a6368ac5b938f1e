"""Datasets of other embedders: cleaned by their statistics, or not by similarity."""

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
"""Length of the component that all embeddings of `NarrowEngine` share: it raises all cosines."""


def narrow(similarity: float) -> float:
    """Return the cosine of `NarrowEngine` for a cosine of `SquareEngine`."""
    return (SHARED**2 + similarity) / (SHARED**2 + 1)


class NarrowEngine(SquareEngine):
    """Another embedder for the same faces, whose cosines are near 1."""

    def __init__(self, *, measured: bool) -> None:
        super().__init__(contract="a" * 16)
        sface = self.embedder_card
        parts = {"impostors": None, "genuine": None, "copies": None, "verification": None}
        if measured:
            names = ("impostors", "genuine", "copies")
            parts = {name: narrow_statistics(getattr(sface, name)) for name in names}
        self.embedder_card = replace(sface, id="narrow", **parts)

    def embed(self, crops):
        vectors = super().embed(crops).vectors
        more = np.concatenate([vectors, np.full((len(vectors), 1), SHARED, np.float32)], axis=1)
        return Embeddings(more / np.float32(np.hypot(SHARED, 1)), self.contract)


def narrow_statistics(part):
    """Return statistics of SFace with the cosines of `NarrowEngine`."""
    if isinstance(part, CopyStatistics):
        return replace(part, similarity=tuple(narrow(value) for value in part.similarity))
    assert isinstance(part, ImpostorStatistics | GenuineStatistics)
    rows = tuple(tuple(narrow(value) for value in row) for row in part.similarity)
    return replace(part, similarity=rows)


@pytest.fixture
def photos(tmp_path):
    """Six people; a photo of another person, two names of one person, a copy, a group photo."""
    root = tmp_path / "photos"
    for number in range(6):
        for shot in range(5):
            write(root / f"Person_{number}" / f"{shot}.png", person(number, shot))
    write(root / "Person_0" / "wrong.png", person(1, 9))
    for shot in range(5, 9):
        write(root / "Person_5_again" / f"{shot}.png", person(5, shot))
    (root / "Person_2" / "same.png").write_bytes((root / "Person_2" / "0.png").read_bytes())
    write(root / "Person_3" / "group.png", person(9, 1), person(3, 9))
    return root


def findings(dataset: Dataset):
    """Return the entries set aside, the pairs of names, and the face chosen in the group photo."""
    aside = {entry.photo: entry.reason for entry in dataset.entries if not entry.used}
    pairs = {tuple(pair["people"]) for pair in dataset.card["same_person"]}
    (group,) = (entry.face for entry in dataset.entries if entry.photo.endswith("group.png"))
    return aside, pairs, group


def test_another_embedder_cleans_by_its_statistics(tmp_path, photos):
    as_sface = build([str(photos)], tmp_path / "one", SquareEngine())
    other = build([str(photos)], tmp_path / "other", NarrowEngine(measured=True))
    aside, pairs, group = findings(other)
    assert (aside, pairs, group) == findings(as_sface)
    assert aside == {"Person_0/wrong.png": "mislabelled", "Person_2/same.png": "duplicate"}
    assert pairs == {("Person 5", "Person 5 again")}
    assert group == 1
    limits, other_limits = (CleaningLimits.of(made.statistics) for made in (as_sface, other))
    assert other_limits.same_person == pytest.approx(narrow(limits.same_person))
    assert other.card["cleaning"] == {"by_similarity": True}
    assert other.card["warnings"] == []
    kinds = [{(s.kind, s.people) for s in find_suspects(made)} for made in (as_sface, other)]
    assert kinds[0] == kinds[1]


def test_without_statistics_cleaning_by_similarity_is_off_with_a_warning(tmp_path, photos):
    made = build([str(photos)], tmp_path / "out", NarrowEngine(measured=False))
    aside, pairs, group = findings(made)
    assert aside == {"Person_2/same.png": "duplicate"}
    assert pairs == set()
    assert group == 1  # by agreement with the person's other photos, which needs no statistics
    assert made.statistics is None
    assert made.card["statistics"] is None
    assert made.card["cleaning"] == {"by_similarity": False}
    (warning,) = made.card["warnings"]
    assert NOT_CALIBRATED in warning
    assert warning in (tmp_path / "out" / "README.md").read_text("utf-8")
    assert [suspect.kind for suspect in find_suspects(made)] == ["copy"]
    assert not audit(made).by_similarity


def test_statistics_of_another_contract_are_ignored(tmp_path, photos):
    engine = NarrowEngine(measured=True)
    engine.contract = "b" * 16
    made = build([str(photos)], tmp_path / "out", engine)
    assert made.card["cleaning"] == {"by_similarity": False}


def test_decisions_use_the_statistics_of_the_build(tmp_path, photos):
    """The embedder's card is not installed: the dataset holds its statistics."""
    made = build([str(photos)], tmp_path / "out", NarrowEngine(measured=True))
    assert Dataset.open(tmp_path / "out").statistics == made.statistics
    kept = decide(tmp_path / "out", "keep", ["Person_0/wrong.png"])
    assert findings(kept)[0] == {"Person_2/same.png": "duplicate"}
    assert findings(kept)[1] == {("Person 5", "Person 5 again")}


def test_a_dataset_without_statistics_uses_those_of_the_default_card(tmp_path, photos):
    made = build([str(photos)], tmp_path / "out", SquareEngine(contract=SFACE_CONTRACT))
    card = json.loads((tmp_path / "out" / CARD).read_text("utf-8"))
    del card["statistics"], card["cleaning"], card["warnings"]
    (tmp_path / "out" / CARD).write_text(json.dumps(card))
    assert Dataset.open(tmp_path / "out").statistics == made.statistics
    # Not for embeddings of another contract.
    (tmp_path / "out" / CARD).write_text(json.dumps(card | {"contract": "b" * 16}))
    assert Dataset.open(tmp_path / "out").statistics is None


def test_commands_warn_that_cleaning_is_off(tmp_path, photos, monkeypatch):
    engine = NarrowEngine(measured=False)
    monkeypatch.setattr(Engine, "open", lambda **_: engine)

    def mien(*arguments):
        return CliRunner().invoke(cli, ["dataset", *map(str, arguments)])

    for more in ([], ["--json"]):
        printed = mien("build", photos, "-o", tmp_path / "out", *more).stderr
        assert f"warning: Cleaning by similarity is off: {NOT_CALIBRATED}" in printed
        assert "mien models measure narrow DATASET --write" in printed
    for command in ("check", "leaks"):
        assert NOT_CALIBRATED in mien(command, tmp_path / "out").stderr
