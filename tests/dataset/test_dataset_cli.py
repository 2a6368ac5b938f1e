import json

import pytest
from click.testing import CliRunner
from squares import SquareEngine, people_folder, person, write

from mien.cli import dataset as module
from mien.cli import exit_code
from mien.cli.dataset import dataset
from mien.errors import MienError


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(module.Engine, "open", lambda **_: SquareEngine())

    def call(*arguments, code=0):
        result = CliRunner().invoke(dataset, [str(a) for a in arguments])
        if isinstance(result.exception, MienError):
            assert exit_code(result.exception) == code, result.exception
        else:
            assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture
def built(run, tmp_path):
    root = people_folder(tmp_path / "photos", people=3, photos=6)
    write(root / "Person_00" / "wrong.png", person(1, 12))
    (root / "Person_01" / "bad.jpg").write_bytes(b"bad")
    run("build", root, "-o", tmp_path / "out")
    return tmp_path / "out"


def test_build_prints_its_card(run, tmp_path):
    root = people_folder(tmp_path / "photos")
    result = run("build", root, "-o", tmp_path / "out", "--json", "--seed", "4", "--jobs", "1")
    card = json.loads(result.stdout)
    assert (card["people"], card["photos"], card["split"]["seed"]) == (3, 12, 4)
    assert json.loads(run("show", tmp_path / "out", "--json").stdout) == card


def test_build_says_what_it_did(run, tmp_path):
    root = people_folder(tmp_path / "photos")
    (root / "Person_01" / "bad.jpg").write_bytes(b"bad")
    (root / "Person_01" / "notes.txt").write_bytes(b"x")
    result = run("build", root, "-o", tmp_path / "out")
    assert "3  people" in " ".join(result.stdout.split("\n")[0].split(" "))
    assert "not a photo: 1" in result.stdout
    assert "bad.jpg" in result.stderr
    assert "mien dataset review" in result.stderr
    assert "mien train" in result.stderr


def test_show_check_review_keep_drop(run, built):
    assert "mislabelled" in run("show", built, "--person", "person 00").stdout
    listed = json.loads(run("show", built, "--person", "Person_00", "--json").stdout)
    wrong = next(e for e in listed if e["reason"] == "mislabelled")
    assert str(built / "review.html") in run("review", built).stdout
    assert "1 kept" in run("keep", built, wrong["id"]).stderr
    assert "1 dropped" in run("drop", built, "Person_02/00.png").stderr
    assert "two people" in run("different", built, "Person 00", "Person 01").stderr
    assert "one person" in run("same", built, "Person 01", "Person 02").stderr
    assert "whole" in run("check", built).stderr


def test_a_lost_crop_is_found_by_check(run, built):
    next((built / "crops").rglob("*.jpg")).unlink()
    run("check", built, code=14)


def test_errors_have_their_codes(run, tmp_path, built):
    run("build", tmp_path / "nothing", "-o", tmp_path / "o", code=14)
    run("show", tmp_path / "nothing", code=14)
    run("keep", built, "nonsense", code=14)
    run("keep", built, "Person_01/bad.jpg", code=11)
    run("build", tmp_path / "photos", "-o", built / "dataset.json", code=17)
    run("show", built, "--person", "Nobody", code=2)
    run("build", tmp_path / "photos", "-o", tmp_path / "o", "--crop", "padding:3", code=2)
    run("build", tmp_path / "photos", "-o", tmp_path / "o", "--train-share", "1.0", code=2)


def test_a_leak_is_said_loudly(run, tmp_path):
    root = people_folder(tmp_path / "photos", people=2, photos=1)
    result = run("build", root, "-o", tmp_path / "out", "--flip-singletons")
    assert "LEAK" in result.stdout


def test_every_command_has_examples(run):
    for name in dataset.commands:
        assert "Examples:" in run(name, "--help").stdout
