import json
import shlex

import pytest
from click.testing import CliRunner
from squares import SquareEngine, people_folder, person, write

from mien.cli import exit_code
from mien.cli.dataset.commands import dataset
from mien.dataset.storage.ledger import LEDGER
from mien.engine import Engine
from mien.errors import MienError


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(Engine, "open", lambda **_: SquareEngine())

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


def test_build_prints_a_summary(run, tmp_path):
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
    printed = run("same", built, "person_01", "Person 02").stderr
    assert "are one person, called Person 01; the dataset has 2 people now" in printed
    undo = printed.split("To undo:  mien dataset ")[1].split("\n")[0]
    assert "Person_01/00.png" in run("show", built, "--person", "Person 02").stdout
    run(*shlex.split(undo))
    assert "Person_01/00.png" not in run("show", built, "--person", "Person 02").stdout
    assert "complete" in run("check", built).stderr


def test_without_a_ledger_names_are_merged_by_the_next_build(run, built):
    (built / LEDGER).unlink()
    printed = run("same", built, "Person 01", "Person 02").stderr
    assert "Person 01 and Person 02 are one person from the next build on." in printed


def test_an_unknown_name_gets_a_hint_with_similar_names(run, built):
    printed = " ".join(run("show", built, "--person", "persn 01", code=2).stderr.split())
    assert "Did you mean Person 01" in printed
    assert "02?" in run("show", built, "--person", "02", code=2).stderr
    assert "manifest.csv" in run("show", built, "--person", "Zoë", code=2).stderr


def lines(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_summary_uses_the_singular(run, tmp_path):
    root = tmp_path / "photos"
    write(root / "Ann" / "a.png", person(0, 0))
    (root / "Ann" / "copy.png").write_bytes((root / "Ann" / "a.png").read_bytes())
    write(root / "Ann" / "wall.png")
    (root / "Ann" / "bad.png").write_bytes(b"bad")
    printed = lines(run("build", root, "-o", tmp_path / "out").stdout)
    assert printed[:3] == ["1 person", "4 photos", "1 used"]
    assert set(printed[3:6]) == {
        "1 the same file as another photo (duplicate)",
        "1 no face found (no-face)",
        "1 could not be read (unreadable)",
    }


def test_photos_of_both_sides_add_up(run, built):
    printed = lines(run("show", built).stdout)
    used, train, validation = (
        next(line.split() for line in printed if words in line)
        for words in (" used", "on the training side", "on the validation side")
    )
    assert int(used[0]) == int(train[5]) + int(validation[5])
    assert int(train[0]) + int(validation[0]) == int(used[0]) + 1, "one is set aside"
    card = (built / "README.md").read_text("utf-8")
    assert f"{train[0]} photos on the training side, {train[5]} of them used" in card
    assert f"{validation[0]} on the validation side, {validation[5]} of them used" in card
    assert "likely another person" in card


def test_check_finds_a_missing_crop(run, built):
    next((built / "crops").rglob("*.jpg")).unlink()
    run("check", built, code=14)


def test_exit_codes(run, tmp_path, built):
    run("build", tmp_path / "nothing", "-o", tmp_path / "o", code=14)
    run("show", tmp_path / "nothing", code=14)
    run("keep", built, "nonsense", code=14)
    run("keep", built, "Person_01/bad.jpg", code=11)
    run("build", tmp_path / "photos", "-o", built / "dataset.json", code=17)
    run("show", built, "--person", "No Person", code=2)
    run("build", tmp_path / "photos", "-o", tmp_path / "o", "--crop", "padding:3", code=2)
    run("build", tmp_path / "photos", "-o", tmp_path / "o", "--train-share", "1.0", code=2)


def test_a_leak_is_printed_as_a_warning(run, tmp_path):
    root = people_folder(tmp_path / "photos", people=2, photos=1)
    result = run("build", root, "-o", tmp_path / "out", "--flip-singletons")
    assert "LEAK" in result.stdout


def test_every_command_has_examples(run):
    for name in dataset.commands:
        assert "Examples:" in run(name, "--help").stdout
