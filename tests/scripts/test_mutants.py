"""The measurement of what the tests notice: its changes, its sample and its list."""

from __future__ import annotations

import sys

import pytest

if sys.platform == "win32":
    pytest.skip("processes are forked", allow_module_level=True)
pytest.importorskip("mutmut", reason="mutmut is not installed")

import mutants

SOURCE = '''
"""What it does."""

LIMIT = 3


def decide(a: int, name: str = "x") -> bool:
    """Decide."""
    if a < LIMIT:
        raise ValueError("too small", LIMIT + 1)
    record(name)
    if sys.platform == "win32":
        elsewhere(name)
    return a % 2 == 0


@dataclass(frozen=True)
class Rows:
    text = "words that people read"
    kind = "drop"
'''


@pytest.fixture(scope="module")
def changes():
    return [(mutant.before, mutant.after) for mutant in mutants.mutants_of(SOURCE)]


@pytest.mark.parametrize(
    "change",
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("if a < LIMIT:", "if a <= LIMIT:"),
        ("if a < LIMIT:", "if not (a < LIMIT):"),
        ("record(name)", "pass"),
        ("record(name)", "record(None)"),
        ("return a % 2 == 0", "return None"),
        ("return a % 2 == 0", "return a % 2 != 0"),
        ('kind = "drop"', 'kind = "DROP"'),
    ],
)
def test_what_is_done_is_changed(changes, change):
    assert change in changes


def test_texts_types_and_declarations_are_left_alone(changes):
    for words in (
        "Decide",
        "too small",
        "words that",
        "@dataclass",
        "win32",
        "elsewhere",
        "ValueError",
    ):
        assert not any(words in before and before != 'text = "words that people read"'
                       for before, _ in changes)  # fmt: skip
    assert ('text = "words that people read"', "text = None") in changes
    assert all(before.count(": int") == after.count(": int") for before, after in changes)
    assert len(set(changes)) == len(changes)


def test_every_line_is_drawn_before_any_is_drawn_twice():
    found = mutants.mutants_of(SOURCE)
    lines = {mutant.line for mutant in found}
    drawn = mutants.sample_of(found, len(lines), "1")
    assert {mutant.line for mutant in drawn} == lines
    assert mutants.sample_of(found, len(lines), "1") == drawn
    assert mutants.sample_of(found, len(lines), "2") != drawn
    everything = mutants.sample_of(found, 10_000, "1")
    assert sorted(mutant.source for mutant in everything) == sorted(m.source for m in found)


def test_modules_tests_and_changes_without_effect_are_there():
    for module in mutants.read_settings().values():
        source = (mutants.SOURCE / module.path).read_text(encoding="utf-8")
        for tests in module.tests:
            assert (mutants.ROOT / tests).exists()
        for before, _ in module.equivalent:
            lines = [line.strip() for line in source.splitlines()]
            assert before in " ".join(lines), f"{module.name}: {before}"


def row(**changed):
    return {
        "module": "a/b", "goal": 92, "changes": 40, "drawn": 20, "equivalent": 2,
        "noticed": 17, "timed_out": 1, "survived": [], **changed,
    }  # fmt: skip


def test_the_share_is_of_changes_with_an_effect():
    assert mutants.share([row()]) == pytest.approx(100 * 17 / 18)
    text = mutants.table([row(), row(module="c", noticed=9), row(module="d", goal=85)])
    assert "| `a/b` | 20 of 40 | 2 | 94 % | |" in text
    assert "| **together** | 40 | 4 | **72 %** | 92 % |" in text
    assert text.index("92 %") < text.index("`d`") < text.index("85 %")


def test_what_survived_can_be_tested_again():
    found = mutants.mutants_of(SOURCE)
    one, other = found[3], found[7]
    survived = [{"line": 1, "before": each.before, "after": each.after} for each in (one, other)]
    earlier = row(changes=len(found), survived=survived)
    again, drawn = mutants._survivors(earlier, found)
    assert drawn == [one, other]
    assert again == {**earlier, "survived": []}
    with pytest.raises(SystemExit, match="another one"):
        mutants._survivors(earlier, found[:7] + found[8:])
