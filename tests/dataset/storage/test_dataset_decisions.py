import csv
import shutil

import pytest
from squares import SquareEngine, people_folder, person, write

from mien.dataset import Dataset
from mien.dataset.audit.review_page import write_review
from mien.dataset.build import build
from mien.dataset.decide import decide, decide_people, suggest_names
from mien.dataset.storage.decisions import DECISIONS, read_decisions
from mien.dataset.storage.ledger import LEDGER
from mien.dataset.storage.opened_dataset import MANIFEST
from mien.errors import NoFace, NotADataset, UnknownEntry


@pytest.fixture
def photos(tmp_path):
    root = people_folder(tmp_path / "photos", people=3, photos=6)
    write(root / "Person_00" / "wrong.png", person(1, 12))
    write(root / "Person_02" / "no-face.png", (0, 0, 0))
    shutil.copy(root / "Person_02" / "00.png", root / "Person_02" / "copy.png")
    return root


@pytest.fixture
def made(tmp_path, photos):
    return build([str(photos)], tmp_path / "out", SquareEngine())


def entry_of(dataset, photo):
    return next(e for e in dataset.entries if e.photo == photo)


def test_a_decision_applies_at_once_and_to_later_builds(tmp_path, photos, made):
    wrong = entry_of(made, "Person_00/wrong.png")
    assert wrong.reason == "mislabelled"
    good = entry_of(made, "Person_01/03.png")
    decide(made.path, "keep", [wrong.id])
    after = decide(made.path, "drop", ["Person_01/03.png"])
    for dataset in (after, build([str(photos)], tmp_path / "out", SquareEngine())):
        kept, dropped = entry_of(dataset, wrong.photo), entry_of(dataset, good.photo)
        assert kept.used
        assert kept.evidence == "kept by you"
        assert (dropped.used, dropped.reason) == (False, "dropped")
    with (made.path / DECISIONS).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["decision"], row["what"]) for row in rows] == [
        ("keep", wrong.id),
        ("drop", good.id),
    ]
    assert rows[1]["note"] == "Person 01: Person_01/03.png"


def test_the_last_decision_applies(made):
    decide(made.path, "drop", ["Person_01/03.png"])
    after = decide(made.path, "keep", ["Person_01/03.png"])
    assert entry_of(after, "Person_01/03.png").used


def test_unknown_entries_are_rejected(made):
    with pytest.raises(UnknownEntry, match="no entry nonsense"):
        decide(made.path, "keep", ["nonsense"])
    assert not (made.path / DECISIONS).exists()


def test_a_photo_without_a_face_cannot_be_kept(made):
    with pytest.raises(NoFace):
        decide(made.path, "keep", ["Person_02/no-face.png"])


def test_a_folder_without_a_dataset_is_rejected(tmp_path):
    with pytest.raises(NotADataset):
        decide(tmp_path, "keep", ["x"])


def test_two_names_are_merged_and_separated(tmp_path, photos, made):
    before = {e.photo: e.id for e in made.entries}
    after = decide_people(made.path, "same", ("person 00", "Person 01"))
    again = build([str(photos)], tmp_path / "out", SquareEngine())
    for dataset in (after, again):
        assert dataset.people == ("Person 00", "Person 02")
        assert {e.photo: e.id for e in dataset.entries} == before
    undone = decide_people(made.path, "different", ("Person 01", "Person 00"))
    assert undone.people == made.people


def test_invalid_pairs_of_names_are_rejected(made):
    with pytest.raises(UnknownEntry, match="no person") as caught:
        decide_people(made.path, "same", ("Person 00", "Person 0l"))
    assert "Did you mean Person 0" in caught.value.hint
    with pytest.raises(UnknownEntry, match="no person") as caught:
        decide_people(made.path, "same", ("Person 00", "Zoë"))
    assert caught.value.hint == f"The column person of {made.path / MANIFEST} has the names."
    with pytest.raises(UnknownEntry, match="one name"):
        decide_people(made.path, "different", ("Person 00", "PERSON_00"))


def test_without_a_ledger_a_decision_waits_for_the_next_build(tmp_path, photos, made):
    (made.path / LEDGER).unlink()
    decide(made.path, "drop", ["Person_01/03.png"])
    assert entry_of(Dataset.open(made.path), "Person_01/03.png").used
    again = build([str(photos)], tmp_path / "out", SquareEngine())
    assert not entry_of(again, "Person_01/03.png").used


@pytest.mark.parametrize("line", ["2026,perhaps,x,,", "2026", "\x00"])
def test_an_invalid_decisions_file_is_rejected(made, line):
    (made.path / DECISIONS).write_text(f"when,decision,what,other,note\n{line}\n", "utf-8")
    with pytest.raises(NotADataset) as caught:
        read_decisions(made.path)
    assert DECISIONS in str(caught.value)


def test_the_review_page_needs_no_network(made):
    decide(made.path, "drop", ["Person_01/03.png"])
    page = write_review(Dataset.open(made.path)).read_text("utf-8")
    wrong = entry_of(made, "Person_00/wrong.png")
    assert wrong.id in page
    assert wrong.evidence in page
    assert f"mien dataset keep {made.path} {wrong.id}" in page
    assert "data:image/jpeg;base64," in page
    assert "http://" not in page
    assert "https://" not in page
    for title in ("Likely another person", "Exact copies", "Dropped by you", "No face found"):
        assert title in page


def test_the_review_page_shows_names_as_text(tmp_path):
    for i in range(2):
        write(tmp_path / "in" / f"{i}.png", person(0, i))
    (tmp_path / "in" / "bad.png").write_bytes(b"x")
    name = "<img src=x onerror=alert(1)>"
    (tmp_path / "list.csv").write_text(
        "path,person\n" + "".join(f"in/{p}.png,{name}\n" for p in ("0", "1", "bad")), "utf-8"
    )
    made = build([str(tmp_path / "list.csv")], tmp_path / "out", SquareEngine())
    page = write_review(made).read_text("utf-8")
    assert name not in page
    assert "&lt;img src=x" in page


def test_an_existing_review_page_is_updated_by_decisions(made):
    path = write_review(made)
    before = path.read_text("utf-8")
    decide(made.path, "drop", ["Person_01/03.png"])
    assert path.read_text("utf-8") != before


@pytest.mark.parametrize("wanted", ["Anne", "lovelase", "ada_lovelac", "ADA"])
def test_a_part_of_a_name_suggests_the_name(wanted):
    people = ["Grace Hopper", "Ada Lovelace", "Ann Veneman"]
    expected = "Ann Veneman" if wanted == "Anne" else "Ada Lovelace"
    assert suggest_names("people", wanted, people).startswith(f"Did you mean {expected}")
