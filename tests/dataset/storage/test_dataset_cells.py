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


@given(st.text(alphabet="'=+-@a\t\uff1d", max_size=6))
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
