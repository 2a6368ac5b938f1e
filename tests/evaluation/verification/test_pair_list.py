import json

import numpy as np
import pytest
from PIL import Image
from test_lfw import GreyEngine

from mien.cli import main
from mien.errors import InvalidPairs, NothingToMeasure
from mien.evaluation import evaluate_pair_list, read_pair_list
from mien.evaluation.verification.pair_list import PhotoPair, people_of_pairs

LIST = "first,second,same\na.png,b.png,1\na.png,c.png,0\nc.png,d.png,yes\nb.png,d.png,no\n"


@pytest.fixture
def photos(tmp_path):
    for name, grey in {"a": 20, "b": 30, "c": 110, "d": 120}.items():
        Image.fromarray(np.full((16, 16, 3), grey, np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "pairs.csv").write_text(LIST)
    return tmp_path


def test_pairs_by_hand(photos):
    pairs = read_pair_list(photos / "pairs.csv")
    assert pairs[0] == PhotoPair("a.png", "b.png", same=True)
    result = evaluate_pair_list(GreyEngine(), photos, pairs)
    assert result.scored.scores == pytest.approx(np.cos(np.deg2rad([10, 90, 10, 90])), abs=0.02)
    assert result.people == 2
    found = result.to_dict()
    assert found["accuracy"] == 1
    assert found["pairs"] == found["photos"] == 4
    assert found["people"] == 2
    assert "optimistic" in found["rule"]


def test_folds_and_other_pairs(photos):
    text = "a.png,b.png,1,1\na.png,c.png,0,1\nc.png,d.png,1,2\nb.png,d.png,0,2\n"
    (photos / "folds.csv").write_text(text)
    folded = evaluate_pair_list(GreyEngine(), photos, read_pair_list(photos / "folds.csv"))
    assert folded.scored.folds == (1.0, 1.0)
    some = read_pair_list(photos / "pairs.csv")
    chosen = evaluate_pair_list(GreyEngine(), photos, some, choose_on=some[:2])
    assert "2 other pairs" in chosen.scored.rule


def test_unreadable_photos_are_missed(photos):
    (photos / "b.png").write_bytes(b"no picture")
    (photos / "d.png").unlink()
    result = evaluate_pair_list(GreyEngine(), photos, read_pair_list(photos / "pairs.csv"))
    assert result.missed == ("b.png", "d.png")
    assert result.scored.scores[0] == -1
    (photos / "a.png").unlink()
    (photos / "c.png").unlink()
    with pytest.raises(NothingToMeasure, match="no face"):
        evaluate_pair_list(GreyEngine(), photos, read_pair_list(photos / "pairs.csv"))


def test_pairs_of_one_kind(photos):
    with pytest.raises(NothingToMeasure, match="pairs of one person"):
        evaluate_pair_list(GreyEngine(), photos, read_pair_list(photos / "pairs.csv")[:1])


def test_pairs_of_one_person_connect_photos():
    pairs = [PhotoPair("a", "b", True), PhotoPair("b", "c", True), PhotoPair("c", "d", False)]
    people = people_of_pairs(pairs)
    assert people["a"] == people["b"] == people["c"] != people["d"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no pairs"),
        ("first,second,same\n", "no pairs"),
        ("a,b\n", "line 1: expected path,path,same"),
        ("a,b,1\na,c,maybe\n", "line 2: 'maybe'"),
        ("a,a,1\n", "with itself"),
        ("a,b,1,x\n", "number of a fold"),
        ('a,"b,1\n', "expected"),
    ],
)
def test_malformed_lists_are_refused(tmp_path, text, why):
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    with pytest.raises(InvalidPairs, match=why):
        read_pair_list(path)


def test_missing_and_binary_files_are_refused(tmp_path):
    with pytest.raises(InvalidPairs, match="No such file"):
        read_pair_list(tmp_path / "none.csv")
    (tmp_path / "photo.csv").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(InvalidPairs, match="text file"):
        read_pair_list(tmp_path / "photo.csv")


def test_the_commands(photos, capsys, monkeypatch):
    from mien import engine

    monkeypatch.setattr(engine.Engine, "open", lambda **_: None)
    monkeypatch.setattr(engine, "Pipeline", lambda *_, **__: GreyEngine())
    for words in ([], ["--json"], ["--choose-on", str(photos / "pairs.csv"), "--face", "centre"]):
        with pytest.raises(SystemExit) as caught:
            main(["evaluate", "pairs", str(photos / "pairs.csv"), *words])
        assert caught.value.code == 0
        printed = capsys.readouterr().out
        if "--json" in words:
            assert json.loads(printed)["accuracy"] == 1
        else:
            assert "accuracy 1.0000 on 4 pairs" in " ".join(printed.split())
