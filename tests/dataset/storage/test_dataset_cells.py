"""Formulas in names, paths and notes do not reach the CSV files of a dataset."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.dataset.storage.cells import from_cell, to_cell
from mien.dataset.storage.decisions import append_decisions, read_decisions
from mien.dataset.storage.entries import Entry, read_manifest, write_manifest
from mien.evaluation.verification.differential import read_attributes

FORMULAS = (
    "=cmd|'/C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "'=1", "''+1", "\uff1d1", "=1,2\n=3",
)  # fmt: skip


def cells(data: bytes) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(data.decode(), newline="")) for cell in row]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_manifest_has_no_formulas_and_is_read_back(text):
    entry = Entry("0a1b", text, text, text, yaw=-12.5, evidence=text, reason="no-face",
                  status="set-aside")  # fmt: skip
    data = write_manifest([entry])
    assert read_manifest(data) == (entry,)
    found = [cell for cell in cells(data) if cell[:1] and cell[0] in "=+-@\t\r\n\uff1d"]
    assert set(found) <= {"-12.5", "-1"}  # numbers


CONTROLS = (
    "a\x1b[2J.jpg",
    "\x9b31m",
    "\x00",
    "a\rb",
    "\x7f",
    r"a\x1b.jpg",
    r"C:\x5c\x41",
    "\\\x1b",
)


@pytest.mark.parametrize("text", CONTROLS)
def test_a_manifest_has_no_control_characters_and_is_read_back(text):
    entry = Entry("0a1b", text, text, text, yaw=-12.5, evidence=text, reason="no-face",
                  status="set-aside")  # fmt: skip
    data = write_manifest([entry])
    assert read_manifest(data) == (entry,)
    assert {c for c in data.decode() if not c.isprintable()} <= {"\n", "\r"}
    assert all(cell.isprintable() for cell in cells(data))


def test_a_path_with_a_backslash_in_an_earlier_manifest_is_read_as_it_is():
    for text in (r"photos\me.jpg", r"C:\xample\x2.jpg", r"\x41"):
        assert from_cell(text) == text == to_cell(text)


@given(st.text(alphabet="'=+-@a\t\uff1d\\x15c9b\x1b\x9b", max_size=8))
def test_any_text_is_read_back(text):
    assert from_cell(to_cell(text)) == text
    assert not to_cell(text).startswith(("=", "+", "-", "@", "\t"))


def test_usual_names_stay_as_they_are():
    for text in ("O'Brien", "'t Hooft", "Zoë", "", "'", "a=b", "photos/-1.jpg"):
        assert to_cell(text) == text == from_cell(text)


def test_decisions_have_no_formulas_and_are_read_back(tmp_path):
    append_decisions(tmp_path, "same", [("=Ada", "@Ben", "=note")])
    written = (tmp_path / "decisions.csv").read_bytes()
    assert {"'=Ada", "'@Ben", "'=note"} <= set(cells(written))
    assert set(read_decisions(tmp_path).names.values()) == {"=Ada", "@Ben"}


def test_a_name_copied_from_the_manifest_is_that_person(tmp_path):
    (tmp_path / "groups.csv").write_text("person,group\n'=Ada,a\n", "utf-8")
    assert read_attributes(tmp_path / "groups.csv") == {"group": {"=ada": "a"}}
