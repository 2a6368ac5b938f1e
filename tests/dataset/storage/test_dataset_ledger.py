"""Ledgers of other versions, damaged or locked."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from squares import SquareEngine, people_folder

from mien.cli.hints import hint_of
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
    "a column is missing": "ALTER TABLE photos DROP COLUMN height",
    "a column has another name": "ALTER TABLE faces RENAME COLUMN numbers TO box",
    "a table is missing": "DROP TABLE crops",
    "an additional table": "CREATE TABLE thumbs (photo INTEGER)",
}


@pytest.mark.parametrize("statement", OLDER.values(), ids=OLDER)
def test_a_build_replaces_a_ledger_with_older_tables(tmp_path, photos, made, statement):
    change(made, statement, "PRAGMA user_version = 0")
    engine = SquareEngine()
    again = build([str(photos)], tmp_path / "out", engine)
    assert engine.photos_read == 12
    assert again.digest == made.digest
    with closing(sqlite3.connect(made.path / LEDGER)) as base:
        assert base.execute("PRAGMA user_version").fetchone() == (SCHEMA,)


@pytest.mark.parametrize("statement", OLDER.values(), ids=OLDER)
def test_a_decision_on_a_ledger_with_older_tables_gives_a_hint_and_is_kept(
    tmp_path, photos, made, statement
):
    change(made, statement)
    entry = made.entries[0]
    with pytest.raises(NotADataset, match="older Mien") as caught:
        decide(made.path, "drop", [entry.id])
    assert "Build it again" in caught.value.hint
    assert "mien dataset build" in hint_of(caught.value)
    # Nothing was lost: the dataset opens as before, and the next build applies the decision.
    assert Dataset.open(made.path).digest == made.digest
    again = build([str(photos)], tmp_path / "out", SquareEngine())
    assert next(e for e in again.entries if e.id == entry.id).reason == "dropped"


def test_photos_stored_by_another_version_are_not_used(made):
    change(made, "UPDATE meta SET value = replace(value, '|2|', '|1|')")
    with pytest.raises(NotADataset, match="older Mien"):
        refresh(made.path)


def test_current_tables_without_a_version_are_accepted(tmp_path, photos, made):
    change(made, "PRAGMA user_version = 0")
    engine = SquareEngine()
    build([str(photos)], tmp_path / "out", engine)
    assert engine.photos_read == 0


def test_a_newer_ledger_is_not_changed(tmp_path, photos, made):
    change(made, f"PRAGMA user_version = {SCHEMA + 1}")
    before = (made.path / LEDGER).read_bytes()
    for work in (
        lambda: build([str(photos)], tmp_path / "out", SquareEngine()),
        lambda: refresh(made.path),
    ):
        with pytest.raises(NotADataset, match="newer Mien") as caught:
            work()
        assert "-o" in hint_of(caught.value)
    assert (made.path / LEDGER).read_bytes() == before


def test_a_locked_ledger_keeps_its_photos(tmp_path, photos, made, monkeypatch):
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
    assert engine.photos_read == 0


def test_a_damaged_page_is_reported(made):
    data = bytearray((made.path / LEDGER).read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    (made.path / LEDGER).write_bytes(data)
    with pytest.raises((OutputError, NotADataset)) as caught:
        refresh(made.path)
    assert "build" in caught.value.hint
