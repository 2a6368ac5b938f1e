"""The tree of errors: drawn in the docstring, documented, each leaf with an exit code."""

from __future__ import annotations

import re

import pytest

from mien import cli, errors
from mien.cli import EXIT_CODES, exit_code
from mien.errors import MienError


def tree(branch: type[MienError]) -> list[type[MienError]]:
    below = branch.__subclasses__()
    return [branch, *(error for child in below for error in tree(child))]


ALL = [error for error in tree(MienError) if error.__module__.startswith("mien")]
LEAVES = [error for error in ALL if not error.__subclasses__()]


@pytest.mark.parametrize("leaf", LEAVES)
def test_each_leaf_has_one_exit_code(leaf):
    branches = [branch for branch in EXIT_CODES if issubclass(leaf, branch)]
    assert len(branches) == 1
    assert exit_code(leaf("what happened")) == EXIT_CODES[branches[0]]


def test_exit_codes_are_distinct_and_not_the_shells():
    codes = list(EXIT_CODES.values())
    assert len(set(codes)) == len(codes)
    assert all(10 <= code < 64 for code in codes)


def drawn() -> dict[str, str]:
    """Return each error of the drawing with its parent."""
    parents, path = {}, ["MienError"]
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ((?:│   |    )*)[├└]── (\w+)", line)
        if found:
            depth = len(found[1]) // 4 + 1
            path = [*path[:depth], found[2]]
            parents[found[2]] = path[depth - 1]
    return parents


def test_the_drawing_is_the_tree():
    real = {error.__name__: error.__base__.__name__ for error in ALL if error is not MienError}
    assert drawn() == real


@pytest.mark.parametrize("error", ALL)
def test_each_error_has_a_docstring_and_a_hint(error):
    assert error.__module__ == "mien.errors"
    assert error.__doc__
    assert error.__doc__.strip()
    made = error("what", hint="do this")
    assert (str(made), made.hint) == ("what", "do this")
    assert (error("what").hint, error("what").code, error("what").data) == ("", "", {})
    assert "mien " not in error.__doc__  # It is the title of the problem document.
    made = error("what", code="that", data={"folder": "office"})
    assert (made.code, made.data) == ("that", {"folder": "office"})


def test_the_exit_codes_are_documented():
    for code in EXIT_CODES.values():
        assert re.search(rf"\b{code} ", cli.__doc__ or "")
