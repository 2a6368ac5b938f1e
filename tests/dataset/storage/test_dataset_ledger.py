"""A ledger of another version, damaged or locked: its work is kept or done again, and told."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from squares import SquareEngine, people_folder

from mien.dataset import Dataset
from mien.dataset.build import build, refresh
from mien.dataset.decide import decide
from mien.dataset.storage.ledger import LEDGER, SCHEMA, Ledger
from mien.errors import NotADataset, OutputError


@pytest.fixture
def photos(tmp_path):
    return people_folder(tmp_path / "photos")


@pytest.fixture
def made(tmp_path, photos):
    return build([str(photos)], tmp_path / "out", SquareEngine())


def change(dataset, *statements):
    with closing(sqlite3.connect(dataset.path / LEDGER)) as base:
        for statement in statements:
            base.execute(statement)
        base.commit()


OLDER = {
    "a column is not there": "ALTER TABLE photos DROP COLUMN height",
    "a column has another name": "ALTER TABLE faces RENAME COLUMN numbers TO box",
    "a table is not there": "DROP TABLE crops",
    "there is a table more": "CREATE TABLE thumbs (photo INTEGER)",
}


@pytest.mark.parametrize("statement", OLDER.values(), ids=OLDER)
def test_older_tables_are_begun_anew_by_a_build(tmp_path, photos, made, statement):
    change(made, statement, "PRAGMA user_version = 0")
    engine = SquareEngine()
    again = build([str(photos)], tmp_path / "out", engine)
    assert engine.looked == 12
    assert again.digest == made.digest
    with closing(sqlite3.connect(made.path / LEDGER)) as base:
        assert base.execute("PRAGMA user_version").fetchone() == (SCHEMA,)


@pytest.mark.parametrize("statement", OLDER.values(), ids=OLDER)
def test_a_decision_on_older_tables_says_what_to_do_and_counts_later(
    tmp_path, photos, made, statement
):
    change(made, statement)
    entry = made.entries[0]
    with pytest.raises(NotADataset, match="older Mien") as caught:
        decide(made.path, "drop", [entry.id])
    assert "mien dataset build" in caught.value.hint
    # Nothing was lost: the dataset opens as before, and the next build applies the decision.
    assert Dataset.open(made.path).digest == made.digest
    again = build([str(photos)], tmp_path / "out", SquareEngine())
    assert next(e for e in again.entries if e.id == entry.id).reason == "dropped"


def test_what_another_version_kept_of_the_photos_is_not_read(made):
    change(made, "UPDATE meta SET value = replace(value, '|2|', '|1|')")
    with pytest.raises(NotADataset, match="older Mien"):
        refresh(made.path)


def test_tables_of_now_without_a_version_are_taken(tmp_path, photos, made):
    change(made, "PRAGMA user_version = 0")
    engine = SquareEngine()
    build([str(photos)], tmp_path / "out", engine)
    assert engine.looked == 0


def test_a_newer_ledger_is_left_alone(tmp_path, photos, made):
    change(made, f"PRAGMA user_version = {SCHEMA + 1}")
    before = (made.path / LEDGER).read_bytes()
    for work in (
        lambda: build([str(photos)], tmp_path / "out", SquareEngine()),
        lambda: refresh(made.path),
    ):
        with pytest.raises(NotADataset, match="newer Mien") as caught:
            work()
        assert "-o" in caught.value.hint
    assert (made.path / LEDGER).read_bytes() == before


def test_a_ledger_that_is_locked_loses_nothing(tmp_path, photos, made, monkeypatch):
    connect = sqlite3.connect
    monkeypatch.setattr(
        "mien.dataset.storage.ledger.sqlite3.connect", lambda path, **_: connect(path, timeout=0.1)
    )
    with closing(connect(made.path / LEDGER, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OutputError, match="locked"):
            Ledger(made.path, "stamp")
    monkeypatch.undo()
    engine = SquareEngine()
    build([str(photos)], tmp_path / "out", engine)
    assert engine.looked == 0


def test_damage_inside_is_called_damage(made):
    data = bytearray((made.path / LEDGER).read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    (made.path / LEDGER).write_bytes(data)
    with pytest.raises((OutputError, NotADataset)) as caught:
        refresh(made.path)
    assert "build" in caught.value.hint
