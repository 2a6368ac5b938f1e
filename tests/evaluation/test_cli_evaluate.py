import json
from types import SimpleNamespace

import hand_worked as hand
import pytest

from mien.cli import main
from mien.dataset import Dataset
from mien.recognizer import Recognizer


def run(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", *map(str, arguments)])
    return caught.value.code


@pytest.fixture
def measured(monkeypatch):
    """Make every recognizer and every dataset the hand-worked one."""
    weights = SimpleNamespace(id="net", licence="MIT", publisher="Zoo", trained_on="faces")
    about = SimpleNamespace(
        detector=weights, embedder=weights, dataset="d" * 64, created="2026", version="0"
    )
    recognizer = SimpleNamespace(head=hand.head(), about=about)
    monkeypatch.setattr(Recognizer, "load", lambda *_, **__: recognizer)
    others = hand.dataset([("Dan", 30, "train", ""), ("Eve", 270, "train", "")])
    photos = hand.dataset(hand.PHOTOS)
    monkeypatch.setattr(Dataset, "open", lambda path: others if path.name == "others" else photos)


@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize("start", [(), ("--json",)])
def test_json_is_one_object(capsys, tmp_path, start):
    rest = () if start else ("--json",)
    report = tmp_path / "report.html"
    assert run(*start, "people.onnx", "photos", *rest, "-o", report) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["rank1"] == pytest.approx(0.8)
    assert set(found) >= {"rank1_interval", "rank5", "probes", "people", "open_set", "ece"}
    assert found["open_set"]["fpir"] == pytest.approx(0.5 / 3)
    assert "report.html" in printed.err
    assert "mien evaluate" in report.read_text("utf-8")


@pytest.mark.usefixtures("measured")
def test_strangers_and_a_table(capsys):
    assert run("people.onnx", "photos", "--strangers", "others") == 0
    printed = capsys.readouterr().out
    assert "80.00 %" in printed
    assert "2 strangers" in printed


def test_errors_have_their_exit_codes(tmp_path, capsys):
    assert run("lfw", "--root", tmp_path, "--pairs", tmp_path / "none.txt") == 16
    assert "none.txt" in capsys.readouterr().err
    assert run(tmp_path / "none.onnx", tmp_path) == 13


def test_help_shows_examples(capsys):
    assert run("--help") == 0
    printed = capsys.readouterr().out
    assert "mien evaluate people.onnx dataset -o report.html" in printed
    assert run("lfw", "--help") == 0
    assert "--choose-on" in capsys.readouterr().out
