"""The table of OWASP ASVS 4.0.3: each number of levels 1 and 2 once, and places that exist."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text("utf-8")

ROWS = re.findall(r"^\| (\d+\.\d+\.\d+) \| (.+?) \| (.+?) \| (.+) \|$", TEXT, re.MULTILINE)

# Of each section the numbers of levels 1 and 2; deleted ones and those of level 3 alone are absent.
SECTIONS = {
    "1.1": "1-7", "1.2": "1-4", "1.4": "1 4 5", "1.5": "1-4", "1.6": "1-4", "1.7": "1-2",
    "1.8": "1-2", "1.9": "1-2", "1.10": "1", "1.11": "1-2", "1.12": "2", "1.14": "1-6",
    "2.1": "1-12", "2.2": "1-3", "2.3": "1-3", "2.4": "1-5", "2.5": "1-7", "2.6": "1-3",
    "2.7": "1-6", "2.8": "1-7", "2.9": "1-3", "2.10": "1-4",
    "3.1": "1", "3.2": "1-4", "3.3": "1-4", "3.4": "1-5", "3.5": "1-3", "3.7": "1",
    "4.1": "1-3 5", "4.2": "1-2", "4.3": "1-3",
    "5.1": "1-5", "5.2": "1-8", "5.3": "1-10", "5.4": "1-3", "5.5": "1-4",
    "6.1": "1-3", "6.2": "1-6", "6.3": "1-2", "6.4": "1-2",
    "7.1": "1-4", "7.2": "1-2", "7.3": "1 3 4", "7.4": "1-3",
    "8.1": "1-4", "8.2": "1-3", "8.3": "1-8",
    "9.1": "1-3", "9.2": "1-4",
    "10.2": "1-2", "10.3": "1-3",
    "11.1": "1-8",
    "12.1": "1-3", "12.2": "1", "12.3": "1-6", "12.4": "1-2", "12.5": "1-2", "12.6": "1",
    "13.1": "1 3-5", "13.2": "1-3 5-6", "13.3": "1-2", "13.4": "1-2",
    "14.1": "1-4", "14.2": "1-6", "14.3": "2-3", "14.4": "1-7", "14.5": "1-4",
}  # fmt: skip

ANSWERS = ("met", "not applicable", "open")
PLACES = re.compile(r"`((?:src|tests|docs|scripts|benchmarks|fuzz|\.ci)/[^`]+)`")


def numbers() -> list[str]:
    """Return all numbers of levels 1 and 2, in order."""
    found = []
    for section, listed in SECTIONS.items():
        for part in listed.split():
            first, _, last = part.partition("-")
            found += [f"{section}.{n}" for n in range(int(first), int(last or first) + 1)]
    return found


def test_each_requirement_has_one_answer():
    assert len(numbers()) == 259
    assert [row[0] for row in ROWS] == numbers()
    assert {row[2] for row in ROWS} == set(ANSWERS)


def test_what_is_met_says_where_and_what_is_open_says_the_risk():
    for number, _, answer, text in ROWS:
        if answer == "open":
            assert "Risk: " in text, number
        elif answer == "not applicable":
            assert len(text) > 5, number
    met = [row for row in ROWS if row[2] == "met"]
    placed = [row for row in met if PLACES.search(row[3]) or "`" in row[3] or "](#" in row[3]]
    # Some are met by the language or by there being nothing of the kind.
    assert len(placed) > 0.95 * len(met)


def test_the_places_exist():
    places = set(PLACES.findall(TEXT))
    assert len(places) > 60
    assert [place for place in sorted(places) if not (ROOT / place).exists()] == []


def test_the_sums_are_right():
    sums = re.findall(r"^\| V(\d+) .+? \| (\d+) \| (\d+) \| (\d+) \|$", TEXT, re.MULTILINE)
    assert len(sums) == 14
    for chapter, *stated in sums:
        counted = Counter(row[2] for row in ROWS if row[0].split(".")[0] == chapter)
        assert [int(number) for number in stated] == [counted[each] for each in ANSWERS]
    (together,) = re.findall(
        r"\*\*together, (\d+)\*\* \| \*\*(\d+)\*\* \| \*\*(\d+)\*\* \| \*\*(\d+)", TEXT
    )
    counted = Counter(row[2] for row in ROWS)
    assert [int(each) for each in together] == [len(ROWS), *(counted[each] for each in ANSWERS)]


@pytest.mark.parametrize("rule", sorted(set(re.findall(r"`(S\d{3})`", TEXT))))
def test_ruffs_rules_are_those_of_bandit_and_on(rule):
    settings = (ROOT / "pyproject.toml").read_text("utf-8")
    assert '"S", "SIM"' in settings
    (ignored,) = re.findall(r"(?s)\nignore = \[(.*?)\n\]", settings)
    assert f'"{rule}"' not in ignored
