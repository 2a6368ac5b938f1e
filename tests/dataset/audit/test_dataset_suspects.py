"""Labels that are likely wrong: found, ranked and shown."""

import json

import pytest
from squares import SquareEngine, people_folder, person, write

from mien.cli import main
from mien.dataset.audit.suspects import find_suspects
from mien.dataset.build import Options, build
from mien.dataset.curate import SplitRule
from mien.dataset.decide import decide, decide_people


@pytest.fixture
def wrong(tmp_path):
    """Return a dataset of six people with a photo of 1 under 0, 5 under two names, 2 twice."""
    root = people_folder(tmp_path / "photos", people=6, photos=4)
    write(root / "Person_00" / "wrong.png", person(1, 12))
    for shot in range(4, 7):
        write(root / "Fifth" / f"{shot}.png", person(5, shot))
    write(root / "Person_02" / "again.png", person(2, 1))
    options = Options(rule=SplitRule(flip_singletons=True))
    return build([str(root)], tmp_path / "out", SquareEngine(), options)


def test_wrong_labels_of_each_kind_are_listed_first(wrong):
    found = find_suspects(wrong)
    kinds = {suspect.kind: suspect for suspect in found[:3]}
    assert set(kinds) == {"wrong-label", "two-names", "copy"}
    assert kinds["wrong-label"].entries[0].photo == "Person_00/wrong.png"
    assert kinds["wrong-label"].people == ("Person 00", "Person 01")
    assert kinds["two-names"].people == ("Fifth", "Person 05")
    assert {e.photo for e in (*kinds["copy"].entries, *kinds["copy"].compared)} == {
        "Person_02/01.png",
        "Person_02/again.png",
    }
    assert all(0 < suspect.score < 1 for suspect in found)
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
    assert all(suspect.score < 0.5 for suspect in found[3:])


def test_decided_labels_are_not_listed(wrong):
    first = find_suspects(wrong)[:3]
    by_kind = {suspect.kind: suspect for suspect in first}
    decide(wrong.path, "keep", [by_kind["wrong-label"].entries[0].id])
    decide(wrong.path, "drop", [by_kind["copy"].entries[0].id])
    made = decide_people(wrong.path, "different", by_kind["two-names"].people)
    left = find_suspects(made)
    assert all(suspect.score < 0.5 for suspect in left)


def test_clean_photos_are_not_suspect(tmp_path):
    root = people_folder(tmp_path / "photos", people=6, photos=4)
    made = build([str(root)], tmp_path / "out", SquareEngine())
    assert all(suspect.score < 0.5 for suspect in find_suspects(made))


def test_the_check_command(wrong, tmp_path, capsys):
    page = tmp_path / "check.html"
    for words in ([], ["--json"], ["-o", str(page)], ["--limit", "1"]):
        with pytest.raises(SystemExit) as caught:
            main(["dataset", "check", str(wrong.path), *words])
        assert caught.value.code == 0
        printed = capsys.readouterr()
        assert "complete" in printed.err
        if "--json" in words:
            found = json.loads(printed.out)
            assert {f["kind"] for f in found[:3]} == {"wrong-label", "two-names", "copy"}
        else:
            assert len(printed.out.splitlines()) == (1 if "--limit" in words else 3)
    text = page.read_text("utf-8")
    assert text.count("data:image/jpeg") > 10
    assert "mien dataset same" in text
    assert "Person_00/wrong.png" in text
    assert "http" not in text.replace("http-equiv", "")
