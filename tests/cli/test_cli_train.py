"""`mien train` on real photos: the public-domain portraits."""

from __future__ import annotations

import json
import shutil

import pytest

import mien.cli.train as command
from mien.cli import main
from mien.dataset.build import build
from mien.photo import read_photo
from mien.recognizer import Recognizer

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def presidents(tmp_path_factory, engine, portraits):
    """Return the folder of a dataset of two people, one of them with three photos."""
    root = tmp_path_factory.mktemp("presidents")
    for person, names in {
        "Barack_Obama": ("obama.jpg", "obama2.jpg", "obama3.jpg"),
        "Joe_Biden": ("biden.jpg",),
    }.items():
        folder = root / "photos" / person
        folder.mkdir(parents=True)
        for name in names:
            shutil.copy(portraits / name, folder / name)
    build([str(root / "photos")], root / "people", engine)
    return root / "people"


@pytest.fixture(scope="module")
def passers_by(tmp_path_factory, engine, portraits):
    """Return the folder of a dataset of one known and one other name."""
    root = tmp_path_factory.mktemp("strangers")
    for person, name in {"BARACK OBAMA": "obama.jpg", "Stranger": "32bit.png"}.items():
        (root / "photos" / person).mkdir(parents=True)
        shutil.copy(portraits / name, root / "photos" / person / name)
    build([str(root / "photos")], root / "others", engine)
    return root / "others"


@pytest.fixture
def train(capfd, monkeypatch):
    """Return train(*arguments) -> (exit code, standard output, standard error)."""
    monkeypatch.setattr(command.out, "width", 400)

    def call(*arguments):
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main(["train", *map(str, arguments)])
        return left.value.code, *capfd.readouterr()

    return call


def test_a_recognizer_that_names_a_photo_not_trained_on(train, presidents, portraits, tmp_path):
    path = tmp_path / "people.onnx"
    code, out, err = train(presidents, "-o", path)
    assert code == 0
    assert "chosen" in out
    assert "not supported: too little is known of strangers" in out
    assert "300 strangers are needed to measure 1 %" in " ".join(out.split())
    assert "MIT" in out
    assert "Apache-2.0" in out
    assert "knows 2 people from 3 photos" in out
    assert "warning: Probabilities are about the typical ones" in err
    (face,) = Recognizer.load(path).identify(read_photo(portraits / "32bit.png"))
    assert face.name == "Barack Obama"
    assert [each.name for each in tmp_path.iterdir()] == ["people.onnx"]


