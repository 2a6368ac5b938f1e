"""`mien models measure`: a user's own embedder gets a whole card."""

from __future__ import annotations

import hashlib
import json

import pytest
from click.testing import CliRunner
from patterns import BlockEngine, pattern_dataset

from mien.cli import cli, exit_code
from mien.dataset import Dataset
from mien.engine import Engine
from mien.errors import TooFewPeople
from mien.evaluation.embedder import measure
from mien.models.cards import DEFAULT_EMBEDDER, card
from mien.policy import CleaningLimits

OWN = f"""
id = "blocks"
kind = "embedder"
title = "Blocks"
licence = "CC0-1.0"
publisher = "The tests"
trained_on = "nothing"  # at all

[weights]
sha256 = "{hashlib.sha256(b"x").hexdigest()}"
size = 1

[input]
colour = "RGB"
side = 112

[output]
dimension = 148
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return run(*arguments) with an own embedder in the store and a dataset to measure on."""
    (tmp_path / "home" / "cards").mkdir(parents=True)
    (tmp_path / "home" / "cards" / "blocks.toml").write_text(OWN)
    made = pattern_dataset(BlockEngine())
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(measure, "_COPIED", 30)
    monkeypatch.setattr(Dataset, "open", lambda _: made)
    monkeypatch.setattr(Engine, "open", lambda **_: BlockEngine())

    def call(*arguments):
        return CliRunner().invoke(cli, ["models", "measure", *map(str, arguments)])

    return call


def test_an_own_card_becomes_whole(run, tmp_path):
    contract = BlockEngine().contract
    assert card("blocks").statistics_for(contract) is None
    done = run("blocks", "people", "--write", "--json")
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    written = card("blocks")
    statistics = written.statistics_for(contract)
    assert json.loads(json.dumps(statistics.to_dict()["impostors"])) == printed["impostors"]
    assert written.contracts == (contract,)
    assert written.statistics_for("f" * 16) is None
    assert printed["limits"]["same_person"] == CleaningLimits.of(statistics).same_person
    assert printed["comparisons"] == {"impostors": 42840, "genuine": 360, "copies": 270}
    assert len(printed["intervals"]["genuine"]) == len(printed["genuine"]["false_non_match_rate"])
    text = (tmp_path / "home" / "cards" / "blocks.toml").read_text("utf-8")
    assert text.startswith(OWN.rstrip())
    assert run("blocks", "people", "--write").exit_code == 0
    assert (tmp_path / "home" / "cards" / "blocks.toml").read_text("utf-8") == text


def test_a_card_in_a_file_and_a_table_on_the_screen(run, tmp_path):
    done = run(DEFAULT_EMBEDDER, "people", "-o", tmp_path / "card.toml")
    assert done.exit_code == 0, done.output
    assert "42,840 impostor comparisons" in done.stdout
    assert "95 % interval" in done.stdout
    assert "120 people, 360 photos" in done.stdout
    text = (tmp_path / "card.toml").read_text("utf-8")
    assert f'contract = "{BlockEngine().contract}"' in text
    assert "patterns, 120 people" in text
    assert "Labeled Faces in the Wild, 5,689" not in text


def test_what_is_not_written_is_said(run):
    assert "Not written anywhere" in run("blocks", "people").stderr


def test_mien_s_own_cards_are_not_changed(run):
    refused = run(DEFAULT_EMBEDDER, "people", "--write")
    assert refused.exit_code == 2
    assert "is a card of Mien's" in refused.output


def test_too_few_people_have_their_exit_code(run, monkeypatch):
    monkeypatch.setattr(Dataset, "open", lambda _: pattern_dataset(BlockEngine(), 20, 2))
    refused = run("blocks", "people")
    assert isinstance(refused.exception, TooFewPeople)
    assert exit_code(refused.exception) > 1
