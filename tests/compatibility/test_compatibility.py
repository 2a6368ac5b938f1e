"""What version 0.1.0 wrote is still read, and what it answered is still answered.

`expected.json` has what that version answered; `make_fixtures.py` made it and the files. An
answer may have more fields than it had, and none less. A recognizer file answers the same for
good. Where a change moves a gallery's threshold on purpose, CHANGELOG says so, and the values
expected here change with it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import asked
import asking
import interfaces
import pytest

pytest.importorskip("cryptography")
pytest.importorskip("fastapi")
pytest.importorskip("gunicorn")

HERE = Path(__file__).resolve().parent
FIXTURES = HERE / "fixtures" / "0.1.0"
MOST_BYTES = 2_000_000

EXPECTED = json.loads((HERE / "expected.json").read_text("utf-8"))

CLOSE = 1e-6
PIXELS = 1e-3
ROUNDED = {
    "similarity": 1.01e-4,
    "probability": 1.01e-4,
    "score": 1.01e-4,
    "box": 0.101,
    "points": 0.101,
}
"""Fields that the command line and the server round: the last digit may be another."""

EXACT = ("faces_by_recognizers", "faces_by_galleries")
"""Answers of the Python API, which rounds nothing."""


MEASURED = """
[genuine]
measured_on = "Random patterns."
false_non_match_rate = [0.02, 0.05, 0.2, 0.3, 0.5, 0.9]
similarity.1 = [0.45, 0.5, 0.6, 0.65, 0.8, 0.9]

[copies]
measured_on = "Random patterns."
false_non_match_rate = [0.005, 0.2, 0.3, 0.9]
similarity = [0.75, 0.9, 0.93, 0.99]
"""
"""Statistics that version 0.1.0 did not know: what `mien models measure` adds to a card. Without
them nothing is cleaned by similarity, where 0.1.0 took the cosines of another embedder."""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in a copy of the fixtures, with their weights, measured, and without the network."""
    for name, value in asking.SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "100")
    with asked.copied(FIXTURES, tmp_path):
        card = Path("home") / "cards" / "toy-embedder.toml"
        card.write_text(card.read_text("utf-8") + MEASURED, "utf-8")
        yield


@pytest.mark.parametrize("name", [name for name in asked.ANSWERS if name != "commands"])
@pytest.mark.usefixtures("here")
def test_answers_as_before(name):
    found = json.loads(json.dumps(asked.ANSWERS[name]()))
    other = differences(EXPECTED[name], found, name, exact=name in EXACT)
    assert not other, "\n".join(other)


def test_commands_are_still_there():
    names = list(EXPECTED["commands"])
    found = interfaces.commands(names)
    for name in names:
        before, now = EXPECTED["commands"][name], found[name]
        more = now["arguments"][len(before["arguments"]) :]
        assert now["arguments"][: len(before["arguments"])] == before["arguments"], name
        assert not any(required for _, required in more), name
        assert not differences(before["options"], now["options"], name)
        new = now["options"].keys() - before["options"].keys()
        assert not [text for text in new if now["options"][text]["required"]], name


def test_every_answer_is_expected():
    assert EXPECTED.keys() == asked.ANSWERS.keys()


def test_fixtures_are_small():
    files = [path for path in HERE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


def differences(expected: Any, found: Any, way: str = "", *, exact: bool = False) -> list[str]:
    """Return where an answer is not what it was: a field is gone, or a value another."""
    if expected == asking.ANY:
        return []
    if isinstance(expected, dict) and isinstance(found, dict):
        gone = [f"{way}/{key} is gone" for key in expected.keys() - found.keys()]
        both = [(f"{way}/{key}", expected[key], found[key]) for key in expected if key in found]
        return gone + [row for at, a, b in both for row in differences(a, b, at, exact=exact)]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        rows = enumerate(zip(expected, found, strict=True))
        both = [(f"{way}/{number}", a, b) for number, (a, b) in rows]
        return [row for at, a, b in both for row in differences(a, b, at, exact=exact)]
    if _number(expected) and _number(found):
        same = abs(expected - found) <= _tolerance(way, exact=exact)
    else:
        same = expected == found
    return [] if same else [f"{way}: {found!r}, not {expected!r}"]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _tolerance(way: str, *, exact: bool) -> float:
    fields = way.split("/")
    if exact:
        return PIXELS if {"box", "points"} & set(fields) else CLOSE
    return max((ROUNDED[field] for field in fields[-3:] if field in ROUNDED), default=CLOSE)