def test_json_is_one_object(train, presidents, tmp_path):
    code, out, _ = train(presidents, "-o", tmp_path / "people.onnx", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["recognizer"].endswith("people.onnx")
    assert [weights["licence"] for weights in report["weights"]] == ["MIT", "Apache-2.0"]
    assert report["policy"].keys() >= {
        "threshold",
        "false_positive_rate",
        "expected",
        "supported",
        "basis",
        "supportable",
        "stranger_people",
        "strangers_needed",
    }
    assert (report["policy"]["basis"], report["policy"]["stranger_people"]) == ("card", 2)
    measured = Recognizer.load(tmp_path / "people.onnx").about.measured
    assert measured["policy"] == report["policy"]


def test_the_same_data_and_seed_give_the_same_file(train, presidents, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    for name in ("one.onnx", "two.onnx"):
        assert train(presidents, "-o", tmp_path / name, "--seed", "5")[0] == 0
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_the_loss_of_a_learned_head_is_shown(train, presidents, tmp_path):
    code, out, err = train(presidents, "-o", tmp_path / "people.onnx", "--head", "margin")
    assert code == 0
    (line,) = (line for line in out.splitlines() if line.startswith("loss over"))
    losses = [float(loss) for loss in line.split(": ")[1].split()]
    assert line.startswith("loss over 60 epochs")
    assert 10 <= len(losses) <= 13
    assert losses[-1] < losses[0]
    assert "not supported" in out
    assert "300 too few" in err


def test_an_unsupported_rate_reports_the_missing_strangers(train, presidents, tmp_path):
    options = ("--false-positive-rate", "1e-8", "--json")
    code, out, err = train(presidents, "-o", tmp_path / "people.onnx", *options)
    assert code == 0
    policy = json.loads(out)["policy"]
    assert not policy["supported"]
    assert policy["supportable"] > 1e-8
    assert "takes 300,000,000 strangers, and 0 are there, 300,000,000 too few" in err
    (warning,) = (text for text in json.loads(out)["warnings"] if "300,000,000" in text)
    assert warning.endswith("Give more strangers with --strangers DATASET.")
    assert f"warning: {warning}" in err
    assert "too-few-strangers" in json.loads(out)["warning_codes"]
    stored = Recognizer.load(tmp_path / "people.onnx").about.measured["warnings"]
    assert warning.removesuffix(" Give more strangers with --strangers DATASET.") in stored


def test_strangers_are_people_with_other_names(train, presidents, passers_by, tmp_path):
    options = ("--strangers", passers_by, "--json")
    code, out, _ = train(presidents, "-o", tmp_path / "people.onnx", *options)
    assert code == 0
    report = json.loads(out)
    # The two of the gallery, each left out in turn; not BARACK OBAMA, and Stranger, who shows the
    # same man, is left out with a warning.
    assert report["policy"]["stranger_people"] == 2
    assert "strangers-likely-known" in report["warning_codes"]
    (warning,) = (text for text in report["warnings"] if "are left out" in text)
    assert "Stranger (as Barack Obama)" in warning
    assert not report["policy"]["supported"]


def test_leave_one_out(train, presidents):
    code, out, _ = train(presidents, "--leave-one-out")
    assert code == 0
    assert "3 of 3 photos named right by the others" in out
    code, out, _ = train(presidents, "--leave-one-out", "--json")
    assert code == 0
    assert json.loads(out) == {"correct": 3, "total": 3, "wrong": []}


@pytest.mark.parametrize("rate", ["0", "1", "-0.1", "2", "nan", "inf", "1e-12", "a lot"])
def test_rates_out_of_range_are_refused(train, presidents, tmp_path, rate):
    code, _, err = train(presidents, "-o", tmp_path / "x.onnx", f"--false-positive-rate={rate}")
    assert code == 2
    assert "--false-positive-rate" in err
    assert not list(tmp_path.iterdir())


def test_missing_and_unwritable_outputs_are_refused(train, presidents, tmp_path):
    code, _, err = train(presidents)
    assert code == 2
    assert "-o people.onnx" in err
    code, _, err = train(presidents, "-o", tmp_path / "no folder" / "people.onnx")
    assert code == 17
    assert "cannot write" in err


def test_folders_without_a_dataset_are_refused(train, presidents, tmp_path):
    for arguments in (
        (tmp_path, "-o", tmp_path / "x.onnx"),
        (presidents, "-o", tmp_path / "x.onnx", "--strangers", tmp_path),
        (tmp_path, "--leave-one-out"),
    ):
        code, _, err = train(*arguments)
        assert code == 14
        assert "no dataset there" in err
        assert "mien dataset build" in err


def test_strangers_that_the_dataset_knows_are_refused(train, presidents, tmp_path):
    code, _, err = train(presidents, "-o", tmp_path / "x.onnx", "--strangers", presidents)
    assert code == 15
    assert "no usable photo of a person who is not in the dataset" in err


def test_embeddings_of_another_contract_are_refused(train, presidents, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(presidents, other)
    card = json.loads((other / "dataset.json").read_text("utf-8"))
    (other / "dataset.json").write_text(json.dumps({**card, "contract": "another"}), "utf-8")
    for arguments in ((other,), (presidents, "--strangers", other)):
        code, _, err = train(*arguments, "-o", tmp_path / "x.onnx")
        assert code == 13
        assert "another" in err
