"""`mien.train` and `mien train` make the same recognizer, byte for byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import mien
from mien.cli import main

FIXTURES = Path(__file__).resolve().parent.parent / "compatibility" / "fixtures" / "0.1.0"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in a copy of two datasets, with the toy models that they were made with."""
    for name in ("dataset", "strangers", "home"):
        shutil.copytree(FIXTURES / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIEN_HOME", "home")
    monkeypatch.setenv("MIEN_OFFLINE", "1")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    return tmp_path


def trained_by_command(*arguments):
    with pytest.raises(SystemExit) as left:
        main(["train", *arguments, "-o", "command.onnx"])
    assert left.value.code == 0
    return mien.Recognizer.load("command.onnx")


@pytest.mark.parametrize("strangers", [None, "strangers"])
@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), {}),
        (
            ("--head", "margin", "--false-positive-rate", "0.2", "--seed", "3"),
            {"head": "margin", "false_positive_rate": 0.2, "seed": 3},
        ),
    ],
)
@pytest.mark.usefixtures("folder")
def test_library_and_command_write_equal_files(strangers, arguments, options):
    given = ("--strangers", strangers) if strangers else ()
    by_command = trained_by_command("dataset", *given, *arguments)
    by_library = mien.train("dataset", strangers=strangers, **options)
    assert by_library.policy == by_command.policy
    assert by_library.training == by_command.training
    by_library.save("library.onnx")
    assert Path("library.onnx").read_bytes() == Path("command.onnx").read_bytes()


def test_opened_datasets_train_the_same_recognizer(folder):
    opened = mien.train(
        mien.Dataset.open(folder / "dataset"), strangers=mien.Dataset.open(folder / "strangers")
    )
    paths = mien.train(folder / "dataset", strangers=folder / "strangers")
    assert opened.to_bytes() == paths.to_bytes()


@pytest.mark.usefixtures("folder")
def test_strangers_change_the_policy():
    alone, with_strangers = mien.train("dataset"), mien.train("dataset", strangers="strangers")
    assert with_strangers.policy.strangers > alone.policy.strangers
    assert "the people of strangers" in with_strangers.policy.source


@pytest.mark.usefixtures("folder")
def test_a_trained_recognizer_is_evaluated_from_paths_and_objects():
    recognizer = mien.train("dataset")
    recognizer.save("people.onnx")
    by_paths = mien.evaluate_people("people.onnx", "dataset", strangers="strangers")
    by_objects = mien.evaluate_people(
        recognizer, mien.Dataset.open("dataset"), strangers=mien.Dataset.open("strangers")
    )
    assert by_paths.to_dict() == by_objects.to_dict()
    assert by_paths.open_set.protocol == "strangers"
